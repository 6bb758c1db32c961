"""`Keeper`: saves a run to a file on its way, and when it is interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, final

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.checkpoint import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds
from packtwin.twin.errors import ScenarioError

__all__ = ["Keeper", "keeper_of", "resumed_state"]


@final
class Keeper:
    """Saves a run at communication points; while entered, Ctrl-C waits for the next.

    A second Ctrl-C does not wait.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        identity: Mapping[str, Any],
        freeze: Callable[[], Any],
    ) -> None:
        """Prepare.

        Args:
            checkpoint: When and where.
            identity: What must be the same for whoever goes on.
            freeze: Returns the state of the run, at a communication point.
        """
        self._wanted, self._identity, self._freeze = checkpoint, identity, freeze
        self._is_interrupted = False
        self._former: Any = None
        self._is_listening = False

    def __enter__(self) -> Keeper:
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._note)
            self._is_listening = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_listening:  # a handler that is not Python's cannot be put back
            signal.signal(signal.SIGINT, self._former or signal.SIG_DFL)
            self._is_listening = False

    def steps_until_due(self, done: int) -> int | None:
        """Return how many steps may be taken before the next time; None: any number."""
        every = self._wanted.every
        return None if every is None else every - done % every

    def look(self, done: int, *, is_end: bool) -> None:
        """Save the run if it is time.

        Raises:
            KeyboardInterrupt: The run was interrupted; it is saved.
        """
        every = self._wanted.every
        is_due = every is not None and done % every == 0 and not is_end
        if is_due or self._is_interrupted or (is_end and self._wanted.is_at_end):
            write_checkpoint(self._wanted.path, self._identity, self._freeze())
        if self._is_interrupted:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_interrupted:
            raise KeyboardInterrupt
        self._is_interrupted = True


def keeper_of(
    checkpoint: Checkpoint | None,
    identity: Mapping[str, Any],
    stepper: AbstractStepper,
    recorder: Recorder,
    grid: TimeGrid,
) -> Keeper | None:
    """Return what saves a run, if it is to be saved."""
    if checkpoint is None:
        return None

    def freeze() -> dict[str, Any]:
        step = recorder.count - 1
        return {
            "step": step,
            "tick": grid.tick(step),
            "recorder": recorder.freeze(),
            "stepper": stepper.freeze(),
        }

    return Keeper(checkpoint, identity, freeze)


def resumed_state(
    path: Path | str, identity: Mapping[str, Any], grid: TimeGrid, *, has_sink: bool
) -> Mapping[str, Any]:
    """Return the state of a saved run that goes on on these communication points.

    Raises:
        ScenarioError: It is none of this run.
    """
    state: Mapping[str, Any] = read_checkpoint(path, identity)
    step, tick = state["step"], state["tick"]
    if step > grid.count or grid.tick(step) != tick:
        msg = (
            f"`{path}` was saved at {seconds(tick):.9g} s after {step} steps, which is "
            "no communication point of this run before its end; give the `stop_s` and "
            "`step_s` of the run that was saved, or a later `stop_s` that its steps "
            "meet."
        )
        raise ScenarioError(msg)
    if has_sink != ("place" in state["recorder"]):
        kept = "in a file by a sink" if has_sink is False else "in memory"
        msg = (
            f"The rows before `{path}` were kept {kept}; go on with"
            f"{'out' if has_sink else ''} a `sink`."
        )
        raise ScenarioError(msg)
    return state
