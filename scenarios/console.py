"""What the command line shows: tables, stages and progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from packtwin.scenarios.inspection import Listing
from packtwin.scenarios.pipeline import StageOutcome

__all__ = ["bench_listing", "print_listing", "print_outcome", "stage_progress"]

StageProgress: TypeAlias = Callable[[str, float, str], None]


@contextmanager
def stage_progress() -> Iterator[StageProgress]:
    """Show a bar per stage on the error stream while the block runs."""
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def report(stage: str, fraction: float, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=1.0, note="")
            bars.update(tasks[stage], completed=fraction, note=note)

        yield report


def print_listing(listing: Listing) -> None:
    """Print a table; the last column takes the remaining width."""
    table = Table(title=listing.title, title_justify="left", title_style="bold")
    for name in listing.columns:
        table.add_column(name, overflow="fold")
    for row in listing.rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def print_outcome(outcome: StageOutcome) -> None:
    """Print what became of a stage as one line."""
    line = f"{outcome.name:<9} {outcome.status:<10}  {outcome.seconds:8.1f} s"
    Console().print(Text(f"{line}  {outcome.reason}"))


def bench_listing(document: dict[str, Any]) -> Listing:
    """Return a bench's rows as a table."""
    rows = [
        (
            str(row["id"]),
            str(row["what"]),
            f"{row['value']:.4g}"
            if isinstance(row["value"], int | float)
            else str(row["value"]),
            str(row["unit"]),
            str(row["target"]),
            "yes" if row["met"] else "NO",
        )
        for row in document["rows"]
    ]
    return Listing(
        title=f"Bench {document['bench']}",
        columns=("id", "what", "value", "unit", "target", "met"),
        rows=rows,
    )
