"""Run a system with the loop in C, where nothing needs Python in every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.compiled_loop import CompiledLoop
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.result import RunStatus
from packtwin.cosim.stepper import Stepper
from packtwin.cosim.stop_condition import StopCondition
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds
from packtwin.twin.errors import CompilerError

__all__ = ["Stop", "loop_in_c", "run_in_c"]

Condition: TypeAlias = tuple[int, StopCondition]
Stop: TypeAlias = tuple[str, Callable[[], bool], Condition | None]


def loop_in_c(
    stepper: AbstractStepper, recorder: Recorder, stops: list[Stop]
) -> CompiledLoop | None:
    """Return the loop in C if the master wants one and there can be one.

    What was decided is said in `stepper.loop`.

    Args:
        stepper: A started run.
        recorder: What is to be recorded.
        stops: Stop conditions.
    """
    if not isinstance(stepper, Stepper) or not stepper.wants_c:
        return None
    conditions = [condition for _, _, condition in stops if condition is not None]
    if stepper.accounts or len(conditions) < len(stops):
        stepper.loop = "Python, which bonds and functions as stop conditions need"
        return None
    try:
        loop = CompiledLoop(stepper, recorder.columns, conditions)
    except CompilerError as error:
        stepper.loop = f"Python: {error}"
        return None
    native = ", ".join(loop.native_names) or "no component"
    stepper.loop = f"C, which calls without Python: {native}"
    return loop


def run_in_c(
    loop: CompiledLoop,
    grid: TimeGrid,
    recorder: Recorder,
    stops: list[Stop],
    progress: Callable[[float], None] | None,
) -> RunStatus:
    """Run to the end or to a stop condition, a hundredth at a time.

    Raises:
        StepError: A component failed; the rows before are recorded.
    """
    stride = max(1, grid.count // 100)
    done = 0
    while done < grid.count:
        span = min(stride, grid.count - done)
        try:
            taken, met = loop.advance(grid, done, recorder.rows[done + 1 :][:span])
        finally:
            recorder.count += loop.taken
        done += taken
        if progress is not None:
            progress(done / grid.count)
        if met >= 0:
            time_s = seconds(grid.tick(done))
            return RunStatus(kind="stopped", time_s=time_s, reason=stops[met][0])
    return RunStatus(kind="completed", time_s=seconds(grid.stop))
