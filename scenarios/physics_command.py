"""`packtwin export-physics CELL`: the physics itself as an FMU."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from packtwin.pybamm_models.cells import CELLS, Mesh, find_cell
from packtwin.pybamm_models.physics_definition import Family, Physics
from packtwin.scenarios.retraining import require_extra

__all__ = ["export_physics"]


def export_physics(
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL_OR_SET",
            help="A cell (see `packtwin list`), a PyBaMM parameter set such as "
            "`Chen2020`, or a BPX file (.json).",
            show_default=False,
        ),
    ],
    family: Annotated[
        Family,
        typer.Option(
            "--family",
            help="Single particle, the same with electrolyte, or "
            "Doyle-Fuller-Newman model.",
        ),
    ] = "DFN",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="FMU to write.  [default: FAMILY_CELL.fmu]",
            show_default=False,
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            "--points",
            min=3,
            help="Points in each electrode, the separator and each particle.  "
            "[default: a cell's converged mesh, PyBaMM's for a set]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the physics of one cell as an FMU (needs PyBaMM and a C compiler).

    The FMU is a cell with lumped temperature: current, ambient temperature and heat
    transfer coefficient in, voltage, temperature, heat and plating potential out. It
    solves PyBaMM's equations, error-controlled, in C99 without Python, and takes steps
    of any length. A voltage limit met within a step does not stop it: watch
    `voltage_V`.

    Examples:
    - `packtwin export-physics lg_m50_chen2020 --family DFN --output dfn.fmu`

    - `packtwin export-physics Chen2020 --family SPMe --output spme.fmu`
    """
    require_extra("pybamm", "physics", "`packtwin export-physics`")
    from packtwin.fmu.export import export_fmu
    from packtwin.pybamm_models.physics import physics_model, physics_of_cell
    from packtwin.twin.implicit import implicit_source

    begin_s = time.perf_counter()
    if cell in CELLS:
        physics = physics_of_cell(find_cell(cell), family)
    else:
        physics = Physics(family=family, parameter_set=cell)
    if points is not None:
        mesh = Mesh(x_n=points, x_s=points, x_p=points, r_n=points, r_p=points)
        physics = replace(physics, mesh=mesh)
    model = physics_model(physics)
    path = export_fmu(
        implicit_source(model),
        output or Path(f"{family}_{Path(cell).stem}.fmu"),
        description=f"{family} of {Path(cell).name}, PyBaMM's equations.",
    )
    n_algebraic = len(model.algebraic_states)
    typer.echo(
        f"Wrote {path}: {family} of {cell} with {len(model.states)} states and "
        f"{n_algebraic} algebraic ones, {path.stat().st_size / 1e6:.1f} MB, in "
        f"{time.perf_counter() - begin_s:.0f} s."
    )
