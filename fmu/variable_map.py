"""From the variables of a vendor's FMU to ours: names that end in SI units, and back.

A name that already ends in a fitting unit stays. Any other is made an identifier and
gets its SI unit as suffix: `battery.v` in mV becomes `battery_v_V`, in volts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, final

from packtwin.twin.units import UNITS, Unit, unit_of_name
from packtwin.twin.variable import Sampling, Variability, Variable

__all__ = [
    "MappedVariable",
    "array_shape",
    "declared_unit",
    "fmu_units",
    "map_variable",
]

ScalarVariable: TypeAlias = Any  # fmpy.model_description.ModelVariable

_BASES = ("kg", "m", "s", "A", "K", "mol", "cd", "rad")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_]+")
_USABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\[\d+\])?\Z")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MappedVariable:
    """One variable of an FMU in our terms: `ours = factor * theirs + offset`.

    Attributes:
        variable: Name, unit, start and bounds as the co-simulation sees them.
        fmu_name: The name in the model description.
        reference: FMI value reference.
        kind: FMI's type of the variable, such as `Real` or `Float64`.
        factor: From the FMU's unit to ours.
        offset: From the FMU's unit to ours.
        size: Elements of the array that it belongs to; 1 for a scalar.
    """

    variable: Variable
    fmu_name: str
    reference: int
    kind: str
    factor: float = 1.0
    offset: float = 0.0
    size: int = 1


def fmu_units(description: Any) -> dict[str, Unit]:
    """Return the units an FMU defines, as far as it says what they are."""
    known = {}
    for unit in description.unitDefinitions:
        base = unit.baseUnit
        if base is not None:
            exponents = {b: int(getattr(base, b)) for b in _BASES if getattr(base, b)}
            known[unit.name] = Unit(
                name=unit.name,
                exponents=exponents,
                factor=float(base.factor),
                offset=float(base.offset),
            )
    return known


def map_variable(
    scalar: ScalarVariable,
    units: Mapping[str, Unit],
    *,
    name: str | None = None,
    sampling: Sampling = "end",
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> tuple[MappedVariable, ...]:
    """Express one FMU variable as ours: one variable per element of an array.

    The elements of an array `a` are `a[1]`, `a[2]` and so on, row by row.

    Args:
        scalar: The variable as fmpy read it.
        units: The FMU's own units.
        name: Our name, where the derived one is not wanted.
        sampling: How the value relates to the step.
        sizes: Chosen structural parameters, by the FMU's names.
    """
    theirs = declared_unit(scalar, units)
    our_name = name or _our_name(scalar.name, theirs)
    ours = UNITS[unit_of_name(our_name)]
    factor, offset = 1.0, 0.0
    if theirs is not None and theirs.is_convertible_to(ours):
        factor = theirs.factor / ours.factor
        if not scalar.relativeQuantity:
            offset = (theirs.offset - ours.offset) / ours.factor
    size = math.prod(array_shape(scalar, sizes))
    bounds = _number(scalar.min, -math.inf), _number(scalar.max, math.inf)
    mapped = []
    for i, first in enumerate(_starts(scalar, size)):
        start, minimum, maximum = (factor * v + offset for v in (first, *bounds))
        if not minimum <= start <= maximum:  # a careless vendor; the start counts
            minimum, maximum = -math.inf, math.inf
        mapped.append(
            MappedVariable(
                variable=Variable(
                    name=f"{our_name}[{i + 1}]" if scalar.dimensions else our_name,
                    description=scalar.description or "",
                    start=start,
                    minimum=minimum,
                    maximum=maximum,
                    nominal=abs(factor * _number(scalar.nominal, 1.0)) or 1.0,
                    variability=_variability(scalar),
                    sampling=sampling,
                ),
                fmu_name=scalar.name,
                reference=scalar.valueReference,
                kind=scalar.type,
                factor=factor,
                offset=offset,
                size=size,
            )
        )
    return tuple(mapped)


def array_shape(scalar: ScalarVariable, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the sizes of an array, by the values of structural parameters."""
    return tuple(
        int(d.start)
        if d.variable is None
        else sizes.get(d.variable.name, int(d.variable.start))
        for d in scalar.dimensions
    )


def _starts(scalar: ScalarVariable, size: int) -> list[float]:
    """Return the start value of each element; one value stands for all."""
    texts = str(scalar.start).split() if scalar.start is not None else []
    if len(texts) != size:
        texts = (texts or [""])[:1] * size
    return [_number(text or None, 0.0) for text in texts]


def declared_unit(scalar: ScalarVariable, units: Mapping[str, Unit]) -> Unit | None:
    """Return the unit of a variable of an FMU, as far as it is known."""
    declared = scalar.declaredType
    name = scalar.unit or (declared.unit if declared is not None else None)
    return units.get(name) or UNITS.get(name) if name else None


def _our_name(name: str, unit: Unit | None) -> str:
    stem = name if _USABLE.match(name) else _ILLEGAL.sub("_", name).strip("_")
    if not stem[:1].isalpha():
        stem = f"x_{stem}"
    promised = UNITS[unit_of_name(stem)]
    if unit is None or unit.is_convertible_to(promised):
        return stem
    for candidate in UNITS.values():
        is_plain = candidate.factor == 1.0 and candidate.offset == 0.0
        if is_plain and candidate.is_convertible_to(unit):
            suffix = _suffix(candidate)
            if unit_of_name(f"x{suffix}") == candidate.name:
                return _ILLEGAL.sub("_", stem).strip("_") + suffix
    return stem if promised.name == "1" else f"{stem}_value"


def _suffix(unit: Unit) -> str:
    if unit.name == "1":
        return "_value"
    return "_" + re.sub(r"[().]", "", unit.name.replace("/", "_per_"))


def _variability(scalar: ScalarVariable) -> Variability:
    if scalar.causality == "parameter":
        return "tunable" if scalar.variability == "tunable" else "fixed"
    return "continuous" if scalar.variability == "continuous" else "discrete"


def _number(text: str | float | None, default: float) -> float:
    if text is None:
        return default
    if text in ("true", "false"):
        return float(text == "true")
    return float(text)
