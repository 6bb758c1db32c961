"""`Result`: what a run computed, with units, how it ended and where it came from."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result_table import (
    Event,
    Series,
    batch_of,
    document_of,
    events_of,
    journal_path,
    parquet_encoding,
    read_journal,
    schema_of,
    series_of,
    values_of,
)
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["Result", "RunStats", "RunStatus", "read_parquet"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How a run ended.

    Attributes:
        kind: `completed` at its planned end, `stopped` by a condition or a component,
            `failed`, or `interrupted`: it was killed while it was recorded to a file.
        time_s: Time reached.
        reason: The condition that stopped it, or what the component said.
        component: That failed or asked to end.
    """

    kind: Literal["completed", "stopped", "failed", "interrupted"]
    time_s: float
    reason: str = ""
    component: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunStats:
    """What a run cost.

    Attributes:
        wall_s: Duration of the run.
        step_count: Completed steps of the system.
        real_time_factor: Simulated seconds per second; inf if too fast to measure.
        component_seconds: Seconds in the steps of each component, if measured.
        counts: Steps of components, iterations and so on, as the master counts them.
        pacing: Of a paced run, how it kept up with the clock; see `Pacer.stats`.
    """

    wall_s: float
    step_count: int
    real_time_factor: float
    component_seconds: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    pacing: Mapping[str, float] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """Time series by `component.variable`; row k holds the values at `time_s[k]`.

    Attributes:
        time_s: Communication points, the start included.
        names: Series in column order.
        units: Their units.
        values: `(n_time, n_series)`, read-only.
        status: How the run ended.
        stats: What it cost.
        provenance: Versions, master, order of steps and so on.
        descriptions: A sentence on each series, where there is one.
        events: What happened in the components, and when.
    """

    time_s: Vector
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Vector
    status: RunStatus
    stats: RunStats
    provenance: Mapping[str, str]
    descriptions: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        self.time_s.setflags(write=False)
        self.values.setflags(write=False)

    def __getitem__(self, name: str) -> Vector:
        """Return a series."""
        column: Vector = self.values[:, self._column(name)]
        return column

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def unit(self, name: str) -> str:
        """Return the unit of a series."""
        return self.units[self._column(name)]

    @property
    def series(self) -> dict[str, Vector]:
        """All series by name."""
        return {name: self.values[:, i] for i, name in enumerate(self.names)}

    def write_parquet(self, path: Path | str) -> None:
        """Write to a Parquet file, wholly or not at all.

        Each column carries its unit in its field's metadata; status, statistics and
        provenance are in the file's metadata as JSON.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(path)
        document = {
            "status": asdict(self.status),
            "stats": asdict(self.stats),
            "provenance": dict(self.provenance),
        }
        series = Series(
            names=self.names,
            units=self.units,
            descriptions=self.descriptions or ("",) * len(self.names),
            has_events=bool(self.events),
        )
        schema = schema_of(series, document)
        batch = batch_of(schema, self.time_s, self.values, self.events)
        table = pa.Table.from_batches([batch])
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            pq.write_table(table, temporary, **parquet_encoding(series))
            temporary.replace(path)
            # What a killed run left here would be read in its place.
            journal_path(path).unlink(missing_ok=True)
        finally:
            temporary.unlink(missing_ok=True)

    def _column(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError as error:
            known = nearest_names(name, self.names) or "none"
            msg = f"No series `{name}` was recorded; nearest: {known}."
            raise ScenarioError(msg) from error


def read_parquet(path: Path | str) -> Result:
    """Read what `Result.write_parquet` or a `ParquetSink` wrote.

    Of a run that was killed this is what it had flushed, with the status `interrupted`.

    Raises:
        ScenarioError: The file is cut off, damaged or not a packtwin result.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    journal = journal_path(path)
    if journal.is_file():
        schema, batches = read_journal(journal)
        return _read(path, pa.Table.from_batches(list(batches), schema))
    if not path.is_file():
        msg = f"There is no result file `{path}`; check the path."
        raise ScenarioError(msg)
    try:
        # A file handle: a path would be taken as a data set in a folder `a=b`.
        with path.open("rb") as file:
            table = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        msg = f"`{path}` is cut off, damaged or no Parquet file; write it again."
        raise ScenarioError(msg) from error
    return _read(path, table)


def _read(path: Path, table: Any) -> Result:
    document = document_of(table.schema)
    if document is None:
        msg = f"`{path}` is a Parquet file but not a packtwin result; choose another."
        raise ScenarioError(msg)
    series, (time_s, values) = series_of(table.schema), values_of(table)
    if "status" in document:
        status, stats = RunStatus(**document["status"]), RunStats(**document["stats"])
    else:
        end_s = float(time_s[-1]) if len(time_s) else math.nan
        reason = "the run was broken off; this is what it had written"
        status = RunStatus(kind="interrupted", time_s=end_s, reason=reason)
        count = max(len(time_s) - 1, 0)
        stats = RunStats(wall_s=math.nan, step_count=count, real_time_factor=math.nan)
    return Result(
        time_s=time_s,
        names=series.names,
        units=series.units,
        values=values,
        status=status,
        stats=stats,
        provenance=document["provenance"],
        descriptions=series.descriptions,
        events=events_of(table),
    )
