"""What a model description of FMI 2.0 or 3.0 says, for the checker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

__all__ = [
    "KINDS",
    "REALS",
    "DescribedUnknown",
    "DescribedVariable",
    "Description",
    "Element",
    "finite",
    "whole",
]

Element: TypeAlias = Any  # lxml ships no types

Dimension: TypeAlias = tuple[int | None, int | None]

KINDS = ("CoSimulation", "ModelExchange", "ScheduledExecution")
REALS = ("Real", "Float64", "Float32")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedVariable:
    """One variable; its causality, variability and initial as the defaults say.

    Attributes:
        key: What the model structure calls it: position from 1 (FMI 2) or reference.
        attributes: Of its element and, in FMI 2, of the element of its type; what the
            declared type says is in it too.
        own: Only what the variable itself says.
        is_clocked: Whether it is a clock or belongs to one.
        starts: Its start values (more than 1 for an array).
        dimensions: Lengths, each a number or the value reference of a parameter.
    """

    key: int | None
    name: str
    type: str
    line: int
    reference: int | None
    causality: str
    variability: str
    initial: str
    attributes: Mapping[str, str]
    own: Mapping[str, str]
    is_clocked: bool = False
    starts: tuple[str, ...] = ()
    dimensions: tuple[Dimension, ...] = ()

    @property
    def is_real(self) -> bool:
        """Whether it is a floating point number."""
        return self.type in REALS

    @property
    def has_start(self) -> bool:
        """Whether it has a start value."""
        return bool(self.starts)

    def number(self, name: str) -> float | None:
        """Return an attribute as a number; nothing if it is absent or none."""
        try:
            return float(self.attributes[name])
        except (KeyError, ValueError):
            return None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedUnknown:
    """One line of the model structure; `dependencies` is None if not given."""

    section: str
    key: int | None
    line: int
    dependencies: tuple[int, ...] | None
    kinds: tuple[str, ...] | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a model description says, as far as it can be read.

    Attributes:
        version: The declared FMI version.
        root: The XML element.
        kinds: Attributes of `CoSimulation` and its like, by its name.
        variables: All variables, in order.
        unknowns: The model structure, section by section.
    """

    version: str
    root: Element
    kinds: Mapping[str, Mapping[str, str]]
    variables: tuple[DescribedVariable, ...]
    unknowns: tuple[DescribedUnknown, ...]

    @property
    def is_3(self) -> bool:
        """Whether it is of FMI 3."""
        return self.version.startswith("3")

    @property
    def token(self) -> str:
        """The guid or instantiation token."""
        name = "instantiationToken" if self.is_3 else "guid"
        return str(self.root.get(name, ""))

    def size(self, v: DescribedVariable) -> int:
        """Return the number of elements of a variable, at the start."""
        known = {other.reference: other for other in self.variables}
        size = 1
        for length, reference in v.dimensions:
            found = known.get(reference) if length is None else None
            said = found.starts[0] if found and found.starts else None
            size *= (whole(said) if length is None else length) or 0
        return size

    def identifiers(self) -> tuple[str, ...]:
        """Return the model identifiers of all kinds, each once."""
        found = [kind.get("modelIdentifier", "") for kind in self.kinds.values()]
        return tuple(dict.fromkeys(name for name in found if name))

    def section(self, name: str) -> list[DescribedUnknown]:
        """Return `Outputs`, `Derivatives` or `InitialUnknowns`."""
        return [unknown for unknown in self.unknowns if unknown.section == name]

    def by_key(self) -> dict[int, DescribedVariable]:
        """Return the variables by what the model structure calls them."""
        return {v.key: v for v in self.variables if v.key is not None}

    def states(self) -> list[int]:
        """Return the keys of the continuous states, from their derivatives."""
        known = self.by_key()
        found = []
        for unknown in self.section("Derivatives"):
            v = known.get(unknown.key) if unknown.key is not None else None
            state = whole(v.attributes.get("derivative")) if v else None
            if state is not None:
                found.append(state)
        return found


def whole(text: str | None) -> int | None:
    """Return a whole number, or nothing if the text is none."""
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def finite(text: str) -> float | None:
    """Return a finite number, or nothing if the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
