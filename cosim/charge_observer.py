"""`ChargeObserver`: a controller's own copy of the cell, kept near the measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeConditions
from packtwin.cosim.charge_prediction import CellPrediction
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import nearest_names

__all__ = ["ChargeMeasurement", "ChargeObserver", "ObserverGains", "ObserverState"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeMeasurement:
    """What is measured of the worst cell; the current is the mean since the last."""

    current_A: float
    soc: float
    temperature_K: float
    voltage_V: float
    plating_potential_V: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverGains:
    """How fast the copy follows the measurements, as rates in 1/s.

    Attributes:
        soc_per_s: Of the state of charge.
        temperature_per_s: Of the temperature.
        bias_per_s: Of the output biases. A bias only ever tightens: a voltage above,
            or a plating potential below, the modelled one.
    """

    soc_per_s: float = 0.01
    temperature_per_s: float = 0.05
    bias_per_s: float = 0.05


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverState:
    """Estimated memory of the cell and biases of its outputs; never changed."""

    memory: Vector
    voltage_bias_V: float = 0.0
    plating_bias_V: float = 0.0


@final
class ChargeObserver:
    """Simulates the cell and shifts it along its rest states to the measurements.

    The correction of a difference in `soc` moves the memory by
    `d initialize / d start_soc`, which changes every stoichiometry by its share and
    leaves the diffusion modes alone; `temperature_K` likewise.
    """

    def __init__(self, prediction: CellPrediction, gains: ObserverGains) -> None:
        """Prepare the directions of the corrections."""
        self._prediction, self._gains = prediction, gains
        names = prediction.cell.interface.parameter_names
        for name in ("start_soc", "start_temperature_K"):
            if name not in names:
                msg = (
                    f"Cell `{prediction.cell.name}` has no parameter `{name}` to start "
                    f"an observer with; nearest: {nearest_names(name, names)}."
                )
                raise InterfaceError(msg)
        self._at = (names.index("start_soc"), names.index("start_temperature_K"))
        initialize = prediction.cell.initialize
        u, p = ca.MX.sym("u", initialize.numel_in(0)), ca.MX.sym("p", len(names))
        start = initialize(u, p)[0]
        slopes = ca.jacobian(start, p)[:, list(self._at)]
        self._rest = ca.Function("rest", [u, p], [start, ca.densify(slopes)])

    def start(
        self, soc: float, temperature_K: float, conditions: ChargeConditions
    ) -> ObserverState:
        """Return the estimate of a cell at rest."""
        memory, _ = self._at_rest(soc, temperature_K, conditions)
        return ObserverState(memory=memory)

    def follow(
        self,
        state: ObserverState,
        elapsed_s: float,
        measured: ChargeMeasurement,
        conditions: ChargeConditions,
        *,
        is_charging: bool,
    ) -> ObserverState:
        """Simulate the time since the last measurement, then correct."""
        predict, gains = self._prediction, self._gains
        u = predict.inputs(measured.current_A, conditions)
        memory, y, status = predict.cell.advance(
            state.memory, 0.0, elapsed_s, u, predict.parameters
        )
        if status is not StepStatus.OK:
            msg = (
                f"The observer of cell `{predict.cell.name}` refused a step of "
                f"{elapsed_s} s at {measured.current_A} A: not finite; check the "
                "measured current and the cell's domain."
            )
            raise StepError(msg)
        values = dict(zip(predict.cell.interface.output_names, y, strict=True))
        _, slopes = self._at_rest(values["soc"], values["temperature_K"], conditions)
        differences = np.array(
            [
                _share(gains.soc_per_s, elapsed_s) * (measured.soc - values["soc"]),
                _share(gains.temperature_per_s, elapsed_s)
                * (measured.temperature_K - values["temperature_K"]),
            ]
        )
        corrected = memory + slopes @ differences
        if not is_charging:
            return ObserverState(memory=corrected)
        share = _share(gains.bias_per_s, elapsed_s)
        above_V = max(0.0, measured.voltage_V - values["voltage_V"])
        below_V = min(0.0, measured.plating_potential_V - values["plating_potential_V"])
        return replace(
            state,
            memory=corrected,
            voltage_bias_V=(1.0 - share) * state.voltage_bias_V + share * above_V,
            plating_bias_V=(1.0 - share) * state.plating_bias_V + share * below_V,
        )

    def _at_rest(
        self, soc: float, temperature_K: float, conditions: ChargeConditions
    ) -> tuple[Vector, Vector]:
        p = self._prediction.parameters.copy()
        p[list(self._at)] = soc, temperature_K
        memory, slopes = self._rest(self._prediction.inputs(0.0, conditions), p)
        return memory.full().reshape(-1), slopes.full()


def _share(rate_per_s: float, elapsed_s: float) -> float:
    """Return the share of a difference that a first-order lag closes."""
    return -math.expm1(-rate_per_s * elapsed_s)
