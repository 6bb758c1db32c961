"""Physics to export: a cell's equations, or those behind the hybrid cell."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from packtwin.fmu.export import Account, Experiment
from packtwin.pybamm_models.cells import CELLS, Cell, Mesh, find_cell
from packtwin.pybamm_models.physics_definition import Family, Physics
from packtwin.scenarios.fmu_model import FmuModel
from packtwin.scenarios.retraining import require_extra
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["CURRENT", "physics_fmu", "switched_fmu", "training_notice"]

CURRENT = Experiment(spans={"current_A": (-2.5, 2.5)})


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
        experiment=CURRENT,
    )


def switched_fmu(
    spec: SurrogateSpec, cell: Cell, *, family: Family = "DFN"
) -> FmuModel:
    """Return the hybrid cell with its physics behind it."""
    require_extra("pybamm", "physics", f"Exporting `{spec.name}` with its physics")
    from packtwin.scenarios.switched_cell import switched_cell

    switched = switched_cell(spec, cell, family=family)
    return FmuModel(
        subject=switched,
        account=Account(
            description=f"Cell `{spec.name}` that falls back to its {family}.",
            equations=(
                "In its domain the hybrid cell answers: a particle core with learned "
                "closures. Where the learned distance or the certified ranges are "
                f"exceeded, the {family} answers the very step, for "
                f"{switched.guard.dwell_s:g} s at least.",
                "In model exchange the hybrid cell answers alone; `is_in_domain` says "
                "where it is not to be trusted, with events where that changes.",
            ),
            limits=(
                "A step that switches takes tens of milliseconds.",
                "It does not age.",
            ),
            notice=f"{training_notice(spec)} The physics are the equations of PyBaMM "
            f"{version('pybamm')} (BSD-3-Clause, copyright the PyBaMM team, "
            "https://pybamm.org).",
            certificate=spec.certificate,
        ),
        experiment=CURRENT,
    )


def training_notice(spec: SurrogateSpec) -> str:
    """Return where the learned part comes from."""
    return f"the surrogate `{spec.name}` was trained on solutions of PyBaMM models."


def _mesh_points(mesh: Mesh) -> dict[str, int]:
    return {name: getattr(mesh, name) for name in ("x_n", "x_s", "x_p", "r_n", "r_p")}
