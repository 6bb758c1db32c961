"""Start values in an FMU's own names and units, of every type it has."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np

from packtwin.fmu.dialect import Dialect
from packtwin.fmu.instance import AbstractInstance
from packtwin.fmu.variable_map import array_shape
from packtwin.twin.errors import FmuError
from packtwin.twin.variable import nearest_names

__all__ = ["Start", "StartValue", "StartValues", "enumeration_items", "find_variable"]

Start: TypeAlias = (
    float | int | str | bytes | Sequence[float | int] | Sequence[str] | Sequence[bytes]
)
ScalarVariable: TypeAlias = Any  # fmpy.model_description.ModelVariable

_STRUCTURAL = "structuralParameter"
_FREE = ("input", "parameter", "local", "output", _STRUCTURAL)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StartValue:
    """One variable with its value; the elements of an array row by row."""

    variable: ScalarVariable
    elements: tuple[float | str | bytes, ...]


def find_variable(description: Any, name: str, path: Path) -> ScalarVariable:
    """Return a variable by the FMU's name.

    Raises:
        FmuError: There is none, with the nearest names.
    """
    for variable in description.modelVariables:
        if variable.name == name:
            return variable
    known = [v.name for v in description.modelVariables]
    msg = f"`{path}` has no variable `{name}`; nearest: {nearest_names(name, known)}."
    raise FmuError(msg)


def enumeration_items(variable: ScalarVariable) -> dict[str, float]:
    """Return the number of each item of a variable's enumeration."""
    declared = variable.declaredType
    items = declared.items if declared is not None else []
    return {item.name: float(item.value) for item in items}


@final
class StartValues:
    """Start values that differ from those in the model description.

    Attributes:
        values: In the order given.
        sizes: Chosen structural parameters, which are sizes of arrays.
    """

    def __init__(
        self,
        description: Any,
        dialect: Dialect,
        path: Path,
        starts: Mapping[str, Start],
    ) -> None:
        """Check names, types and counts.

        Args:
            description: fmpy's model description.
            dialect: Of the FMU.
            path: The FMU file.
            starts: By the FMU's own names and in its own units; items of enumerations
                by name or number, arrays row by row.

        Raises:
            FmuError: A name or value that the FMU cannot take.
        """
        self._dialect, self._path = dialect, path
        self.values = tuple(
            self._checked(find_variable(description, name, path), start)
            for name, start in starts.items()
        )
        self.sizes = {
            value.variable.name: int(value.elements[0])
            for value in self.values
            if value.variable.causality == _STRUCTURAL
        }

    def shape(self, variable: ScalarVariable) -> tuple[int, ...]:
        """Return the sizes of an array, none for a scalar."""
        return array_shape(variable, self.sizes)

    def configure(self, instance: AbstractInstance) -> None:
        """Set structural parameters, right after instantiation."""
        chosen = [v for v in self.values if v.variable.causality == _STRUCTURAL]
        if chosen:
            instance.call("fmi3EnterConfigurationMode")
            for value in chosen:
                self._write(instance, value)
            instance.call("fmi3ExitConfigurationMode")

    def write(self, instance: AbstractInstance) -> None:
        """Set all others, before initialization mode."""
        for value in self.values:
            if value.variable.causality != _STRUCTURAL:
                self._write(instance, value)

    def _checked(self, variable: ScalarVariable, start: Start) -> StartValue:
        has_start = variable.start is not None or variable.causality == "input"
        if (
            variable.causality not in _FREE
            or variable.variability == "constant"
            or not has_start
        ):
            msg = (
                f"`{variable.name}` of `{self._path}` has no start value that may be "
                f"chosen: it is a {variable.variability} {variable.causality}. Choose "
                "parameters, inputs or initial values."
            )
            raise FmuError(msg)
        is_single = isinstance(start, str | bytes | int | float)
        elements: list[Any] = [start] if is_single else list(start)  # type: ignore[arg-type]
        if variable.type in self._dialect.types:
            elements = [self._number(variable, element) for element in elements]
        elif not all(isinstance(e, str | bytes) for e in elements):
            msg = (
                f"`{variable.name}` of `{self._path}` is a {variable.type}, but got "
                f"{start!r}; give a text."
            )
            raise FmuError(msg)
        if not variable.dimensions and len(elements) != 1:
            msg = (
                f"`{variable.name}` of `{self._path}` is a scalar, but got "
                f"{len(elements)} values; give one."
            )
            raise FmuError(msg)
        return StartValue(variable=variable, elements=tuple(elements))

    def _number(self, variable: ScalarVariable, element: Any) -> float:
        items = enumeration_items(variable)
        if isinstance(element, str) and element in items:
            return items[element]
        try:
            return float(element)
        except (TypeError, ValueError) as error:
            offer = f"; items are {', '.join(f'`{name}`' for name in items)}"
            msg = (
                f"`{variable.name}` of `{self._path}` is a {variable.type}, but got "
                f"{element!r}{offer if items else ''}; correct it."
            )
            raise FmuError(msg) from error

    def _write(self, instance: AbstractInstance, value: StartValue) -> None:
        kind, elements = value.variable.type, value.elements
        count = ctypes.c_size_t(len(elements))
        reference = (ctypes.c_uint * 1)(value.variable.valueReference)
        arguments: list[Any] = [reference, ctypes.c_size_t(1)]
        if kind in self._dialect.types:
            array_type, suffix = self._dialect.types[kind]
            is_float = np.issubdtype(array_type, np.floating)
            numbers = np.array(elements if is_float else np.rint(elements), array_type)
            arguments.append(ctypes.c_void_p(numbers.ctypes.data))
        else:
            suffix = kind
            texts = [_as_bytes(element) for element in elements]
            if kind == "Binary":
                sizes = (ctypes.c_size_t * len(texts))(*map(len, texts))
                arguments.append(sizes)
            arguments.append((ctypes.c_char_p * len(texts))(*texts))
        if self._dialect.has_value_count:
            arguments.append(count)
        instance.call(f"{self._dialect.prefix}Set{suffix}", *arguments)


def _as_bytes(element: Any) -> bytes:
    return element.encode() if isinstance(element, str) else bytes(element)
