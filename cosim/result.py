"""`Result`: what a run computed, with units, how it ended and where it came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["Result", "RunStats", "RunStatus", "read_parquet"]

Vector: TypeAlias = NDArray[np.float64]

_KEY = b"packtwin.result"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How a run ended.

    Attributes:
        kind: `completed` at its planned end, `stopped` by a condition, or `failed`.
        time_s: Time reached.
        reason: The condition that stopped it, or what the failed component said.
        component: The failed component.
    """

    kind: Literal["completed", "stopped", "failed"]
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
    """

    wall_s: float
    step_count: int
    real_time_factor: float
    component_seconds: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


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
    """

    time_s: Vector
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Vector
    status: RunStatus
    stats: RunStats
    provenance: Mapping[str, str]

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
        columns = {"time_s": ("s", self.time_s)}
        for i, (name, unit) in enumerate(zip(self.names, self.units, strict=True)):
            columns[name] = (unit, np.ascontiguousarray(self.values[:, i]))
        document = {
            "status": asdict(self.status),
            "stats": asdict(self.stats),
            "provenance": dict(self.provenance),
        }
        schema = pa.schema(
            [
                pa.field(name, pa.float64(), nullable=False, metadata={"unit": unit})
                for name, (unit, _) in columns.items()
            ],
            metadata={_KEY: json.dumps(document)},
        )
        table = pa.table([pa.array(v) for _, v in columns.values()], schema=schema)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            pq.write_table(table, temporary)
            temporary.replace(path)
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
    """Read a `Result` that `Result.write_parquet` wrote.

    Raises:
        ScenarioError: The file is cut off, damaged or not a packtwin result.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        msg = f"There is no result file `{path}`; check the path."
        raise ScenarioError(msg)
    try:
        # A file handle: a path would be taken as a data set in a folder `a=b`.
        with Path(path).open("rb") as file:
            table: Any = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        msg = f"`{path}` is cut off, damaged or no Parquet file; write it again."
        raise ScenarioError(msg) from error
    metadata = table.schema.metadata or {}
    if _KEY not in metadata or table.schema.names[:1] != ["time_s"]:
        msg = f"`{path}` is a Parquet file but not a packtwin result; choose another."
        raise ScenarioError(msg)
    document = json.loads(metadata[_KEY])
    fields = list(table.schema)[1:]
    values = np.empty((table.num_rows, len(fields)))
    for i, item in enumerate(fields):
        values[:, i] = table.column(item.name).to_numpy()
    return Result(
        time_s=np.array(table.column("time_s").to_numpy()),
        names=tuple(item.name for item in fields),
        units=tuple(item.metadata[b"unit"].decode() for item in fields),
        values=values,
        status=RunStatus(**document["status"]),
        stats=RunStats(**document["stats"]),
        provenance=document["provenance"],
    )
