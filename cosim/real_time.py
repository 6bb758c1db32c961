"""`RealTime`: runs that wait for the clock, and how well they keep up with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds
from packtwin.twin.errors import ScenarioError

__all__ = ["Pacer", "RealTime"]

Clock: TypeAlias = Callable[[], float]
Sleep: TypeAlias = Callable[[float], None]

_COARSE_S = 3e-4  # a sleep may end that much late; the rest is waited for awake
# Classes of lateness for the percentiles: 40 a decade, from 1e-7 s to 1e4 s.
_DECADES, _PER_DECADE, _LEAST_S = 11, 40, 1e-7


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RealTime:
    """A pace for a run: a communication point is reached when the clock says so.

    A run that comes too late goes on at once and catches up when it can.

    Attributes:
        factor: Simulated seconds per second.
        block_s: Communication points closer together than this are met in blocks.
        clock: Seconds that never go back.
        sleep: Waits for some seconds.
    """

    factor: float = 1.0
    block_s: float = 1e-3
    clock: Clock = time.perf_counter
    sleep: Sleep = time.sleep

    def __post_init__(self) -> None:
        """Check it."""
        if not (0.0 < self.factor < math.inf and 0.0 <= self.block_s < math.inf):
            msg = (
                f"A run cannot be paced at {self.factor} times real time in blocks of "
                f"{self.block_s} s; expected a factor above 0 and 0 s or more."
            )
            raise ScenarioError(msg)


@final
class Pacer:
    """Holds one run to its pace.

    Attributes:
        steps: Communication steps between two deadlines.
    """

    def __init__(self, pace: RealTime, grid: TimeGrid) -> None:
        """Prepare a run on these communication points."""
        self._pace = pace
        step_s = seconds(grid.step) / pace.factor
        self.steps = max(1, int(pace.block_s / step_s + 1e-9))
        self._count, self._missed, self._worst_s = 0, 0, 0.0
        self._classes = np.zeros(_DECADES * _PER_DECADE, dtype=np.int64)

    def begin(self, tick: int) -> None:
        """Start the clock: `tick` is now."""
        self._from, self._from_s = tick, self._pace.clock()

    def meet(self, tick: int) -> None:
        """Wait until `tick` is due, or take down how late it is."""
        pace = self._pace
        due_s = self._from_s + seconds(tick - self._from) / pace.factor
        late_s = pace.clock() - due_s
        self._count += 1
        if late_s > 0.0:
            self._missed += 1
            self._worst_s = max(self._worst_s, late_s)
            place = int(_PER_DECADE * math.log10(max(late_s / _LEAST_S, 1.0)))
            self._classes[min(place, len(self._classes) - 1)] += 1
            return
        while (left_s := due_s - pace.clock()) > 0.0:
            pace.sleep(left_s - _COARSE_S if left_s > 2.0 * _COARSE_S else 0.0)

    @property
    def stats(self) -> dict[str, float]:
        """Deadlines, those missed, and lateness in seconds (0 where it was in time).

        Percentiles are exact to 6 %.
        """
        return {
            "factor": self._pace.factor,
            "deadline_count": self._count,
            "missed_count": self._missed,
            "worst_lateness_s": self._worst_s,
            **{f"lateness_p{p}_s": self._percentile(p) for p in (50, 95, 99)},
        }

    def _percentile(self, percent: int) -> float:
        rank = math.ceil(percent / 100.0 * self._count)
        if rank <= self._count - self._missed:
            return 0.0
        reached = self._count - self._missed + np.cumsum(self._classes)
        place = int(np.searchsorted(reached, rank))
        found = _LEAST_S * 10.0 ** ((place + 1) / _PER_DECADE)
        return float(min(found, self._worst_s))
