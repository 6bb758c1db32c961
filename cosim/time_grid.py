"""`TimeGrid`: the communication points of a run, in integer ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.component import TICKS_PER_SECOND, ticks
from packtwin.twin.errors import ScenarioError

__all__ = ["TimeGrid"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGrid:
    """Equal steps that land exactly on the end; a rest makes the last step shorter.

    Attributes:
        start: First tick.
        stop: Last tick.
        step: Ticks of a step, to the nearest one.
        count: Number of steps.
        is_even: Whether `count` equal steps fill the run, up to one tick each.
    """

    start: int
    stop: int
    step: int
    count: int
    is_even: bool

    @classmethod
    def from_seconds(cls, start_s: float, stop_s: float, step_s: float) -> TimeGrid:
        """Make the grid of a run.

        A step that does not fit in whole ticks (1/3 s) is rounded communication point
        by communication point, so that no error piles up.
        """
        if not (math.isfinite(start_s) and math.isfinite(stop_s) and start_s < stop_s):
            msg = (
                f"A run cannot go from `start_s` = {start_s} s to `stop_s` = {stop_s} "
                "s; expected finite times, the end after the start."
            )
            raise ScenarioError(msg)
        if not (math.isfinite(step_s) and ticks(step_s) >= 1):
            msg = (
                f"`step_s` is {step_s} s, expected a finite step of at least 1e-9 s, "
                "the resolution of time."
            )
            raise ScenarioError(msg)
        start, stop, step = ticks(start_s), ticks(stop_s), ticks(step_s)
        nearest = round((stop_s - start_s) / step_s)
        # Every step may be off by half a tick and stop_s - start_s by rounding.
        is_even = nearest > 0 and abs(stop - start - nearest * step) <= nearest
        count = nearest if is_even else -(-(stop - start) // step)
        return cls(start=start, stop=stop, step=step, count=count, is_even=is_even)

    def tick(self, k: int) -> int:
        """Return the tick at the end of step `k`; `tick(0)` is the start."""
        if self.is_even:
            return self.start + k * (self.stop - self.start) // self.count
        return min(self.start + k * self.step, self.stop)

    @property
    def first_ticks(self) -> tuple[int, ...]:
        """The first few communication points, enough for a trial."""
        return tuple(self.tick(k) for k in range(min(self.count, 3) + 1))

    def ticks(self, first: int, count: int) -> NDArray[np.int64]:
        """Return `count` communication points from number `first` on."""
        k = np.arange(first, first + count, dtype=np.int64)
        if not self.is_even:
            return np.minimum(self.start + k * self.step, self.stop)
        # Quotient and rest apart, so that no product leaves 64 bits.
        whole, rest = divmod(self.stop - self.start, self.count)
        return self.start + k * whole + k * rest // self.count

    def times_s(self, count: int, first: int = 0) -> NDArray[np.float64]:
        """Return `count` communication points from number `first` on, in seconds."""
        times_s: NDArray[np.float64] = self.ticks(first, count) / TICKS_PER_SECOND
        return times_s
