"""`ParquetSink`: a run recorded to a Parquet file while it runs.

A Parquet file ends with the index without which it cannot be read, so that one cut off
is lost. Rows go to a journal beside it first, an Arrow stream whose every flush stays
readable, and from there to the Parquet file when the run ends.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result_table import (
    Event,
    Series,
    batch_of,
    document_of,
    journal_path,
    read_journal,
    row_group_rows,
    schema_of,
    series_of,
)
from packtwin.cosim.thinning import Thinning
from packtwin.twin.errors import ScenarioError

__all__ = ["ParquetSink"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class ParquetSink:
    """Records a run to a Parquet file, in constant memory.

    Attributes:
        path: The file; what was there is replaced when the run ends.
        thinning: Which rows to keep; None for all.
        flush_s: Seconds of wall time between two flushes, as far as steps allow; what
            a killed run loses at most.
    """

    path: Path | str
    thinning: Thinning | None = None
    flush_s: float = 5.0

    def open(
        self,
        series: Series,
        document: Mapping[str, Any],
        place: Mapping[str, Any] | None = None,
    ) -> _ParquetRecording:
        """Begin a recording, or go on with the one at `place` in the same file.

        Raises:
            ScenarioError: The file cannot be written, or is not as `place` says.
        """
        schema, path = schema_of(series, document), Path(self.path)
        journal = journal_path(path)
        try:
            if place is None or place["path"] != path.name:
                journal.write_bytes(schema.serialize().to_pybytes())
            elif journal.exists():
                _cut(journal, series, place)
            elif path.exists():
                _reopen(path, journal, schema, series, int(place["rows"]))
            else:
                msg = (
                    f"The recording `{path}` is to go on, but neither it nor "
                    f"`{journal.name}` is there; bring it back, or record to another "
                    "file from here on."
                )
                raise ScenarioError(msg)
            rows = 0 if place is None else int(place["rows"])
            return _ParquetRecording(path, schema, journal.open("ab"), rows)
        except OSError as error:
            msg = f"The recording `{path}` cannot be written: {error}; choose another."
            raise ScenarioError(msg) from error


@final
class _ParquetRecording:
    """One journal that becomes one Parquet file."""

    def __init__(self, path: Path, schema: Any, file: Any, rows: int) -> None:
        self._path, self._schema, self._file = path, schema, file
        self._rows = rows

    def write(self, time_s: Vector, values: Vector, events: Sequence[Event]) -> None:
        """Append rows as one piece."""
        if len(time_s):
            batch = batch_of(self._schema, time_s, values, events)
            self._file.write(batch.serialize())
            self._file.flush()
            self._rows += len(time_s)

    def place(self) -> Mapping[str, Any]:
        """Return file, bytes and rows so far."""
        size = self._file.tell()
        return {"path": self._path.name, "bytes": size, "rows": self._rows}

    def finish(self, document: Mapping[str, Any]) -> None:
        """Turn the journal into the Parquet file and delete it."""
        self._file.close()
        journal = journal_path(self._path)
        _convert(journal, self._path, document)
        journal.unlink()

    def abandon(self) -> None:
        """Leave the journal."""
        self._file.close()


def _convert(journal: Path, path: Path, document: Mapping[str, Any]) -> None:
    """Copy a journal to a Parquet file, piece by piece, wholly or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, batches = read_journal(journal)
    series = series_of(schema)
    final_schema = schema_of(series, document)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    wanted = row_group_rows(series)
    held: list[Any] = []
    try:
        with pq.ParquetWriter(temporary, final_schema) as writer:

            def put(rows: int) -> None:
                table = pa.Table.from_batches(held, schema)
                writer.write_table(
                    table.slice(0, rows).replace_schema_metadata(final_schema.metadata)
                )
                held[:] = table.slice(rows).to_batches()

            for batch in batches:
                held.append(batch)
                while sum(b.num_rows for b in held) >= wanted:
                    put(wanted)
            if held:
                put(sum(b.num_rows for b in held))
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _cut(journal: Path, series: Series, place: Mapping[str, Any]) -> None:
    """Drop what a run recorded after it was saved."""
    schema, _ = read_journal(journal)
    size = journal.stat().st_size
    if series_of(schema) != series or size < int(place["bytes"]):
        msg = (
            f"`{journal}` is not the recording that is to go on: other series, or "
            f"{size} bytes where {place['bytes']} were written; record to another file."
        )
        raise ScenarioError(msg)
    os.truncate(journal, int(place["bytes"]))


def _reopen(path: Path, journal: Path, schema: Any, series: Series, rows: int) -> None:
    """Make the journal of a run that had ended, up to where it was saved."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as source, journal.open("wb") as target:
        stored = pq.ParquetFile(source)
        found = stored.schema_arrow
        if document_of(found) is None or series_of(found) != series:
            msg = f"`{path}` records other series; record to another file."
            raise ScenarioError(msg)
        target.write(schema.serialize())
        for batch in stored.iter_batches():
            part = batch.slice(0, min(rows, batch.num_rows))
            if part.num_rows:
                table = pa.Table.from_batches([part]).cast(schema)
                for piece in table.to_batches():
                    target.write(piece.serialize())
            rows -= part.num_rows
    if rows:
        msg = f"`{path}` has {rows} rows too few; record to another file."
        raise ScenarioError(msg)
