"""What all documents of an SSP share: units, enumerations, types, transformations.

"System Structure and Parameterization" of the Modelica Association, versions 1.0 (2019)
and 2.0: its common content, with the namespaces and types of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final

from packtwin.cosim.xml_record import (
    Kept,
    attribute,
    child,
    children,
    element_name,
    kept,
)
from packtwin.cosim.xml_text import PREFIXES
from packtwin.twin.errors import ScenarioError
from packtwin.twin.units import Unit

__all__ = [
    "METADATA",
    "NEW_TYPES",
    "SSB",
    "SSC",
    "SSD",
    "SSM",
    "SSV",
    "TYPES",
    "Dimension",
    "Enumeration",
    "SspUnit",
    "Transformation",
    "Version",
    "known_units",
    "one_of",
    "read_bool",
    "read_float",
    "read_int",
]

SSC = f"{{{PREFIXES['ssc']}}}"
"""Namespace of what is shared, as the start of a tag."""
SSD = f"{{{PREFIXES['ssd']}}}"
"""Namespace of system structure descriptions."""
SSV = f"{{{PREFIXES['ssv']}}}"
"""Namespace of parameter values."""
SSM = f"{{{PREFIXES['ssm']}}}"
"""Namespace of parameter mappings."""
SSB = f"{{{PREFIXES['ssb']}}}"
"""Namespace of signal dictionaries."""

Version: TypeAlias = Literal["1.0", "2.0"]

_OLD_TYPES = ("Real", "Integer", "Boolean", "String", "Enumeration", "Binary")
NEW_TYPES = (
    *("Float64", "Float32", "Int8", "UInt8", "Int16", "UInt16"),
    *("Int32", "UInt32", "Int64", "UInt64", "Clock"),
)
"""Types that only version 2.0 has."""
TYPES = (*_OLD_TYPES, *NEW_TYPES)
"""Types of connectors, parameters and signals; the last is `Clock`."""

METADATA = ("MetaData", "Signature")
"""Elements of version 2.0 that many others may have; they are kept as they are."""

_WORDS = {"true": True, "1": True, "false": False, "0": False}


def read_bool(text: str) -> bool:
    """Read an XML boolean."""
    if text.strip() not in _WORDS:
        msg = "true or false"
        raise ValueError(msg)
    return _WORDS[text.strip()]


def read_float(text: str) -> float:
    """Read an XML double."""
    try:
        return float(text)
    except ValueError:
        msg = "number"
        raise ValueError(msg) from None


def read_int(text: str) -> int:
    """Read an XML integer."""
    try:
        return int(text)
    except ValueError:
        msg = "whole number"
        raise ValueError(msg) from None


def one_of(*words: str) -> Any:
    """Return a reader that accepts some words."""

    def read(text: str) -> str:
        if text not in words:
            msg = f"one of {', '.join(words)}"
            raise ValueError(msg)
        return text

    return read


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUnit:
    """SI exponents of a unit, with the way to SI: `SI = factor * value + offset`."""

    kg: int = attribute("kg", read_int, 0)
    m: int = attribute("m", read_int, 0)
    s: int = attribute("s", read_int, 0)
    A: int = attribute("A", read_int, 0)
    K: int = attribute("K", read_int, 0)
    mol: int = attribute("mol", read_int, 0)
    cd: int = attribute("cd", read_int, 0)
    rad: int = attribute("rad", read_int, 0)
    factor: float = attribute("factor", read_float, 1.0)
    offset: float = attribute("offset", read_float, 0.0)
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SspUnit:
    """A unit by name; without `base` it is only a name."""

    order: ClassVar[tuple[str, ...]] = ("BaseUnit", "Annotations")
    name: str = attribute("name")
    base: BaseUnit | None = child({f"{SSC}BaseUnit": BaseUnit})
    kept: Kept = kept()

    @classmethod
    def from_unit(cls, unit: Unit) -> SspUnit:
        """Return a unit of packtwin as one of a document."""
        exponents: dict[str, Any] = dict(unit.exponents)
        base = BaseUnit(factor=unit.factor, offset=unit.offset, **exponents)
        return cls(name=unit.name, base=base)


def known_units(units: tuple[SspUnit, ...]) -> dict[str, Unit]:
    """Return the units of a document, as far as it says what they are."""
    known = {}
    for unit in units:
        if unit.base is not None:
            exponents = {
                name: getattr(unit.base, name)
                for name in ("kg", "m", "s", "A", "K", "mol", "cd", "rad")
                if getattr(unit.base, name)
            }
            known[unit.name] = Unit(
                name=unit.name,
                exponents=exponents,
                factor=unit.base.factor,
                offset=unit.base.offset,
            )
    return known


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of an enumeration."""

    name: str = attribute("name")
    value: int = attribute("value", read_int)
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """A named list of items."""

    order: ClassVar[tuple[str, ...]] = ("Item", "Annotations")
    name: str = attribute("name")
    items: tuple[Item, ...] = children({f"{SSC}Item": Item})
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One dimension of an array: a size, or the connector that gives it."""

    size: int | None = attribute("size", read_int, None)
    size_connector: str | None = attribute("sizeConnector", str, None)
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MapEntry:
    """One line of a mapping of values."""

    source: str = attribute("source")
    target: str = attribute("target")
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """What happens to a value on its way, after units are converted.

    Attributes:
        kind: The element: `LinearTransformation`, or one of the three mappings.
        factor: Of the linear one: `target = factor * source + offset`.
        offset: Of the linear one.
        entries: Of a mapping.
    """

    kind: str = element_name()
    factor: float = attribute("factor", read_float, 1.0)
    offset: float = attribute("offset", read_float, 0.0)
    entries: tuple[MapEntry, ...] = children({f"{SSC}MapEntry": MapEntry})
    kept: Kept = kept()

    @classmethod
    def linear(cls, factor: float, offset: float) -> Transformation:
        """Return a linear one."""
        return cls(kind="LinearTransformation", factor=factor, offset=offset)

    @classmethod
    def tags(cls) -> dict[str, Any]:
        """Return its elements, for `child`."""
        stems = ("Linear", "BooleanMapping", "IntegerMapping", "EnumerationMapping")
        return {f"{SSC}{stem}Transformation": cls for stem in stems}

    def as_line(self, codes: Mapping[str, float], where: str) -> tuple[float, float]:
        """Return `(factor, offset)` that does the same to every value it knows.

        Args:
            codes: Numbers of names of enumeration items.
            where: What is transformed, for the error.

        Raises:
            ScenarioError: A mapping whose points are on no line.
        """
        if self.kind == "LinearTransformation":
            return self.factor, self.offset
        points = sorted(
            (_number(entry.source, codes), _number(entry.target, codes))
            for entry in self.entries
        )
        if len(points) < 2:
            target = points[0][1] if points else math.nan
            factor, offset = 0.0, target
        else:
            (x0, y0), (x1, y1) = points[0], points[-1]
            factor = (y1 - y0) / (x1 - x0) if x1 != x0 else math.nan
            offset = y0 - factor * x0
        if not all(abs(factor * x + offset - y) < 1e-9 for x, y in points) or (
            math.isnan(offset)
        ):
            msg = (
                f"The {self.kind} of {where} maps values that are not on a straight "
                "line, which a connection cannot do here; map them in the component."
            )
            raise ScenarioError(msg)
        return factor, offset

    def map_text(self, text: str, where: str) -> str:
        """Return what a mapping makes of a value of a parameter.

        Raises:
            ScenarioError: The mapping does not list it.
        """
        wanted = _WORDS.get(text, text) if "Boolean" in self.kind else text.strip()
        for entry in self.entries:
            source = entry.source.strip()
            if wanted == (_WORDS.get(source) if "Boolean" in self.kind else source):
                return entry.target
        listed = ", ".join(f"`{entry.source}`" for entry in self.entries)
        msg = f"The {self.kind} of {where} has no `{text}`, only {listed}; add it."
        raise ScenarioError(msg)


def _number(text: str, codes: Mapping[str, float]) -> float:
    if text in _WORDS and text not in codes:
        return float(_WORDS[text])
    try:
        return codes[text] if text in codes else float(text)
    except ValueError:
        return math.nan
