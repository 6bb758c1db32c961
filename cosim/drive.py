"""`drive`: take a run through its steps in blocks, with what happens between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from packtwin.cosim.keeper import Keeper
from packtwin.cosim.python_loop import Loop
from packtwin.cosim.real_time import Pacer
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.result import RunStatus
from packtwin.cosim.stopping import Stop
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds

__all__ = ["Care", "drive"]

Progress: TypeAlias = Callable[[float], None]

_SHORT_S = 0.02  # blocks grow until they take longer


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """What happens between the blocks of a run.

    Attributes:
        progress: Called with the fraction done.
        pacer: Holds the run to the clock.
        keeper: Saves the run.
    """

    progress: Progress | None = None
    pacer: Pacer | None = None
    keeper: Keeper | None = None

    def limit(self, done: int, span: int) -> int:
        """Return how many of `span` steps may be taken at once after `done` steps."""
        if self.pacer is not None:
            span = min(span, self.pacer.steps)
        if self.keeper is not None:
            span = min(span, self.keeper.steps_until_due(done) or span)
        return span

    def take(self, grid: TimeGrid, done: int, *, is_end: bool) -> None:
        """Do what is due after `done` steps."""
        if self.pacer is not None:
            self.pacer.meet(grid.tick(done))
        if self.progress is not None:
            stride = _stride(grid)
            if done % stride == 0 or done == grid.count:
                self.progress(done / grid.count)
        if self.keeper is not None:
            self.keeper.look(done, is_end=is_end)


def drive(
    loop: Loop,
    grid: TimeGrid,
    recorder: Recorder,
    stops: Sequence[Stop],
    care: Care,
) -> RunStatus:
    """Run to the end or to a stop condition.

    Args:
        loop: Takes the steps.
        grid: The communication points.
        recorder: Has recorded up to where the run is.
        stops: Conditions that end the run, as the loop counts them.
        care: What happens between.

    Raises:
        StepError: A component failed; the rows before are recorded.
    """
    stride = grid.count if care.progress is None else _stride(grid)
    done, size = recorder.count - 1, 1
    if care.pacer is not None:
        care.pacer.begin(grid.tick(done))
    while done < grid.count:
        began_s = time.perf_counter()
        span = min(size, stride - done % stride, grid.count - done)
        rows = recorder.room(care.limit(done, span))
        try:
            taken, met = loop.advance(grid, done, rows)
        finally:
            recorder.written(loop.taken)
        done += taken
        took_s = time.perf_counter() - began_s
        care.take(grid, done, is_end=met >= 0 or done == grid.count)
        if met >= 0:
            time_s = seconds(grid.tick(done))
            return RunStatus(kind="stopped", time_s=time_s, reason=stops[met][0])
        if took_s < _SHORT_S:
            size *= 2
    return RunStatus(kind="completed", time_s=seconds(grid.stop))


def _stride(grid: TimeGrid) -> int:
    """Return the steps between two calls of `progress`."""
    return max(1, grid.count // 100)
