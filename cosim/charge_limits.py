"""What fast charging must respect, what surrounds the cell, and what a plan is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError

__all__ = ["ChargeConditions", "ChargeLimits", "ChargePlan", "Violation"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """By how much a plan misses each tightened limit; all >= 0, 0 when kept."""

    voltage_V: float = 0.0
    temperature_K: float = 0.0
    plating_V: float = 0.0

    @property
    def potential_V(self) -> float:
        """The larger of the two violations in volts."""
        return float(np.maximum(self.voltage_V, self.plating_V))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLimits:
    """Limits of one cell while charging, with the margins that tighten them.

    A margin covers what the model does not know: its certified error, and how much
    weaker or hotter than the modelled cell the worst cell of a pack may be.

    Attributes:
        maximum_charge_current_A: Largest charging current, > 0.
        maximum_voltage_V: Largest cell voltage.
        maximum_temperature_K: Largest cell temperature.
        minimum_plating_potential_V: Lithium plates below this potential, 0 V by theory.
        voltage_margin_V: Kept below the largest voltage.
        temperature_margin_K: Kept below the largest temperature.
        plating_margin_V: Kept above the plating potential; at least the bound that the
            surrogate's certificate states.
        maximum_slew_A_per_s: Largest change of the current per second of an interval.
        voltage_tolerance_V: A limit counts as kept within it.
        temperature_tolerance_K: Likewise.
    """

    maximum_charge_current_A: float
    maximum_voltage_V: float
    maximum_temperature_K: float
    minimum_plating_potential_V: float = 0.0
    voltage_margin_V: float = 0.0
    temperature_margin_K: float = 0.0
    plating_margin_V: float = 0.0
    maximum_slew_A_per_s: float = math.inf
    voltage_tolerance_V: float = 1e-3
    temperature_tolerance_K: float = 0.1

    def __post_init__(self) -> None:
        """Refuse margins that loosen and currents that do not charge."""
        for name in ("voltage_margin_V", "temperature_margin_K", "plating_margin_V"):
            if not getattr(self, name) >= 0.0:
                msg = f"`{name}` is {getattr(self, name)}, expected 0 or more."
                raise InterfaceError(msg)
        for name in ("maximum_charge_current_A", "maximum_slew_A_per_s"):
            if not getattr(self, name) > 0.0:
                msg = f"`{name}` is {getattr(self, name)}, expected more than 0."
                raise InterfaceError(msg)

    @property
    def voltage_bound_V(self) -> float:
        """The largest voltage less its margin."""
        return self.maximum_voltage_V - self.voltage_margin_V

    @property
    def temperature_bound_K(self) -> float:
        """The largest temperature less its margin."""
        return self.maximum_temperature_K - self.temperature_margin_K

    @property
    def plating_bound_V(self) -> float:
        """The smallest plating potential plus its margin."""
        return self.minimum_plating_potential_V + self.plating_margin_V

    def is_kept(self, violation: Violation) -> bool:
        """Whether violations are within the tolerances; a NaN is not."""
        return (
            violation.potential_V <= self.voltage_tolerance_V
            and violation.temperature_K <= self.temperature_tolerance_K
        )

    def violation(
        self, voltage_V: Vector, temperature_K: Vector, plating_V: Vector
    ) -> Violation:
        """Return the largest violations of trajectories."""
        misses = (
            voltage_V - self.voltage_bound_V,
            temperature_K - self.temperature_bound_K,
            self.plating_bound_V - plating_V,
        )
        worst = [float(np.maximum(0.0, miss.max())) for miss in misses]
        return Violation(voltage_V=worst[0], temperature_K=worst[1], plating_V=worst[2])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeConditions:
    """What surrounds the cell while it is charged, constant over a plan.

    Attributes:
        coolant_temperature_K: Coolant temperature.
        heat_transfer_coefficient_W_per_m2K: From the cell surface to the coolant.
        voltage_bias_V: Measured less modelled cell voltage, added to predictions.
        plating_bias_V: Measured less modelled plating potential, likewise.
    """

    coolant_temperature_K: float
    heat_transfer_coefficient_W_per_m2K: float
    voltage_bias_V: float = 0.0
    plating_bias_V: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePlan:
    """A current per interval and what the model says it leads to, per cell.

    Attributes:
        time_s: Ends of the intervals from now.
        current_A: Current held in each interval, <= 0.
        soc: At the ends.
        voltage_V: The larger of start and end of each interval.
        temperature_K: At the ends.
        plating_potential_V: The smaller of start and end of each interval.
        violation: Of the tightened limits.
        is_feasible: Whether the limits are kept within the tolerances.
        is_fallback: Whether the solver failed and this is a shortened earlier plan.
        iteration_count: Quadratic programs solved.
        solve_time_s: Wall-clock time.
    """

    time_s: Vector
    current_A: Vector
    soc: Vector
    voltage_V: Vector
    temperature_K: Vector
    plating_potential_V: Vector
    violation: Violation
    is_feasible: bool
    is_fallback: bool
    iteration_count: int
    solve_time_s: float

    def current_from(self, elapsed_s: float) -> Vector:
        """Return the plan seen `elapsed_s` later, its last current held on."""
        starts = np.concatenate(([0.0], self.time_s[:-1]))
        middles = 0.5 * (starts + self.time_s) + elapsed_s
        index = np.searchsorted(self.time_s, middles, side="right")
        return self.current_A[np.minimum(index, len(self.current_A) - 1)]
