"""`packtwin check FILE.fmu`: everything that is wrong with an FMU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["check"]


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An FMU.", show_default=False)
    ],
    is_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON.")
    ] = False,
    is_static: Annotated[
        bool,
        typer.Option(
            "--no-run", help="Only inspect the file; run nothing of what is in it."
        ),
    ] = False,
    time_limit_s: Annotated[
        float,
        typer.Option(
            "--time-limit-s", min=0.1, help="A call that takes longer is hanging."
        ),
    ] = 10.0,
) -> None:
    """Check an FMU of any maker against FMI 2.0 or 3.0, also by running it.

    Inspected are the zip archive, the XML files, and the libraries of all systems. Then
    the library for this machine is run in a process of its own: calls in any order,
    several instances, threads, saved states, leaks, dependencies, derivatives.
    (Binaries of FMI 3 are inspected only.) Running executes the maker's code with your
    rights; `--no-run` does not. Exits with 1 if there is an error; warnings are only
    shown.

    Examples:
    - `packtwin check runs/demo/fmu/pack.fmu`

    - `packtwin check vendor.fmu --no-run --json`
    """
    from packtwin.fmu.checker.check import check_fmu

    report = check_fmu(file, is_run=not is_static, time_limit_s=time_limit_s)
    if is_json:
        typer.echo(json.dumps(report.as_document(), indent=1))
    else:
        for found in report.problems:
            typer.echo(f"{found.severity.upper()} {found.where or file}")
            typer.echo(f"  {found.message}")
            typer.echo(f"  {found.rule} ({found.section}): {found.remedy}")
        n_warnings = len(report.problems) - report.n_errors
        counts = f"{_count(report.n_errors, 'error')}, {_count(n_warnings, 'warning')}"
        typer.echo(f"{file}: {counts}.")
        for name, what in report.probes.items():
            if what not in ("passed", "problems"):
                typer.echo(f"{name}: {what}.")
        typer.echo(
            f"{len(report.probes)} probes of the binary were run."
            if report.probes
            else f"The binary was not run: {report.not_run}."
        )
    if report.n_errors:
        raise typer.Exit(1)


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
