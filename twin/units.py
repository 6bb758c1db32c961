"""The one place that knows units: suffixes, base-unit exponents and conversion.

A physical name ends in its unit (`current_A`, `heat_cell_to_coolant_W`). The suffix
table maps an ASCII suffix to a `Unit`, whose exponents are FMI's base units
(kg, m, s, A, K, mol, cd, rad), with `factor` and `offset` to SI:
`value_SI = factor * value + offset`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from packtwin.twin.errors import InterfaceError

__all__ = ["UNITS", "Unit", "convert", "unit_of_name"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit with its name, its SI exponents and the way to SI."""

    name: str
    exponents: dict[str, int] = field(default_factory=dict)
    factor: float = 1.0
    offset: float = 0.0

    def is_convertible_to(self, other: Unit) -> bool:
        """Whether both measure the same quantity."""
        return self.exponents == other.exponents


def _unit(name: str, factor: float = 1.0, offset: float = 0.0, **exp: int) -> Unit:
    return Unit(name=name, exponents=exp, factor=factor, offset=offset)


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        _unit("1"),
        _unit("s", s=1),
        _unit("min", 60.0, s=1),
        _unit("h", 3600.0, s=1),
        _unit("m", m=1),
        _unit("km", 1000.0, m=1),
        _unit("m2", m=2),
        _unit("m3", m=3),
        _unit("kg", kg=1),
        _unit("K", K=1),
        _unit("degC", 1.0, 273.15, K=1),
        _unit("A", A=1),
        _unit("C", A=1, s=1),
        _unit("Ah", 3600.0, A=1, s=1),
        _unit("V", kg=1, m=2, s=-3, A=-1),
        _unit("mV", 1e-3, kg=1, m=2, s=-3, A=-1),
        _unit("W", kg=1, m=2, s=-3),
        _unit("kW", 1e3, kg=1, m=2, s=-3),
        _unit("J", kg=1, m=2, s=-2),
        _unit("Wh", 3600.0, kg=1, m=2, s=-2),
        _unit("kWh", 3.6e6, kg=1, m=2, s=-2),
        _unit("Ohm", kg=1, m=2, s=-3, A=-2),
        _unit("F", kg=-1, m=-2, s=4, A=2),
        _unit("N", kg=1, m=1, s=-2),
        _unit("Pa", kg=1, m=-1, s=-2),
        _unit("m/s", m=1, s=-1),
        _unit("km/h", 1.0 / 3.6, m=1, s=-1),
        _unit("m/s2", m=1, s=-2),
        _unit("kg/s", kg=1, s=-1),
        _unit("m3/s", m=3, s=-1),
        _unit("W/K", kg=1, m=2, s=-3, K=-1),
        _unit("W/(m2.K)", kg=1, s=-3, K=-1),
        _unit("J/K", kg=1, m=2, s=-2, K=-1),
        _unit("J/(kg.K)", m=2, s=-2, K=-1),
        _unit("V/K", kg=1, m=2, s=-3, A=-1, K=-1),
        _unit("N.s/m", kg=1, s=-1),
        _unit("N.s2/m2", kg=1, m=-1),
        _unit("N/m", kg=1, s=-2),
        _unit("kg/m3", kg=1, m=-3),
        _unit("mol", mol=1),
        _unit("mol/m2", mol=1, m=-2),
        _unit("mol/m3", mol=1, m=-3),
        _unit("mol/(m2.s)", mol=1, m=-2, s=-1),
        _unit("mol/(m3.s)", mol=1, m=-3, s=-1),
        _unit("m3/mol", m=3, mol=-1),
        _unit("kg/mol", kg=1, mol=-1),
        _unit("J/mol", kg=1, m=2, s=-2, mol=-1),
        _unit("J/m3", kg=1, m=-1, s=-2),
        _unit("C/m3", A=1, s=1, m=-3),
        _unit("A/m2", A=1, m=-2),
        _unit("A/m3", A=1, m=-3),
        _unit("S", kg=-1, m=-2, s=3, A=2),
        _unit("S/m", kg=-1, m=-3, s=3, A=2),
        _unit("Ohm.m", kg=1, m=3, s=-3, A=-2),
        _unit("Ohm.m2", kg=1, m=4, s=-3, A=-2),
        _unit("F/m2", kg=-1, m=-4, s=4, A=2),
        _unit("A/s", A=1, s=-1),
        _unit("V/s", kg=1, m=2, s=-4, A=-1),
        _unit("V/m", kg=1, m=1, s=-3, A=-1),
        _unit("W/m2", kg=1, s=-3),
        _unit("W/m3", kg=1, m=-1, s=-3),
        _unit("W/(m.K)", kg=1, m=1, s=-3, K=-1),
        _unit("J/(m3.K)", kg=1, m=-1, s=-2, K=-1),
        _unit("K/s", K=1, s=-1),
        _unit("m2/s", m=2, s=-1),
        _unit("1/s", s=-1),
        _unit("1/m", m=-1),
        _unit("1/K", K=-1),
        _unit("1/V", kg=-1, m=-2, s=3, A=1),
        _unit("rad", rad=1),
    )
}

# The longest matching suffix wins; a name without one is a pure number.
_SUFFIXES: dict[str, str] = {
    "_W_per_m2K": "W/(m2.K)",
    "_W_per_K": "W/K",
    "_J_per_K": "J/K",
    "_J_per_kgK": "J/(kg.K)",
    "_V_per_K": "V/K",
    "_m_per_s2": "m/s2",
    "_m_per_s": "m/s",
    "_m3_per_s": "m3/s",
    "_kg_per_s": "kg/s",
    "_kg_per_m3": "kg/m3",
    "_N_per_m": "N/m",
    "_Ns_per_m": "N.s/m",
    "_Ns2_per_m2": "N.s2/m2",
    "_mol_per_m2": "mol/m2",
    "_mol_per_m3": "mol/m3",
    "_mol_per_m2s": "mol/(m2.s)",
    "_mol_per_m3s": "mol/(m3.s)",
    "_m3_per_mol": "m3/mol",
    "_kg_per_mol": "kg/mol",
    "_J_per_mol": "J/mol",
    "_J_per_m3": "J/m3",
    "_C_per_m3": "C/m3",
    "_A_per_m2": "A/m2",
    "_A_per_m3": "A/m3",
    "_S_per_m": "S/m",
    "_Ohmm": "Ohm.m",
    "_Ohmm2": "Ohm.m2",
    "_F_per_m2": "F/m2",
    "_A_per_s": "A/s",
    "_V_per_s": "V/s",
    "_V_per_m": "V/m",
    "_W_per_m2": "W/m2",
    "_W_per_m3": "W/m3",
    "_W_per_mK": "W/(m.K)",
    "_J_per_m3K": "J/(m3.K)",
    "_K_per_s": "K/s",
    "_m2_per_s": "m2/s",
    "_per_s": "1/s",
    "_per_m": "1/m",
    "_per_K": "1/K",
    "_per_V": "1/V",
    "_degC": "degC",
    "_Ohm": "Ohm",
    "_mol": "mol",
    "_S": "S",
    "_Ah": "Ah",
    "_Wh": "Wh",
    "_Pa": "Pa",
    "_rad": "rad",
    "_m2": "m2",
    "_m3": "m3",
    "_kg": "kg",
    "_s": "s",
    "_m": "m",
    "_K": "K",
    "_A": "A",
    "_V": "V",
    "_W": "W",
    "_J": "J",
    "_F": "F",
    "_N": "N",
}


def unit_of_name(name: str) -> str:
    """Return the unit a variable's name promises by its suffix; `1` if none."""
    stem = name.partition("[")[0]
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if stem.endswith(suffix):
            return _SUFFIXES[suffix]
    return "1"


def convert(value: float, source: str, target: str) -> float:
    """Convert `value` from unit `source` to unit `target`, offsets included."""
    for name in (source, target):
        if name not in UNITS:
            msg = f"Unknown unit `{name}`; known are {', '.join(sorted(UNITS))}."
            raise InterfaceError(msg)
    a, b = UNITS[source], UNITS[target]
    if not a.is_convertible_to(b):
        msg = f"Cannot convert `{source}` to `{target}`: different quantities."
        raise InterfaceError(msg)
    return (value * a.factor + a.offset - b.offset) / b.factor
