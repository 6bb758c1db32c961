"""`packtwin container FILE.ssp`: a package of FMUs as one FMU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from packtwin.twin.errors import ScenarioError

__all__ = ["container"]


def container(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A system structure package (.ssp).",
            show_default=False,
        ),
    ],
    step_s: Annotated[
        float | None,
        typer.Option(
            "--step-s",
            help="Step of the FMUs inside; by default the smallest that one proposes.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FMU", help="[default: NAME.fmu]", show_default=False
        ),
    ] = None,
    order: Annotated[
        Literal["gauss-seidel", "jacobi"],
        typer.Option("--order", help="How they are stepped."),
    ] = "gauss-seidel",
    fmi_version: Annotated[
        Literal["2.0", "3.0"],
        typer.Option("--fmi", help="Version of the container."),
    ] = "2.0",
    variant: Annotated[
        str,
        typer.Option("--variant", help="Which description of the package to use."),
    ] = "SystemStructure.ssd",
) -> None:
    """Write a package of FMUs as one FMU for co-simulation.

    The inputs and outputs of the package are those of the FMU, parameters are fixed; a
    package without outputs shows all of its components' outputs. The result is that of
    `packtwin simulate` with the same step and order. Units and linear transformations
    go through small FMUs made for them, which needs a C compiler. The container steps
    with a fixed step, cannot save its state, and says no units: those are in the
    package.

    Needs `packtwin[container]` (fmu-manipulation-toolbox).

    Example: `packtwin container car.ssp --step-s 0.1 --out car.fmu`
    """
    from packtwin.scenarios.ssp_container import write_container
    from packtwin.scenarios.ssp_loading import load_ssp

    with load_ssp(file, variant=variant) as loaded:
        step = step_s or loaded.step_s
        if step is None:
            msg = f"No FMU in `{file}` proposes a step; give one with `--step-s`."
            raise ScenarioError(msg)
        path = write_container(
            loaded,
            out or file.with_suffix(".fmu"),
            step_s=step,
            order=order,
            fmi_version=fmi_version,
        )
        count = len(loaded.system.components)
    typer.echo(f"Wrote {path}: {count} FMUs stepped by {step:g} s.")
    typer.echo(f"Next: `packtwin check {path}`.")
