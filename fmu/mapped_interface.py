"""The interface of a vendor's FMU in our terms: variables, parameters, feedthrough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.dialect import FMI2, FMI3, Dialect
from packtwin.fmu.variable_map import MappedVariable, fmu_units, map_variable
from packtwin.twin.errors import FmuError
from packtwin.twin.variable import Interface, nearest_names

__all__ = [
    "Kind",
    "MappedInterface",
    "choose_kind",
    "dialect_of",
    "kind_flags",
    "read_interface",
]

Kind: TypeAlias = Literal["co-simulation", "model-exchange"]

_ATTRIBUTES: Mapping[Kind, str] = {
    "co-simulation": "coSimulation",
    "model-exchange": "modelExchange",
}
_DIALECTS = {"2.0": FMI2, "3.0": FMI3}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MappedInterface:
    """What a component shows of an FMU, and how it maps to the FMU's variables.

    Attributes:
        interface: Our variables, with the chosen parameter values as starts.
        inputs: In the order of `interface.inputs`.
        outputs: In the order of `interface.outputs`.
        parameters: In the order of `interface.parameters`.
        changed_parameters: Those whose value was chosen.
        feedthrough: Pairs (input, output); all where the model structure is silent.
        left_out: Inputs and outputs of the FMU that are no signals here.
    """

    interface: Interface
    inputs: tuple[MappedVariable, ...]
    outputs: tuple[MappedVariable, ...]
    parameters: tuple[MappedVariable, ...]
    changed_parameters: tuple[MappedVariable, ...]
    feedthrough: frozenset[tuple[str, str]]
    left_out: tuple[str, ...]

    @property
    def changed_values(self) -> NDArray[np.float64]:
        """The values of `changed_parameters`, in our units."""
        starts = {v.name: v.start for v in self.interface.parameters}
        return np.array([starts[m.variable.name] for m in self.changed_parameters])

    def with_parameters(self, parameters: Mapping[str, float]) -> MappedInterface:
        """Return it with other chosen values; see `read_interface`."""
        return replace(
            self,
            interface=self.interface.with_starts(dict(parameters)),
            changed_parameters=_changed(self.parameters, parameters),
        )


def read_interface(
    description: Any,
    path: Path,
    *,
    means: frozenset[str],
    parameters: Mapping[str, float],
    names: Mapping[str, str],
    sizes: Mapping[str, int],
) -> MappedInterface:
    """Map the numeric inputs, outputs and parameters of an FMU.

    Strings, binaries and clocks are no signals here and are left out, and so are
    variables that FMI 3.0 allows to touch only while a clock ticks.

    Args:
        description: fmpy's model description.
        path: The FMU file.
        means: Outputs that are means over the step.
        parameters: Chosen parameter values, by our names and in our units.
        names: Our names for some of the FMU's variables.
        sizes: Chosen structural parameters, by the FMU's names.
    """
    units = fmu_units(description)
    types = dialect_of(description, path).types
    scalars: list[Any] = []
    others: list[Any] = []
    for v in description.modelVariables:
        (scalars if v.type in types and not v.clocks else others).append(v)
    _check_names(names, [v.name for v in scalars], path)
    groups: dict[str, list[MappedVariable]] = {"input": [], "output": []}
    groups["parameter"] = []
    for scalar in scalars:
        if scalar.causality in groups:
            groups[scalar.causality] += map_variable(
                scalar,
                units,
                name=names.get(scalar.name),
                sampling="mean" if scalar.name in means else "end",
                sizes=sizes,
            )
    inputs, outputs, settings = (tuple(group) for group in groups.values())
    _check_names(parameters, [m.variable.name for m in settings], path)
    interface = Interface(
        inputs=tuple(m.variable for m in inputs),
        outputs=tuple(m.variable for m in outputs),
        parameters=tuple(m.variable for m in settings),
    )
    plain = MappedInterface(
        interface=interface,
        inputs=inputs,
        outputs=outputs,
        parameters=settings,
        changed_parameters=(),
        feedthrough=_feedthrough(description, inputs, outputs),
        left_out=tuple(v.name for v in others if v.causality in ("input", "output")),
    )
    return plain.with_parameters(parameters)


def _changed(
    settings: tuple[MappedVariable, ...], parameters: Mapping[str, float]
) -> tuple[MappedVariable, ...]:
    """Return the parameters to set: an array is set as a whole."""
    chosen = {m.fmu_name for m in settings if m.variable.name in parameters}
    return tuple(m for m in settings if m.fmu_name in chosen)


def dialect_of(description: Any, path: Path) -> Dialect:
    """Return the dialect of an FMU; refuse a version that has none here."""
    dialect = _DIALECTS.get(str(description.fmiVersion))
    if dialect is None:
        msg = (
            f"`{path}` is an FMU of FMI {description.fmiVersion}; expected "
            f"{' or '.join(_DIALECTS)}. Export it so from its tool."
        )
        raise FmuError(msg)
    return dialect


def choose_kind(description: Any, kind: Kind | None, path: Path) -> Kind:
    """Return the kind to use: the one asked for, else co-simulation before the other.

    Raises:
        FmuError: The FMU is not of that kind.
    """
    kinds = [name for name in _ATTRIBUTES if _flags(description, name) is not None]
    if kind in kinds:
        return kind
    if kind is None and kinds:
        return kinds[0]
    has = " and ".join(kinds) or "neither co-simulation nor model exchange"
    msg = (
        f"`{path}` is an FMU of FMI {description.fmiVersion} for {has}; expected "
        f"{kind or 'one of the two'}. Export it so from its tool."
    )
    raise FmuError(msg)


def kind_flags(description: Any, kind: Kind, path: Path) -> Any:
    """Return what an FMU says of one of its kinds."""
    return _flags(description, choose_kind(description, kind, path))


def _flags(description: Any, kind: Kind) -> Any:
    return getattr(description, _ATTRIBUTES[kind], None)


def _feedthrough(
    description: Any,
    inputs: tuple[MappedVariable, ...],
    outputs: tuple[MappedVariable, ...],
) -> frozenset[tuple[str, str]]:
    listed = {u.variable.name: u.dependencies for u in description.outputs}
    pairs: set[tuple[str, str]] = set()
    for output in outputs:
        dependencies = listed.get(output.fmu_name)
        known = None if dependencies is None else {v.name for v in dependencies}
        pairs.update(
            (m.variable.name, output.variable.name)
            for m in inputs
            if known is None or m.fmu_name in known
        )
    return frozenset(pairs)


def _check_names(given: Mapping[str, Any], known: list[str], path: Path) -> None:
    for name in given:
        if name not in known:
            msg = f"`{path}` has no `{name}`; nearest: {nearest_names(name, known)}."
            raise FmuError(msg)
