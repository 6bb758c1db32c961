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
    parquet_encoding,
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
        journal, rows = journal_path(path), 0
        try:
            if place is None or place["path"] != path.name:
                journal.write_bytes(schema.serialize().to_pybytes())
            else:
                rows = int(place["rows"])
                _go_on(path, schema, place)
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
    wanted, encoding = row_group_rows(series), parquet_encoding(series)
    held: list[Any] = []
    try:
        with pq.ParquetWriter(temporary, final_schema, **encoding) as writer:

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


def _go_on(path: Path, schema: Any, place: Mapping[str, Any]) -> None:
    """Bring the journal to where a run was saved.

    Raises:
        ScenarioError: The recording is gone, or is another.
    """
    journal = journal_path(path)
    if journal.exists():
        found, _ = read_journal(journal)
        is_ours = series_of(found) == series_of(schema)
        if is_ours and journal.stat().st_size >= int(place["bytes"]):
            os.truncate(journal, int(place["bytes"]))
            return
    elif path.exists() and _reopen(path, journal, schema, int(place["rows"])):
        return
    msg = (
        f"The recording `{path}` is to go on, but it is gone or has other series or "
        "fewer rows than were saved; bring it back, or record to another file."
    )
    raise ScenarioError(msg)


def _reopen(path: Path, journal: Path, schema: Any, rows: int) -> bool:
    """Make the journal of a run that had ended; whether it holds so many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as source:
        stored = pq.ParquetFile(source)
        is_ours = document_of(stored.schema_arrow) is not None
        is_ours = is_ours and series_of(stored.schema_arrow) == series_of(schema)
        if not is_ours or stored.metadata.num_rows < rows:
            return False
        with journal.open("wb") as target:
            target.write(schema.serialize())
            for batch in stored.iter_batches():
                table = pa.Table.from_batches([batch.slice(0, rows)]).cast(schema)
                for piece in table.to_batches():
                    target.write(piece.serialize())
                rows -= table.num_rows
    return True
