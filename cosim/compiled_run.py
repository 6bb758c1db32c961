"""Whether the loop of a run can be in C."""

from __future__ import annotations

from collections.abc import Sequence

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.compiled_loop import CompiledLoop
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.stepper import Stepper
from packtwin.cosim.stopping import Stop
from packtwin.twin.errors import CompilerError

__all__ = ["loop_in_c"]


def loop_in_c(
    stepper: AbstractStepper, recorder: Recorder, stops: Sequence[Stop]
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
