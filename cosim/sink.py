"""`Sink`: where the rows of a run go while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result_table import Event, Series
from packtwin.cosim.thinning import Thinning

__all__ = ["Recording", "Sink"]

Vector: TypeAlias = NDArray[np.float64]


@runtime_checkable
class Recording(Protocol):
    """The recording of one run."""

    def write(self, time_s: Vector, values: Vector, events: Sequence[Event]) -> None:
        """Append rows so that they outlive a killed run.

        Args:
            time_s: Times of the rows.
            values: `(n_time, n_series)`; may be overwritten after the call.
            events: What happened since the row before the first.
        """
        ...

    def place(self) -> Mapping[str, Any]:
        """Return where the recording is, for `Sink.open` in another process."""
        ...

    def finish(self, document: Mapping[str, Any]) -> None:
        """End it with status, statistics and provenance of the run."""
        ...

    def abandon(self) -> None:
        """Leave it as it is: the run was broken off."""
        ...


@runtime_checkable
class Sink(Protocol):
    """A place for recordings.

    Attributes:
        thinning: Which rows to keep; None for all.
        flush_s: Seconds after which rows are written, if the buffer is not full before.
    """

    @property
    def thinning(self) -> Thinning | None:
        """Which rows to keep."""
        ...

    @property
    def flush_s(self) -> float:
        """Seconds between two writes at most, as far as steps allow."""
        ...

    def open(
        self,
        series: Series,
        document: Mapping[str, Any],
        place: Mapping[str, Any] | None = None,
    ) -> Recording:
        """Begin a recording, or go on with one.

        Args:
            series: The columns.
            document: What is known of the run at its start.
            place: Where a recording was that is to go on.
        """
        ...
