"""The loads on which two meshes are compared: charges, a discharge, pulses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["CHARGES", "LOADS", "OTHERS", "Load", "charge"]

# Level (C, positive discharges) and seconds until the next one.
_PULSES = (
    *((1.5, 10), (0.0, 15), (-0.8, 8), (0.4, 40), (2.0, 6), (-1.0, 12), (0.0, 30)),
    *((0.9, 60), (-0.5, 5), (1.2, 20), (0.1, 45), (1.8, 12), (-1.2, 6), (0.6, 80)),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A current at a held temperature, until the window's voltage limit.

    `c_rate` (positive discharges) is piecewise linear on the knots `time_s`, which are
    whole seconds from 0. Where the limit is met, the last `knee_fraction` of the time
    is judged by the end time alone: at a knee a small shift in time is a large
    difference in voltage.
    """

    name: str
    temperature_K: float
    start_soc: float
    time_s: tuple[float, ...]
    c_rate: tuple[float, ...]
    knee_fraction: float = 0.005

    @property
    def largest_c_rate(self) -> float:
        """The rate of largest magnitude."""
        return max(self.c_rate, key=abs)


def charge(c_rate: float, temperature_K: float) -> Load:
    """Return a constant-current charge from SOC 0.1."""
    return _constant("charge", -c_rate, temperature_K, 0.1)


def _constant(kind: str, c_rate: float, temperature_K: float, start_soc: float) -> Load:
    end_s = float(np.ceil(1.3 * 3600.0 / abs(c_rate)))
    return Load(
        name=f"{kind} {abs(c_rate):g}C {temperature_K - 273.15:.3g} °C",
        temperature_K=temperature_K,
        start_soc=start_soc,
        time_s=(0.0, 1.0, end_s),
        c_rate=(0.0, c_rate, c_rate),
        knee_fraction=0.05 if c_rate > 0.0 else 0.005,
    )


def _pulses(temperature_K: float, start_soc: float) -> Load:
    time_s, c_rate = [0.0], [0.0]
    for level, duration_s in _PULSES:
        time_s += [time_s[-1] + 1.0, time_s[-1] + float(duration_s)]
        c_rate += [level, level]
    return Load(
        name=f"pulses {temperature_K - 273.15:.3g} °C",
        temperature_K=temperature_K,
        start_soc=start_soc,
        time_s=tuple(time_s),
        c_rate=tuple(c_rate),
    )


CHARGES = (
    charge(0.6, 298.15),
    charge(1.0, 298.15),
    charge(2.0, 298.15),
    charge(0.5, 273.15),
    charge(2.0, 318.15),
)
OTHERS = (_constant("discharge", 2.0, 298.15, 0.9), _pulses(283.15, 0.6))
LOADS = (*CHARGES, *OTHERS)
