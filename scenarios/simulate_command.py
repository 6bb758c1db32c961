"""`packtwin simulate`: a package of FMUs, one FMU, or the stage of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from packtwin.scenarios.command_group import ForceOption, RetrainOption
from packtwin.scenarios.run_options import (
    CheckpointEveryOption,
    CheckpointOption,
    EveryOption,
    PaceOption,
    ResumeOption,
    run_options,
)
from packtwin.twin.errors import ScenarioError

__all__ = ["simulate"]

_MASTERS = ("gauss-seidel", "jacobi", "iterated", "adaptive")
_SHOWN = 20


def simulate(  # noqa: PLR0913 (options of the command line)
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A system structure package (.ssp), an FMU (.fmu), or a scenario: a "
            "TOML file or the name of a shipped one (see `packtwin list`).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Result as Parquet for FMUs; run folder for a scenario "
            "[default: runs/NAME].",
            show_default=False,
        ),
    ] = None,
    stop_s: Annotated[
        float | None,
        typer.Option(
            "--stop-s",
            help="End; by default that of the file's default experiment.",
            show_default=False,
        ),
    ] = None,
    step_s: Annotated[
        float | None,
        typer.Option(
            "--step-s",
            help="Communication step; by default the smallest that an FMU proposes, "
            "else a 500th of the run.",
            show_default=False,
        ),
    ] = None,
    start_s: Annotated[
        float | None,
        typer.Option(
            "--start-s",
            help="Start; by default that of the file's default experiment.",
            show_default=False,
        ),
    ] = None,
    master: Annotated[
        str,
        typer.Option("--master", help=f"How FMUs are stepped: {', '.join(_MASTERS)}."),
    ] = _MASTERS[0],
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Of the master `adaptive`.")
    ] = 1e-4,
    record: Annotated[
        list[str] | None,
        typer.Option(
            "--record",
            metavar="PATTERN",
            help="Outputs to keep, such as `pack.*`; may be given again.  "
            "[default: all]",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[
        str,
        typer.Option("--variant", help="Which description of the package to use."),
    ] = "SystemStructure.ssd",
    ignores_unknown: Annotated[
        bool,
        typer.Option(
            "--ignore-unknown",
            help="Pass over parameters of a package that no FMU has.",
        ),
    ] = False,
    every: EveryOption = 1,
    checkpoint: CheckpointOption = None,
    checkpoint_every: CheckpointEveryOption = None,
    resume: ResumeOption = None,
    pace: PaceOption = None,
    retrain: RetrainOption = False,
    force: ForceOption = False,
) -> None:
    """Simulate a package of FMUs, one FMU, or a scenario.

    Of a package (SSP 1.0 or 2.0) or an FMU (2.0 or 3.0, co-simulation or model
    exchange) the last values are shown, and `--out` keeps all of them with units.
    Algebraic loops are opened by a delay of one step, and said; the masters `iterated`
    and `adaptive` solve them.

    Of a scenario the exported FMUs are run with MPC and with CC-CV and replayed on the
    DFN: writes `result_mpc.parquet`, `result_cccv.parquet`, `replay_*.parquet` and
    `summary.json`. The replay needs PyBaMM and is left out without it.

    Examples:
    - `packtwin simulate car.ssp --stop-s 1800 --out result.parquet --record 'pack.*'`

    - `packtwin simulate vendor.fmu --step-s 0.1 --pace 1`

    - `packtwin simulate car.ssp --out day.parquet --every 10 --checkpoint day.npz`

    - `packtwin simulate ev_fast_charge_day --out runs/demo`
    """
    chosen = {
        "--stop-s": stop_s is not None,
        "--step-s": step_s is not None,
        "--start-s": start_s is not None,
        "--master": master != _MASTERS[0],
        "--record": record is not None,
        "--ignore-unknown": ignores_unknown,
        "--every": every != 1,
        "--checkpoint": checkpoint is not None,
        "--checkpoint-every": checkpoint_every is not None,
        "--resume": resume is not None,
        "--pace": pace is not None,
    }
    suffix = Path(source).suffix.lower()
    if suffix not in (".ssp", ".fmu"):
        _refuse(source, "a scenario", chosen)
        from packtwin.scenarios.stage_command import run_one_stage

        run_one_stage("simulate", source, out, is_retrained=retrain, is_forced=force)
        return
    _refuse(source, "a file of FMUs", {"--retrain": retrain, "--force": force})
    from packtwin.scenarios.console import print_listing
    from packtwin.scenarios.fmu_run import last_values, make_master, open_run, run_fmus

    stepping = make_master(master, tolerance)
    options = run_options(
        out=out,
        every=every,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        resume=resume,
        pace=pace,
    )
    with open_run(
        Path(source),
        variant=variant,
        ignores_unknown=ignores_unknown,
        solves_loops=master in ("iterated", "adaptive"),
    ) as run:
        for line in run.remarks:
            typer.echo(line)
        result = run_fmus(
            run, (start_s, stop_s, step_s), stepping, tuple(record or ("*",)), options
        )
    status, stats = result.status, result.stats
    typer.echo(
        f"{status.kind} at {status.time_s:g} s: {stats.step_count} steps of "
        f"{float(result.provenance['step_s']):g} s with {stepping.name} in "
        f"{stats.wall_s:.3f} s."
    )
    if stats.pacing:
        typer.echo(_kept_up(stats.pacing))
    print_listing(last_values(result, _SHOWN))
    if out is not None:
        typer.echo(f"Wrote {out}: {len(result.names)} series.")


def _kept_up(pacing: Mapping[str, float]) -> str:
    missed, count = int(pacing["missed_count"]), int(pacing["deadline_count"])
    return (
        f"{missed} of {count} deadlines missed at {pacing['factor']:g} times real "
        f"time, the worst by {1e3 * pacing['worst_lateness_s']:.3g} ms."
    )


def _refuse(source: str, what: str, chosen: dict[str, bool]) -> None:
    given = [name for name, is_given in chosen.items() if is_given]
    if given:
        msg = f"`{source}` is {what}, which has no option `{given[0]}`; leave it out."
        raise ScenarioError(msg)
