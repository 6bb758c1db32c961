"""`Advance`: one step of an FMU instance, through early returns and events."""

from __future__ import annotations

import math
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.signals import Signals
from packtwin.fmu.stepping import AbstractStepping
from packtwin.twin.component import TICKS_PER_SECOND, seconds, ticks
from packtwin.twin.errors import FmuCallError
from packtwin.twin.input_polynomial import shifted
from packtwin.twin.step_map import StepStatus

__all__ = ["Advance", "StepEnd"]

Vector: TypeAlias = NDArray[np.float64]
StepEnd: TypeAlias = tuple[StepStatus, int, str]

_WARNING, _DISCARD = 1, 2
_MAX_STALLS = 10


@final
class Advance:
    """Takes steps: how each ended, at which tick, and why if it did not go well."""

    def __init__(
        self, instance: AbstractStepping, signals: Signals, *, reports_events: bool
    ) -> None:
        """Prepare the steps of an instance.

        Args:
            instance: What is stepped.
            signals: Its inputs.
            reports_events: End a step at an event instead of handling it.
        """
        self._instance, self._signals = instance, signals
        self._reports_events = reports_events

    def step(self, tick: int, end_tick: int, u: Vector) -> StepEnd:
        """Advance with constant inputs `(n_u,)` or their derivatives `(m, n_u)`.

        Raises:
            FmuCallError: A call failed; the message holds the FMU's log text.
        """
        instance = self._instance
        if instance.wants_end:
            return StepStatus.ENDED, tick, self._why()
        # Written out: a call is a tenth of a step.
        time_s = tick / TICKS_PER_SECOND
        length_s = (end_tick - tick) / TICKS_PER_SECOND
        if instance.is_early and _tick_from(instance.reached_s) == tick:
            # An early end need not be a whole tick.
            time_s = instance.reached_s
            length_s = seconds(end_tick) - time_s
        if u.ndim == 1:
            self._signals.hold(u)
            return self.conclude(instance.do_step(time_s, length_s), tick, end_tick, u)
        self._signals.follow(u, time_s)
        try:
            return self.conclude(instance.do_step(time_s, length_s), tick, end_tick, u)
        finally:
            instance.hold_inputs()

    def conclude(self, status: int, tick: int, end_tick: int, u: Vector) -> StepEnd:
        """Do what is left to do after a step's first call, which returned `status`."""
        if status > _WARNING:
            return self._refused(status, tick, end_tick)
        if self._instance.has_event or self._instance.is_early:
            return self._go_on(tick, end_tick, np.atleast_2d(u))
        return StepStatus.OK, end_tick, ""

    def _go_on(self, tick: int, end_tick: int, rows: Vector) -> StepEnd:
        """Handle events and early returns until the end."""
        instance, start_s, end_s = self._instance, seconds(tick), seconds(end_tick)
        stalls, before_s = 0, start_s
        while True:
            reached_s, is_early = instance.reached_s, instance.is_early
            reached = _tick_from(reached_s) if is_early else end_tick
            if instance.has_event and self._reports_events:
                return StepStatus.EVENT, reached, ""
            if instance.has_event:
                instance.count_event(reached_s if is_early else end_s)
                instance.handle_events()
            if reached >= end_tick:
                return StepStatus.OK, end_tick, ""
            if instance.wants_end:
                return StepStatus.ENDED, reached, self._why()
            stalls = stalls + 1 if reached_s <= before_s else 0
            if stalls > _MAX_STALLS:
                reason = f"it stays at {reached_s:.9g} s again and again"
                return StepStatus.REFUSED, reached, reason
            before_s = reached_s
            if len(rows) > 1:
                self._signals.follow(shifted(rows, reached_s - start_s), reached_s)
            status = instance.do_step(reached_s, end_s - reached_s)
            if status > _WARNING:
                return self._refused(status, reached, end_tick)

    def _refused(self, status: int, tick: int, end_tick: int) -> StepEnd:
        instance = self._instance
        if status != _DISCARD:
            error: FmuCallError = instance.call_error(
                f"{instance.dialect.prefix}DoStep", status
            )
            raise error
        reached = ticks(instance.reached_s)
        if instance.wants_end and reached >= end_tick:
            return StepStatus.OK, end_tick, ""  # FMI 2.0 ends a simulation so
        if instance.wants_end:
            return StepStatus.ENDED, max(tick, reached), self._why()
        reason = self._why() or "the FMU gives no reason"
        return StepStatus.REFUSED, max(tick, reached), reason

    def _why(self) -> str:
        """Return what the FMU said, if it did."""
        return self._instance.log.last_problem() or ""


def _tick_from(time_s: float) -> int:
    """Return the first tick that is not before an early end, but for rounding.

    A step that is repeated up to that tick comes to the same end.
    """
    exact = time_s * TICKS_PER_SECOND
    nearest = round(exact)
    is_whole = abs(exact - nearest) <= 4.0 * math.ulp(exact)
    return nearest if is_whole else math.ceil(exact)
