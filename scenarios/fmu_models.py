"""The models that packtwin exports by name, with what their documentation says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

from packtwin.cosim.cooling_rules import CoolingRulesConfig, cooling_controller
from packtwin.fmu.export import Account, Experiment
from packtwin.pybamm_models.cells import DEFAULT_CELL, find_cell
from packtwin.pybamm_models.physics_definition import Family
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.fmu_model import FmuModel
from packtwin.scenarios.fmu_physics import (
    CURRENT,
    physics_fmu,
    switched_fmu,
    training_notice,
)
from packtwin.twin.bound_monitor import BoundMonitorConfig, bound_monitor
from packtwin.twin.cooling import CoolingParameters, cooling_step_map
from packtwin.twin.errors import ScenarioError
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.surrogate_model import LONGEST_STEP_S, cell_model, cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec
from packtwin.twin.variable import nearest_names
from packtwin.twin.vehicle import load_vehicle, vehicle_step_map

__all__ = [
    "DEFAULT_SURROGATE",
    "FMU_MODELS",
    "bound_monitor_fmu",
    "cell_fmu",
    "cooling_controller_fmu",
    "cooling_fmu",
    "find_fmu_model",
    "is_fmu_model",
    "pack_fmu",
    "vehicle_fmu",
]

DEFAULT_SURROGATE, _DEFAULT_VEHICLE = DEFAULT_CELL, "tesla_model_3_rwd_epa"
_Name: TypeAlias = Literal[
    "cell",
    "switched",
    "pack",
    "vehicle",
    "cooling",
    "cooling_controller",
    "bound_monitor",
]
_FAMILIES: dict[str, Family] = {name.lower(): name for name in get_args(Family)}
FMU_MODELS = (*get_args(_Name), *(f"{name}:CELL" for name in _FAMILIES))
"""What `packtwin export` knows; besides, the path of a surrogate (.npz)."""


def is_fmu_model(text: str) -> bool:
    """Whether `text` names a model, and not a scenario."""
    return (
        text in get_args(_Name)
        or text.endswith(".npz")
        or text.partition(":")[0].lower() in _FAMILIES
    )


def find_fmu_model(text: str, *, points: int | None = None) -> FmuModel:
    """Return the model of a name.

    Args:
        text: One of `FMU_MODELS`, or the path of a surrogate.
        points: Points in each domain, for physics; the cell's own mesh by default.

    Raises:
        ScenarioError: There is no such model; the nearest are named.
    """
    family, has_cell, cell = text.partition(":")
    if text.endswith(".npz"):
        return cell_fmu(load_spec(find_path("surrogate", text)))
    if has_cell and family.lower() in _FAMILIES:
        return physics_fmu(_FAMILIES[family.lower()], cell, points=points)
    if points is not None:
        msg = f"`{text}` has no mesh; leave out `--points`."
        raise ScenarioError(msg)
    makers: dict[str, Callable[[], FmuModel]] = {
        "cell": lambda: cell_fmu(_shipped()),
        "switched": lambda: switched_fmu(_shipped(), find_cell(DEFAULT_CELL)),
        "pack": lambda: pack_fmu(_shipped()),
        "vehicle": vehicle_fmu,
        "cooling": cooling_fmu,
        "cooling_controller": cooling_controller_fmu,
        "bound_monitor": bound_monitor_fmu,
    }
    if text not in makers:
        msg = (
            f"No model `{text}`; nearest: {nearest_names(text, FMU_MODELS)}. Known are "
            f"{', '.join(f'`{name}`' for name in FMU_MODELS)} and surrogate files "
            "(.npz); CELL is a cell, a PyBaMM parameter set or a BPX file."
        )
        raise ScenarioError(msg)
    return makers[text]()


def cell_fmu(spec: SurrogateSpec) -> FmuModel:
    """Return one cell of a trained surrogate."""
    return FmuModel(
        subject=replace(cell_step_map(spec), equations=cell_model(spec)),
        account=Account(
            description=f"Cell `{spec.name}`: particle core with learned closures.",
            equations=(
                "Lithium in one representative particle of each electrode diffuses "
                "through graded shells; relaxing modes and small networks give the "
                "overpotential, the heat and the plating potential. Charge and heat "
                "balances close to rounding.",
                f"Steps longer than {LONGEST_STEP_S:g} s are cut into equal ones.",
            ),
            limits=(
                "Outside the certified domain the bounds do not hold; "
                "`domain_distance` above 1 says so.",
                "It does not age.",
            ),
            notice=training_notice(spec),
            certificate=spec.certificate,
        ),
        experiment=CURRENT,
    )


def pack_fmu(spec: SurrogateSpec, layout: PackLayout | None = None) -> FmuModel:
    """Return a pack of a trained surrogate."""
    layout = layout or PackLayout()
    cell = cell_fmu(spec).account
    size = f"{layout.n_series}s{layout.n_parallel}p"
    return FmuModel(
        subject=pack_step_map(spec, layout),
        account=replace(
            cell,
            description=f"{size} pack of cell `{spec.name}`.",
            equations=(
                "Three cells stand for all: the mean one, the weakest and the hottest; "
                "V_pack = (n_series - 2) V_mean + V_weak + V_hot - R_interconnect I.",
                "Current, power or voltage may be requested (control_mode 0, 1, 2); "
                "the current that meets it at the end of the step is found inside the "
                "step and clipped to the limits of rate and voltage.",
                *cell.equations,
            ),
            limits=(
                "Cells in parallel are taken as equal.",
                "Outside the certified domain the bounds do not hold; `is_in_domain` "
                "says so.",
                "It does not age.",
            ),
        ),
        experiment=Experiment(spans={"power_request_W": (-20e3, 20e3)}),
    )


def vehicle_fmu(name: str = _DEFAULT_VEHICLE) -> FmuModel:
    """Return a vehicle, shipped or of a file."""
    return FmuModel(
        subject=vehicle_step_map(load_vehicle(find_path("vehicle", name))),
        account=Account(
            description=f"Vehicle `{name}`: from a speed to the pack's power.",
            equations=(
                "Road load F = A + B v + C v^2 plus inertia, a drive train with a "
                "motor efficiency map, regenerative braking that fades out towards "
                "standstill, friction brakes for the rest, and auxiliaries "
                "(after FASTSim, doi:10.4271/2015-01-0973).",
                "power_request = wheel + friction_brake + motor_loss + auxiliary + "
                "cooling - unmet, to rounding in every step.",
            ),
            limits=("It follows the speed it is given; there is no driver.",),
        ),
        experiment=Experiment(spans={"speed_m_per_s": (0.0, 30.0)}),
    )


def cooling_fmu(parameters: CoolingParameters | None = None) -> FmuModel:
    """Return the thermal system."""
    return FmuModel(
        subject=cooling_step_map(parameters or CoolingParameters()),
        account=Account(
            description="Battery coolant loop: pump, plate, radiator, chiller and "
            "heater.",
            equations=(
                "Two coolant nodes, the cold plate and the rest of the loop. Their "
                "energy changes by heat_cell_to_coolant + heater_power + pump_power "
                "- heat_coolant_to_ambient - heat_coolant_to_refrigerant, to rounding "
                "in every step.",
            ),
            limits=("The coolant does not freeze or boil.",),
        ),
        experiment=Experiment(
            spans={
                "heat_cell_to_coolant_W": (0.0, 3e3),
                "pump_command": (0.0, 1.0),
                "chiller_command": (0.0, 1.0),
            }
        ),
    )


def cooling_controller_fmu(config: CoolingRulesConfig | None = None) -> FmuModel:
    """Return the rules that command the thermal system, sampled."""
    return FmuModel(
        subject=cooling_controller(config),
        account=Account(
            description="Thermal management of a battery: rules for pump, fan, chiller "
            "and heater.",
            equations=(
                "At each sample, switches with hysteresis on the hottest and the "
                "coldest cell, and commands in proportion to how far these are beyond "
                "their thresholds. Between samples all outputs are held.",
            ),
            limits=("The first sample is at the start of the first step.",),
        ),
        experiment=Experiment(
            spans={
                "temperature_max_K": (290.0, 318.0),
                "temperature_min_K": (265.0, 298.0),
                "coolant_temperature_K": (275.0, 320.0),
                "ambient_temperature_K": (260.0, 305.0),
                "is_charging": (0.0, 1.0),
            }
        ),
    )


def bound_monitor_fmu(config: BoundMonitorConfig | None = None) -> FmuModel:
    """Return what widens a cell's bounds where its measured voltage contradicts it."""
    return FmuModel(
        subject=bound_monitor(config),
        account=Account(
            description="Factors for a surrogate's error bounds from measured voltage.",
            equations=(
                "At each sample the logarithm of a factor rises by rate * level where "
                "the error is outside the widened bound, and falls by rate * (1 - "
                "level) where it is inside, but not below 0 (quantile tracking, "
                "doi:10.48550/arXiv.2307.16895).",
            ),
            limits=(
                "The voltage's share inside holds over long runs, whatever the cell; "
                "the plating potential's gain was fitted to cells with parameters "
                "within 5 %.",
            ),
        ),
        experiment=Experiment(
            spans={
                "voltage_V": (3.6, 3.61),
                "voltage_bound_V": (0.002, 0.01),
                "measured_voltage_V": (3.6, 3.62),
            }
        ),
    )


def _shipped() -> SurrogateSpec:
    return load_spec(find_path("surrogate", DEFAULT_SURROGATE))
