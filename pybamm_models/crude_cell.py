"""A crude cell: open-circuit voltage, two resistances and one temperature.

It bounds the currents that `excitation` designs.
"""

from __future__ import annotations

from typing import final

import numpy as np

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.facts import CellFacts

__all__ = ["CrudeCell"]

_SLOW_S = 200.0
_FAST_OHM, _SLOW_OHM, _OHM_OF_Ah = 0.026, 0.022, 5.0  # of a cell of that size
_ACTIVATION_K = 2500.0
_HOT_K, _HOTTEST_K = 316.0, 330.0


@final
class CrudeCell:
    """A cell's state of charge and temperature along a current being designed."""

    def __init__(
        self, cell: Cell, facts: CellFacts, soc: float, temperature_K: float
    ) -> None:
        self._cell, self._facts = cell, facts
        self.soc, self.temperature_K, self._slow_V = soc, temperature_K, 0.0

    def _resistances(self) -> tuple[float, float]:
        factor = float(np.exp(_ACTIVATION_K * (1 / self.temperature_K - 1 / 298.15)))
        factor *= _OHM_OF_Ah / self.nominal_capacity_Ah
        return _FAST_OHM * factor, _SLOW_OHM * factor

    @property
    def nominal_capacity_Ah(self) -> float:
        """Capacity that C-rates refer to."""
        return self._cell.nominal_capacity_Ah

    @property
    def current_max_A(self) -> float:
        """Largest current of the cell."""
        return self._cell.current_max_c_rate * self.nominal_capacity_Ah

    def limit_A(self, sign: int, duration_s: float) -> float:
        """Largest magnitude the cell bears in direction `sign` (+1 discharges)."""
        one_c_A = self._cell.nominal_capacity_Ah
        current_A = sign * np.linspace(0.0, self._cell.current_max_c_rate, 61) * one_c_A
        heat = (_HOTTEST_K - self.temperature_K) / (_HOTTEST_K - _HOT_K)
        cap_A = one_c_A * (0.3 + 2.7 * min(1.0, max(0.0, heat)))
        span_s = max(duration_s, 30.0)
        soc = self.soc - current_A * span_s / 3600.0 / self._facts.capacity_Ah
        fast, slow = self._resistances()
        decay = np.exp(-span_s / _SLOW_S)
        slow_V = self._slow_V * decay + current_A * slow * (1.0 - decay)
        voltage_V = self._facts.ocv_V(np.clip(soc, 0, 1)) - current_A * fast - slow_V
        if sign > 0:
            is_borne = (voltage_V >= self._cell.voltage_min_V + 0.1) & (soc >= 0.03)
        else:
            is_borne = (voltage_V <= self._cell.voltage_max_V) & (soc <= 0.98)
        is_borne &= np.abs(current_A) <= cap_A
        first_bad = int(np.argmin(is_borne)) if not is_borne.all() else len(is_borne)
        return float(abs(current_A[max(first_bad - 1, 0)]))

    def advance(
        self, current_A: float, duration_s: float, coolant_K: float, h: float
    ) -> None:
        """Move on by one level."""
        fast, slow = self._resistances()
        decay = float(np.exp(-duration_s / _SLOW_S))
        self._slow_V = self._slow_V * decay + current_A * slow * (1.0 - decay)
        self.soc -= current_A * duration_s / 3600.0 / self._facts.capacity_Ah
        loss_W = current_A**2 * (fast + 0.5 * slow)
        conductance = h * self._facts.cooling_area_m2
        rest = float(
            np.exp(-conductance / self._facts.heat_capacity_J_per_K * duration_s)
        )
        final_K = coolant_K + loss_W / conductance
        self.temperature_K = final_K + (self.temperature_K - final_K) * rest
