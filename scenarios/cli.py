"""The command line `packtwin`."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

# Before anything can import PyBaMM, here or in a worker process.
os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")

import typer

from packtwin.scenarios.bench_command import bench
from packtwin.scenarios.check_command import check
from packtwin.scenarios.command_group import (
    CommandGroup,
    ForceOption,
    OutOption,
    RetrainOption,
    ScenarioArgument,
)
from packtwin.scenarios.container_command import container
from packtwin.scenarios.converge_command import converge
from packtwin.scenarios.export_command import export
from packtwin.scenarios.identify_command import identify
from packtwin.scenarios.simulate_command import simulate
from packtwin.scenarios.stage_command import make_pipeline, run_one_stage

__all__ = ["app", "main"]


app = typer.Typer(
    name="packtwin",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _show_version(is_wanted: bool) -> bool:
    if is_wanted:
        typer.echo(f"packtwin {version('packtwin')}")
        raise typer.Exit
    return is_wanted


@app.callback()
def _packtwin(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Battery-pack digital twins: certified surrogates as FMUs, co-simulated.

    A first try:

    - `packtwin list` shows what is shipped.

    - `packtwin run ev_fast_charge_day` runs the demo and writes a report.
    """


@app.command()
def run(
    scenario: ScenarioArgument,
    out: OutOption = None,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain",
            help="Generate data, train and certify first (needs PyBaMM and torch; "
            "about half an hour). A killed retraining resumes.",
        ),
    ] = False,
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="STAGE", help="End with this stage, such as `certify`."
        ),
    ] = "",
) -> None:
    """Run the whole job, skipping what is up to date, and end in a report.

    Without `--retrain` the shipped surrogate is an input, and the job is: export FMUs,
    co-simulate with MPC and CC-CV, replay on the DFN if PyBaMM is installed, report.

    Examples:
    - `packtwin run ev_fast_charge_day`

    - `packtwin run my_day.toml --out runs/my_day`

    - `packtwin run my_day.toml --retrain`

    - `packtwin run my_day.toml --retrain --until certify`
    """
    from packtwin.scenarios.console import print_outcomes, stage_progress
    from packtwin.scenarios.simulation import read_summary
    from packtwin.scenarios.summary import ten_lines

    pipeline = make_pipeline(scenario, out, is_retrained=retrain, until=until)
    with stage_progress() as progress:
        pipeline = replace(pipeline, progress=progress)
        trained = ("generate", "train", "certify")
        # A run that was killed after the training goes on; a completed one starts over.
        names = [stage.name for stage in pipeline.stages]
        is_done = retrain and not any(pipeline.staleness(name) for name in names)
        outcomes = pipeline.run(forced=frozenset(trained if is_done else ()))
    if not retrain:
        typer.echo(
            "Generate, train and certify are skipped: the surrogate is an input."
        )
    print_outcomes(outcomes)
    if until and until != "report":
        return
    typer.echo("")
    for line in ten_lines(read_summary(pipeline.folder)):
        typer.echo(line)
    typer.echo(f"\nReport: {pipeline.folder / 'report.html'}")


@app.command()
def generate(
    scenario: ScenarioArgument, out: OutOption = None, force: ForceOption = False
) -> None:
    """Solve the DFN on the designed set and on the held-out set (needs PyBaMM).

    Runs are solved in parallel, and whole files of the same request are kept: start a
    killed generation again and it goes on. A run that fails is recorded with its
    reason in `dataset/manifest.json`.

    Example: `packtwin generate ev_fast_charge_day --out runs/retrained`
    """
    run_one_stage("generate", scenario, out, is_retrained=True, is_forced=force)


@app.command()
def train(
    scenario: ScenarioArgument, out: OutOption = None, force: ForceOption = False
) -> None:
    """Train the surrogate on the generated runs (needs PyBaMM and torch).

    Writes `surrogate/trained.npz`: plain arrays, no torch needed to read them.

    Example: `packtwin train ev_fast_charge_day --out runs/retrained`
    """
    run_one_stage("train", scenario, out, is_retrained=True, is_forced=force)


@app.command()
def certify(
    scenario: ScenarioArgument, out: OutOption = None, force: ForceOption = False
) -> None:
    """Measure the surrogate on runs that training never saw.

    Writes `certificate.json` (errors, bounds, domain, targets) and
    `surrogate/certified.npz`.

    Example: `packtwin certify ev_fast_charge_day --out runs/retrained`
    """
    run_one_stage("certify", scenario, out, is_retrained=True, is_forced=force)


@app.command()
def report(
    scenario: ScenarioArgument,
    out: OutOption = None,
    retrain: RetrainOption = False,
    force: ForceOption = False,
) -> None:
    """Write `report.html`, one self-contained page, from a simulated run folder.

    Example: `packtwin report ev_fast_charge_day --out runs/demo`
    """
    folder = run_one_stage(
        "report", scenario, out, is_retrained=retrain, is_forced=force
    )
    typer.echo(f"Report: {folder / 'report.html'}")


@app.command(name="list")
def list_shipped() -> None:
    """List the scenarios, cells, surrogates, vehicles and cycles packtwin knows.

    Every name can be used in a scenario file; vehicles and cycles may be files of your
    own as well. Example: `packtwin list`
    """
    from packtwin.scenarios.console import print_listing
    from packtwin.scenarios.inspection import shipped

    for listing in shipped():
        print_listing(listing)


@app.command()
def info(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An FMU (.fmu), surrogate (.npz), result (.parquet) or scenario "
            "(.toml).",
            show_default=False,
        ),
    ],
) -> None:
    """Say what a file is: ports and units, certificate, series, settings.

    Examples:
    - `packtwin info runs/demo/fmu/pack.fmu` (any vendor's FMU; it is validated too)

    - `packtwin info runs/demo/result.parquet`
    """
    from packtwin.scenarios.console import print_listing
    from packtwin.scenarios.inspection import describe_file

    for listing in describe_file(file):
        print_listing(listing)


app.command()(bench)
app.command()(check)
app.command()(container)
app.command()(converge)
app.command()(export)
app.command()(identify)
app.command()(simulate)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
