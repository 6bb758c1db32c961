"""The models that packtwin exports by name, with what their documentation says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias, final, get_args

from packtwin.fmu.export import Account, Experiment, export_fmu
from packtwin.pybamm_models.cells import CELLS, DEFAULT_CELL, Mesh, find_cell
from packtwin.pybamm_models.physics_definition import Family, Physics
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.retraining import require_extra
from packtwin.twin.cooling import CoolingParameters, cooling_step_map
from packtwin.twin.errors import ScenarioError
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.steppable import SteppableCode
from packtwin.twin.surrogate_model import LONGEST_STEP_S, cell_model, cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec
from packtwin.twin.variable import nearest_names
from packtwin.twin.vehicle import load_vehicle, vehicle_step_map

__all__ = [
    "DEFAULT_SURROGATE",
    "FMU_MODELS",
    "FmuModel",
    "cell_fmu",
    "cooling_fmu",
    "find_fmu_model",
    "is_fmu_model",
    "pack_fmu",
    "physics_fmu",
    "vehicle_fmu",
]

DEFAULT_SURROGATE, _DEFAULT_VEHICLE = DEFAULT_CELL, "tesla_model_3_rwd_epa"
_Name: TypeAlias = Literal["cell", "pack", "vehicle", "cooling"]
_FAMILIES: dict[str, Family] = {name.lower(): name for name in get_args(Family)}
_CURRENT = Experiment(spans={"current_A": (-2.5, 2.5)})
FMU_MODELS = (*get_args(_Name), *(f"{name}:CELL" for name in _FAMILIES))
"""What `packtwin export` knows; besides, the path of a surrogate (.npz)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuModel:
    """Something to export, what to say of it, and the run whose results it carries."""

    subject: SteppableCode
    account: Account
    experiment: Experiment = field(default_factory=Experiment)

    def export(self, path: Path, **options: Any) -> Path:
        """Write the FMU; for the options see `export_fmu`."""
        return export_fmu(
            self.subject,
            path,
            description=self.account,
            experiment=self.experiment,
            **options,
        )


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
        "pack": lambda: pack_fmu(_shipped()),
        "vehicle": vehicle_fmu,
        "cooling": cooling_fmu,
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
            notice=_training_notice(spec),
            certificate=spec.certificate,
        ),
        experiment=_CURRENT,
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


def physics_fmu(family: Family, cell: str, *, points: int | None = None) -> FmuModel:
    """Return the physics of a cell, a PyBaMM parameter set or a BPX file."""
    require_extra("pybamm", "physics", f"Exporting `{family.lower()}:{cell}`")
    from packtwin.pybamm_models.physics import physics_model, physics_of_cell
    from packtwin.twin.implicit import implicit_source

    if cell in CELLS:
        physics = physics_of_cell(find_cell(cell), family)
    else:
        physics = Physics(family=family, parameter_set=cell)
    if points is not None:
        mesh = Mesh(x_n=points, x_s=points, x_p=points, r_n=points, r_p=points)
        physics = replace(physics, mesh=mesh)
    model = physics_model(physics)
    # A BPX file is a path of this machine.
    data = Path(physics.parameter_set).name
    options = ", ".join(f"{k} {v}" for k, v in sorted(physics.all_options.items()))
    mesh_text = ", ".join(f"{k} {v}" for k, v in _mesh_points(physics.mesh).items())
    source = f"PyBaMM {version('pybamm')}"
    return FmuModel(
        subject=implicit_source(model),
        account=Account(
            description=f"{family} of {Path(cell).name}, PyBaMM's equations.",
            equations=(
                f"The {family} model of parameter set `{data}` (options: {options}), "
                f"discretised by {source} on the mesh {mesh_text}: "
                f"{len(model.states)} differential and "
                f"{len(model.algebraic_states)} algebraic equations.",
                "Integrated inside the step by RODAS3 (Rosenbrock, order 3, L-stable; "
                "doi:10.1016/S1352-2310(97)83212-8) with an embedded error estimate "
                "and exact sparse Jacobians.",
            ),
            limits=(
                "A voltage limit met within a step does not stop it; watch voltage_V.",
                "The state of charge at the start refers to the parameter set's own "
                "open-circuit voltage window.",
            ),
            notice=f"the equations are those of {source} (BSD-3-Clause, copyright the "
            f"PyBaMM team, https://pybamm.org); the data are its parameter set "
            f"`{data}`, whose authors are to be cited.",
        ),
        experiment=_CURRENT,
    )


def _shipped() -> SurrogateSpec:
    return load_spec(find_path("surrogate", DEFAULT_SURROGATE))


def _training_notice(spec: SurrogateSpec) -> str:
    return f"the surrogate `{spec.name}` was trained on solutions of PyBaMM models."


def _mesh_points(mesh: Mesh) -> dict[str, int]:
    return {name: getattr(mesh, name) for name in ("x_n", "x_s", "x_p", "r_n", "r_p")}
