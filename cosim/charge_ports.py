"""The ports of a charger, so that CC-CV and MPC can replace each other.

All values are those of the whole pack; `current_A > 0` discharges it.
"""

from __future__ import annotations

from enum import IntEnum

from packtwin.cosim.charge_limits import ChargePlan
from packtwin.twin.variable import Variable

__all__ = [
    "CHARGER_INPUTS",
    "CHARGER_OUTPUTS",
    "PLAN_OUTPUTS",
    "ControlMode",
    "charge_command",
    "plan_outputs",
]


class ControlMode(IntEnum):
    """Which of its requests a pack follows."""

    CURRENT = 0
    POWER = 1
    VOLTAGE = 2


CHARGER_INPUTS: tuple[Variable, ...] = (
    Variable(
        name="is_driving",
        description="1 while the vehicle is in use and not plugged in, else 0.",
        maximum=1.0,
        minimum=0.0,
        variability="discrete",
    ),
    Variable(name="current_A", description="Pack current, mean over the last step."),
    Variable(name="voltage_V", description="Pack voltage.", nominal=400.0),
    Variable(name="soc", description="State of charge of the pack.", start=0.5),
    Variable(name="cell_voltage_max_V", description="Highest cell voltage."),
    Variable(
        name="temperature_min_K",
        description="Coldest cell.",
        start=298.15,
        nominal=300.0,
    ),
    Variable(
        name="temperature_max_K",
        description="Hottest cell.",
        start=298.15,
        nominal=300.0,
    ),
    Variable(
        name="plating_potential_min_V",
        description="Lowest plating potential of all cells.",
        start=0.1,
    ),
    Variable(
        name="coolant_temperature_K",
        description="Coolant at the plate.",
        start=298.15,
        nominal=300.0,
    ),
    Variable(
        name="heat_transfer_coefficient_W_per_m2K",
        description="From cell surface to coolant.",
        start=100.0,
        nominal=100.0,
    ),
)

CHARGER_OUTPUTS: tuple[Variable, ...] = (
    Variable(
        name="control_mode",
        description="Which request the pack follows: 0 current, 1 power, 2 voltage.",
        start=1.0,
        variability="discrete",
    ),
    Variable(name="current_request_A", description="Pack current, < 0 charges."),
    Variable(name="voltage_request_V", description="Pack voltage.", nominal=400.0),
    Variable(
        name="is_charging",
        description="1 while the charger works, else 0.",
        maximum=1.0,
        minimum=0.0,
        variability="discrete",
    ),
)


PLAN_OUTPUTS: tuple[Variable, ...] = (
    Variable(name="solve_time_s", description="Wall-clock time of the last plan."),
    Variable(name="iteration_count", description="Quadratic programs of the plan."),
    Variable(
        name="is_feasible", description="1 if the plan keeps its limits.", start=1.0
    ),
    Variable(name="is_fallback", description="1 if the solver failed."),
    Variable(name="slack_V", description="Largest voltage or plating violation."),
    Variable(name="slack_K", description="Largest temperature violation."),
    Variable(name="predicted_soc", description="At the end of the horizon."),
    Variable(name="predicted_voltage_max_V", description="Of a cell, over the plan."),
    Variable(name="predicted_temperature_max_K", description="Over the plan."),
    Variable(name="predicted_plating_potential_min_V", description="Over the plan."),
)


def charge_command(
    mode: ControlMode,
    *,
    current_A: float = 0.0,
    voltage_V: float = 0.0,
    is_charging: bool = False,
) -> dict[str, float]:
    """Return the output values of a charger by name."""
    return {
        "control_mode": float(mode),
        "current_request_A": current_A,
        "voltage_request_V": voltage_V,
        "is_charging": float(is_charging),
    }


def plan_outputs(plan: ChargePlan | None) -> dict[str, float]:
    """Return the values of `PLAN_OUTPUTS`; zeros (but feasible) without a plan."""
    if plan is None:
        return {variable.name: variable.start for variable in PLAN_OUTPUTS}
    return {
        "solve_time_s": plan.solve_time_s,
        "iteration_count": float(plan.iteration_count),
        "is_feasible": float(plan.is_feasible),
        "is_fallback": float(plan.is_fallback),
        "slack_V": plan.violation.potential_V,
        "slack_K": plan.violation.temperature_K,
        "predicted_soc": float(plan.soc[-1]),
        "predicted_voltage_max_V": float(plan.voltage_V.max()),
        "predicted_temperature_max_K": float(plan.temperature_K.max()),
        "predicted_plating_potential_min_V": float(plan.plating_potential_V.min()),
    }
