"""The held-out set that certifies a surrogate: drive cycles and constant currents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.request import Request

__all__ = ["Evaluation", "evaluation_requests"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Temperatures (start and coolant), rates and start SOC of the held-out set.

    Charges at `fast_charge_rates` start at `fast_charge_above_K` and warmer only.
    """

    temperatures_K: tuple[float, ...] = (263.15, 278.15, 293.15, 308.15, 318.15)
    c_rates: tuple[float, ...] = (0.3, 0.7, 1.0, 1.4, 2.0)
    fast_charge_rates: tuple[float, ...] = (3.0,)
    fast_charge_above_K: float = 288.15
    heat_transfer_coefficient_W_per_m2_K: float = 30.0
    discharge_start_soc: float = 0.9
    charge_start_soc: float = 0.1
    constant_duration_s: int = 3600


def evaluation_requests(
    cell: Cell,
    cycles: Mapping[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    evaluation: Evaluation | None = None,
) -> tuple[Request, ...]:
    """Return every cycle and every constant current at every temperature.

    `cycles` maps a name to (time_s from 0 on whole seconds, cell current_A). Constant
    currents are reached within the first second; discharges and cycles start at
    `discharge_start_soc`.
    """
    plan = evaluation or Evaluation()
    requests: list[Request] = []
    for temperature_K in plan.temperatures_K:
        place = f"{temperature_K - 273.15:+.0f}degC"
        for name, (time_s, current_A) in cycles.items():
            knots = (np.asarray(time_s, float), np.asarray(current_A, float))
            requests.append(
                _request(
                    plan,
                    f"cycle_{name}_{place}",
                    "cycle",
                    knots,
                    temperature_K,
                    plan.discharge_start_soc,
                )
            )
        requests += _constant_currents(cell, plan, place, temperature_K)
    return tuple(requests)


def _constant_currents(
    cell: Cell, plan: Evaluation, place: str, temperature_K: float
) -> Sequence[Request]:
    time_s = np.array([0.0, 1.0, float(plan.constant_duration_s)])
    requests = []
    is_warm = temperature_K >= plan.fast_charge_above_K
    fast = plan.fast_charge_rates if is_warm else ()
    discharge = (1.0, "discharge", plan.discharge_start_soc)
    charge = (-1.0, "charge", plan.charge_start_soc)
    for c_rate in (*plan.c_rates, *fast):
        for sign, word, soc in (charge,) if c_rate in fast else (discharge, charge):
            level_A = sign * c_rate * cell.nominal_capacity_Ah
            knots = (time_s, np.array([0.0, level_A, level_A]))
            requests.append(
                _request(
                    plan,
                    f"constant_{word}_{c_rate:g}C_{place}",
                    f"constant_{word}",
                    knots,
                    temperature_K,
                    soc,
                )
            )
    return requests


def _request(
    plan: Evaluation,
    name: str,
    kind: str,
    knots: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    temperature_K: float,
    start_soc: float,
) -> Request:
    time_s, current_A = knots
    return Request(
        name=name,
        kind=kind,
        time_s=time_s,
        current_A=current_A,
        start_soc=start_soc,
        start_temperature_K=temperature_K,
        coolant_temperature_K=np.full(time_s.shape, temperature_K),
        heat_transfer_coefficient_W_per_m2_K=plan.heat_transfer_coefficient_W_per_m2_K,
    )
