"""Parameter sets (SSV) and parameter mappings (SSM) of an SSP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from packtwin.cosim.ssp_common import (
    SSC,
    SSM,
    SSV,
    TYPES,
    Dimension,
    Enumeration,
    SspUnit,
    Transformation,
    read_bool,
)
from packtwin.cosim.xml_record import (
    Kept,
    attribute,
    child,
    children,
    element_name,
    kept,
)
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["MappingEntry", "Parameter", "ParameterMapping", "ParameterSet", "Value"]

_TEXTS = ("String", "Enumeration", "Binary")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """One of several texts of an array."""

    value: str = attribute("value")
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The value of a parameter, as written.

    Attributes:
        type: Such as `Real`, `Int32` or `String`.
        text: The value, or the values of an array of numbers.
        texts: The values of an array of texts.
        unit: Of a number.
        enumeration: Name of its enumeration.
        kept: What is not understood.
    """

    type: str = element_name()
    text: str | None = attribute("value", str, None)
    texts: tuple[_Text, ...] = children({f"{SSV}Value": _Text})
    unit: str | None = attribute("unit", str, None)
    enumeration: str | None = attribute("name", str, None)
    kept: Kept = kept()

    @property
    def elements(self) -> tuple[str, ...]:
        """The values, one by one and row by row."""
        if self.text is None:
            return tuple(item.value for item in self.texts)
        return (self.text,) if self.type in _TEXTS else tuple(self.text.split())

    @classmethod
    def of(cls, kind: str, elements: Sequence[str], unit: str | None = None) -> Value:
        """Return a value of one element, or of the elements of an array."""
        if kind in _TEXTS and len(elements) != 1:
            return cls(type=kind, texts=tuple(_Text(value=e) for e in elements))
        return cls(type=kind, text=" ".join(elements), unit=unit)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter by name."""

    order: ClassVar[tuple[str, ...]] = (*TYPES, "Dimension", "Annotations")
    name: str = attribute("name")
    value: Value = child({f"{SSV}{name}": Value for name in TYPES}, is_required=True)
    dimensions: tuple[Dimension, ...] = children({f"{SSC}Dimension": Dimension})
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """The root of an SSV: parameters with what they refer to."""

    tag: ClassVar[str] = f"{SSV}ParameterSet"
    order: ClassVar[tuple[str, ...]] = (
        *("Parameters", "Enumerations", "Units"),
        *("MetaData", "Signature", "Annotations"),
    )
    version: str = attribute("version")
    name: str = attribute("name")
    parameters: tuple[Parameter, ...] = children(
        {f"{SSV}Parameter": Parameter}, f"{SSV}Parameters", is_required=True
    )
    enumerations: tuple[Enumeration, ...] = children(
        {f"{SSC}Enumeration": Enumeration}, f"{SSV}Enumerations"
    )
    units: tuple[SspUnit, ...] = children({f"{SSC}Unit": SspUnit}, f"{SSV}Units")
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MappingEntry:
    """What name and value a parameter of a set has where it is applied."""

    order: ClassVar[tuple[str, ...]] = ("Annotations",)
    source: str = attribute("source")
    target: str = attribute("target")
    keeps_units: bool = attribute("suppressUnitConversion", read_bool, False)
    transformation: Transformation | None = child(Transformation.tags())
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterMapping:
    """The root of an SSM. What it does not list is not applied."""

    tag: ClassVar[str] = f"{SSM}ParameterMapping"
    order: ClassVar[tuple[str, ...]] = (
        *("MappingEntry", "MetaData", "Signature", "Annotations"),
    )
    version: str = attribute("version")
    entries: tuple[MappingEntry, ...] = children({f"{SSM}MappingEntry": MappingEntry})
    kept: Kept = kept()

    def check_sources(self, names: list[str], where: str) -> None:
        """Refuse entries for parameters that the set does not have.

        Args:
            names: Those of the set, with the binding's prefix.
            where: The binding, for the error.

        Raises:
            ScenarioError: With the nearest names.
        """
        for entry in self.entries:
            if entry.source not in names:
                near = nearest_names(entry.source, names) or "none, the set is empty"
                msg = (
                    f"The parameter mapping of {where} maps `{entry.source}`, which "
                    f"the parameter set does not have; nearest: {near}."
                )
                raise ScenarioError(msg)

    def check_targets(self, where: str) -> None:
        """Refuse two entries for one target.

        Raises:
            ScenarioError: There are two.
        """
        targets: set[str] = set()
        for entry in self.entries:
            if entry.target in targets:
                msg = (
                    f"The parameter mapping of {where} maps two parameters to "
                    f"`{entry.target}`; keep one."
                )
                raise ScenarioError(msg)
            targets.add(entry.target)
