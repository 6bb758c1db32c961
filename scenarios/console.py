"""What the command line shows: tables, stages and progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from packtwin.scenarios.stage_clock import Spent

__all__ = ["bench_listing", "print_listing", "print_outcomes", "stage_progress"]

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


def print_outcomes(outcomes: Sequence[StageOutcome]) -> None:
    """Print what became of each stage as one line, and how long they took in all."""
    rows = [(f"{o.name:<9} {o.status:<10}", o.spent, o.reason) for o in outcomes]
    if len(rows) > 1:
        total = Spent(
            wall_s=sum(o.spent.wall_s for o in outcomes),
            processor_s=sum(o.spent.processor_s for o in outcomes),
        )
        rows.append((f"{'all':<20}", total, ""))
    for name, spent, reason in rows:
        line = f"{name}  {spent.wall_s:8.1f} s, {spent.processor_s:8.1f} s of processor"
        Console().print(Text(f"{line}  {reason}".rstrip()))


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
