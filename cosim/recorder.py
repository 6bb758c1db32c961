"""`Recorder`: rows of chosen signals and of the accounts of power bonds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.result_table import Event, Series
from packtwin.cosim.sink import Recording, Sink
from packtwin.cosim.thinning import Thinner
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds

__all__ = ["Recorder"]

Vector: TypeAlias = NDArray[np.float64]

_BUFFER_BYTES = 1 << 20


@final
class Recorder:
    """Rows of chosen signals, kept until the end or handed on to a sink.

    Without a sink only rows written take memory; with one there is a buffer, and of
    what was handed on only the last row stays.

    Attributes:
        count: Communication points recorded, the start included.
        columns: Places of the signals.
    """

    def __init__(
        self,
        stepper: AbstractStepper,
        columns: list[int],
        grid: TimeGrid,
        sink: Sink | None = None,
    ) -> None:
        """Make room.

        Args:
            stepper: The run.
            columns: Places of the signals to record.
            grid: The communication points of the run.
            sink: Where rows go; they are kept here by default.
        """
        self._accounts, self._n = stepper.accounts, len(columns)
        self._take_events = stepper.take_events
        self._values, self._grid = stepper.values, grid
        self.columns = np.array(columns, dtype=np.intp)
        width = len(columns) + 2 * len(self._accounts)
        room = grid.count + 1
        if sink is not None:
            room = min(room, max(16, _BUFFER_BYTES // (8 * (width + 1))))
        self._rows = np.empty((room, width))
        self._first, self._fill = 0, 0
        self._events: list[Event] = []
        self._sink = sink
        self._recording: Recording | None = None
        self._thinner: Thinner | None = None
        self._flushed_s = 0.0
        self._is_open_end = False  # the last row is not in the recording

    def open(
        self,
        series: Series,
        document: Callable[[], Mapping[str, Any]],
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin, or go on.

        Args:
            series: The columns.
            document: Says what is known of the run.
            state: From `freeze`.
        """
        if self._sink is not None:
            place = None if state is None else state["place"]
            if self._sink.thinning is not None:
                self._thinner = self._sink.thinning.start(series.names)
            self._recording = self._sink.open(series, document(), place)
            self._flushed_s = time.monotonic()
        if state is not None:
            self._resume(state)

    @property
    def count(self) -> int:
        """Communication points recorded, the start included."""
        return self._first + self._fill

    def room(self, wanted: int) -> Vector:
        """Return rows to be written, at most so many."""
        if self._fill == len(self._rows):
            self._hand_on()
        return self._rows[self._fill :][:wanted]

    def written(self, n: int) -> None:
        """Take rows over that were written to `room`, and what happened meanwhile."""
        self._fill += n
        for tick, name in self._take_events():
            self._events.append(Event(time_s=seconds(tick), component=name))
        if self._sink is not None:
            now_s = time.monotonic()
            if now_s - self._flushed_s >= self._sink.flush_s:
                self._hand_on()
                self._flushed_s = now_s

    def read(self, row: Vector) -> None:
        """Write the values now to a row."""
        if self._accounts:
            flat = [(a.energy_J, a.residual_J) for a in self._accounts]
            row[self._n :] = np.ravel(flat)
            row = row[: self._n]
        self._values.take(self.columns, None, row, "clip")

    def add(self) -> None:
        """Record the values now."""
        self.read(self.room(1)[0])
        self.written(1)

    def freeze(self) -> dict[str, Any]:
        """Return what `open` needs to go on in another process."""
        if self._recording is None:
            rows = self._rows[: self._fill].copy()
            return {"rows": rows, "events": _plain(self._events)}
        self._hand_on()
        return {
            "place": dict(self._recording.place()),
            "first": self._first,
            "last": self._rows[:1].copy(),
            "is_open_end": self._is_open_end,
            "reference": None if self._thinner is None else self._thinner.reference,
        }

    def _resume(self, state: Mapping[str, Any]) -> None:
        if self._recording is None:
            self._fill = len(state["rows"])
            self._rows[: self._fill] = state["rows"]
            self._events = [Event(time_s=t, component=c) for t, c in state["events"]]
            return
        self._first, self._fill = int(state["first"]), 0
        self._rows[:1], self._is_open_end = state["last"], state["is_open_end"]
        if self._thinner is not None:
            self._thinner.reference = state["reference"]

    def finish(self, document: Callable[[], Mapping[str, Any]]) -> None:
        """End the recording; `document` says what is known of the run."""
        if self._recording is not None:
            self._hand_on()
            if self._is_open_end:
                self._put(self._rows[:1], np.ones(1, dtype=bool), self._first - 1)
            self._recording.finish(document())

    def abandon(self) -> None:
        """Leave the recording as it is, with all rows so far."""
        if self._recording is not None:
            self._hand_on()
            self._recording.abandon()

    def kept(self) -> tuple[Vector, Vector, tuple[Event, ...]]:
        """Return times, rows and events that were not handed on; at least the last."""
        first, fill = self._first, self._fill
        if self._recording is not None and not fill and first:
            first, fill = first - 1, 1  # `_hand_on` leaves it in the first row
        times_s = self._grid.times_s(fill, first)
        return times_s, self._rows[:fill], tuple(self._events)

    def _hand_on(self) -> None:
        fill, rows = self._fill, self._rows[: self._fill]
        if self._recording is None or not fill:
            return
        chosen = np.ones(fill, dtype=bool)
        if self._thinner is not None:
            times_s = self._grid.times_s(fill, self._first)
            happened = np.zeros(fill, dtype=bool)
            for event in self._events:
                at = int(np.searchsorted(times_s, event.time_s, side="left"))
                happened[min(at, fill - 1)] = True
            happened[0] |= self._first == 0
            chosen = self._thinner.choose(rows, self._first, happened)
        self._put(rows, chosen, self._first)
        self._is_open_end = not chosen[-1]
        self._rows[0] = rows[-1]
        self._first, self._fill = self._first + fill, 0

    def _put(self, rows: Vector, chosen: NDArray[np.bool_], first: int) -> None:
        times_s = self._grid.times_s(len(rows), first)
        if self._recording is not None:
            self._recording.write(times_s[chosen], rows[chosen], tuple(self._events))
        self._events.clear()


def _plain(events: list[Event]) -> list[tuple[float, str]]:
    return [(event.time_s, event.component) for event in events]
