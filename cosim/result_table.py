"""Series of a run as Arrow tables: one column per series, with its unit.

Used for the Parquet files of results and for the journal of a run that still goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError

__all__ = [
    "Event",
    "Series",
    "batch_of",
    "document_of",
    "events_of",
    "journal_path",
    "parquet_encoding",
    "read_journal",
    "row_group_rows",
    "schema_of",
    "series_of",
    "values_of",
]

Vector: TypeAlias = NDArray[np.float64]

_DOCUMENT_KEY = b"packtwin.result"
_EVENTS = "events"
_ROW_GROUP_BYTES = 1 << 24


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened between or at communication points.

    Attributes:
        time_s: When.
        component: In which component.
    """

    time_s: float
    component: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What the columns of a recording are.

    Attributes:
        names: Series in column order.
        units: Their units.
        descriptions: A sentence each, or nothing.
        has_events: Whether a column says what happened since the row before.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    descriptions: tuple[str, ...]
    has_events: bool = False


def schema_of(series: Series, document: Mapping[str, Any]) -> Any:
    """Return the Arrow schema, with `document` as JSON in its metadata."""
    import pyarrow as pa

    described = zip(series.names, series.units, series.descriptions, strict=True)
    fields = [
        pa.field(
            name,
            pa.float64(),
            nullable=False,
            metadata={"unit": unit} | ({"description": text} if text else {}),
        )
        for name, unit, text in (("time_s", "s", ""), *described)
    ]
    if series.has_events:
        item = pa.struct([("time_s", pa.float64()), ("component", pa.string())])
        text = "what happened since the row before"
        fields.append(pa.field(_EVENTS, pa.list_(item), metadata={"description": text}))
    return pa.schema(fields, metadata={_DOCUMENT_KEY: json.dumps(document)})


def batch_of(
    schema: Any, time_s: Vector, values: Vector, events: Sequence[Event]
) -> Any:
    """Return rows as a record batch.

    Args:
        schema: From `schema_of`.
        time_s: Times of the rows.
        values: `(n_time, n_series)`.
        events: Those since the row before the first, in the order of time; what
            happened after the last row is left out.
    """
    import pyarrow as pa

    columns = [pa.array(time_s)]
    columns += [
        pa.array(np.ascontiguousarray(values[:, i])) for i in range(values.shape[1])
    ]
    if schema.names[-1] == _EVENTS:
        times = [event.time_s for event in events]
        owners = np.searchsorted(time_s, times, side="left")
        counts = np.bincount(owners, minlength=len(time_s))[: len(time_s)]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        events, times = events[: offsets[-1]], times[: offsets[-1]]
        names = pa.array([event.component for event in events], pa.string())
        kind = schema.field(_EVENTS).type.value_type
        items = pa.StructArray.from_arrays(
            [pa.array(times, pa.float64()), names], fields=list(kind)
        )
        columns.append(pa.ListArray.from_arrays(pa.array(offsets), items))
    return pa.record_batch(columns, schema=schema)


def document_of(schema: Any) -> dict[str, Any] | None:
    """Return the document in a schema's metadata; None if it is not packtwin's."""
    metadata = schema.metadata or {}
    if _DOCUMENT_KEY not in metadata or schema.names[:1] != ["time_s"]:
        return None
    return dict(json.loads(metadata[_DOCUMENT_KEY]))


def series_of(schema: Any) -> Series:
    """Return what the columns of a schema are."""
    fields = [field for field in list(schema)[1:] if field.name != _EVENTS]
    return Series(
        names=tuple(field.name for field in fields),
        units=tuple(field.metadata[b"unit"].decode() for field in fields),
        descriptions=tuple(
            field.metadata.get(b"description", b"").decode() for field in fields
        ),
        has_events=_EVENTS in schema.names,
    )


def values_of(table: Any) -> tuple[Vector, Vector]:
    """Return the times and the values `(n_time, n_series)` of a table."""
    names = series_of(table.schema).names
    values = np.empty((table.num_rows, len(names)))
    for i in range(len(names)):
        values[:, i] = table.column(i + 1).to_numpy()
    return np.array(table.column(0).to_numpy()), values


def events_of(table: Any) -> tuple[Event, ...]:
    """Return what happened, in the order of time."""
    if _EVENTS not in table.schema.names:
        return ()
    lists = table.column(_EVENTS).combine_chunks().flatten().to_pylist()
    return tuple(Event(**item) for item in lists)


def parquet_encoding(series: Series) -> dict[str, Any]:
    """Return how values are written: dictionaries help none, and cost most of all."""
    return {
        "use_dictionary": False,
        "use_byte_stream_split": ["time_s", *series.names],
    }


def row_group_rows(series: Series) -> int:
    """Return the rows of a row group: about 16 MB of them."""
    return max(1024, _ROW_GROUP_BYTES // (8 * (len(series.names) + 1)))


def journal_path(path: Path) -> Path:
    """Return where the rows of a run are until it ends."""
    return path.with_name(f"{path.name}.arrows")


def read_journal(path: Path) -> tuple[Any, Iterator[Any]]:
    """Return the schema of a journal and its whole batches, one after the other.

    A batch that was cut off is the end.

    Raises:
        ScenarioError: It is no journal.
    """
    import pyarrow as pa

    try:
        reader = pa.ipc.open_stream(pa.OSFile(str(path)))
    except (pa.ArrowException, OSError) as error:
        msg = f"`{path}` is cut off, damaged or no journal of a run; delete it."
        raise ScenarioError(msg) from error
    return reader.schema, _whole_batches(reader)


def _whole_batches(reader: Any) -> Iterator[Any]:
    import pyarrow as pa

    while True:
        try:
            yield reader.read_next_batch()
        except (StopIteration, pa.ArrowException, OSError):
            return
