"""`drive`: take a run through its steps in blocks, with what happens between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from packtwin.cosim.python_loop import Loop
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
    """

    progress: Progress | None = None


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
    stride = max(1, grid.count // 100)
    done, size = recorder.count - 1, 1
    while done < grid.count:
        began_s = time.perf_counter()
        span = min(size, stride - done % stride, grid.count - done)
        try:
            taken, met = loop.advance(grid, done, recorder.room(span))
        finally:
            recorder.written(loop.taken)
        done += taken
        if care.progress is not None and (done % stride == 0 or done == grid.count):
            care.progress(done / grid.count)
        if met >= 0:
            time_s = seconds(grid.tick(done))
            return RunStatus(kind="stopped", time_s=time_s, reason=stops[met][0])
        if time.perf_counter() - began_s < _SHORT_S:
            size *= 2
    return RunStatus(kind="completed", time_s=seconds(grid.stop))
