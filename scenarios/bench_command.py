"""`packtwin bench NAME`: the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["bench"]


def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Which bench, such as `demo`.", show_default=False
        ),
    ],
    json_path: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures here as JSON."),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="PARTS", help="Parts of a bench, such as `accuracy,speed`."
        ),
    ] = "",
    is_quick: Annotated[
        bool, typer.Option("--quick", help="Measure little, to see that it works.")
    ] = False,
    is_compiled_peer: Annotated[
        bool,
        typer.Option("--with-compile", help="Include peers that compile for minutes."),
    ] = False,
    runs_path: Annotated[
        Path | None,
        typer.Option("--runs", metavar="FOLDER", help="Runs `surrogate` trains on."),
    ] = None,
    held_out_path: Annotated[
        Path | None,
        typer.Option(
            "--held-out", metavar="FOLDER", help="Runs `surrogate` is judged on."
        ),
    ] = None,
) -> None:
    """Measure packtwin against its targets: prints a table, writes the figures.

    Example: `packtwin bench demo --json demo.json`
    """
    from packtwin.scenarios.bench import BenchOptions, run_bench
    from packtwin.scenarios.bench_surrogate_table import alternatives_listing
    from packtwin.scenarios.console import bench_listing, print_listing, stage_progress

    options = BenchOptions(
        only=tuple(part.strip() for part in only.split(",") if part.strip()),
        is_quick=is_quick,
        is_compiled_peer=is_compiled_peer,
        runs_path=runs_path,
        held_out_path=held_out_path,
    )
    with stage_progress() as progress:
        document = run_bench(
            name, json_path, lambda share, text: progress(name, share, text), options
        )
    print_listing(bench_listing(document))
    table = alternatives_listing(document)
    if table is not None:
        print_listing(table)
