"""`AdaptivePace`: steps whose error, measured by halving them, stays in a budget."""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.indicator_pace import IndicatorPace
from packtwin.cosim.pace import EVENT_LIMIT, PacedRun, fitting, standstill
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError

__all__ = ["AdaptivePace"]

Vector: TypeAlias = NDArray[np.float64]

_REJECTION_LIMIT = 30  # in a row
_FADING = 5.0  # errors of single steps partly fade and cancel before the end
_SAFETY, _LEAST, _MOST = 0.8, 0.2, 3.0
_SHORTEST_TICK = 100
_LEAST_ERROR = 1e-6


@final
class AdaptivePace:
    """Chooses steps by their error, with rejection and a proportional-integral rule.

    K. Gustafsson, ACM Trans. Math. Softw. 17 (1991) 533-554, doi:10.1145/210232.210242.
    """

    def __init__(self, tolerance: float, duration_s: float) -> None:
        """Set the budget.

        Args:
            tolerance: Error of the run as a fraction of a signal's size or nominal.
            duration_s: Length of the run.
        """
        self._tolerance, self._duration_s = tolerance, duration_s
        self._span = 0.0  # of the next step, in ticks; 0: as long as it can be
        self._last_error = 1.0
        self._accepted = self._rejected = 0
        self._forward = IndicatorPace(tolerance)

    def scheme(self, unable: list[str]) -> str:
        """Say in words how, if some components cannot go back."""
        if not unable:
            return "by their error, repeated where it was too large"
        return f"by an indicator, none repeated: no way back for {', '.join(unable)}"

    @property
    def counts(self) -> dict[str, int]:
        """Accepted and rejected steps, or what `IndicatorPace` counts."""
        forward = self._forward.counts
        if forward["accepted steps"]:
            return forward
        return {"accepted steps": self._accepted, "rejected steps": self._rejected}

    def freeze(self) -> tuple[tuple[float, float, int, int], tuple[float, int, int]]:
        """Return step, error and counts."""
        own = (self._span, self._last_error, self._accepted, self._rejected)
        return own, self._forward.freeze()

    def thaw(
        self, state: tuple[tuple[float, float, int, int], tuple[float, int, int]]
    ) -> None:
        """Take step, error and counts over."""
        own, forward = state
        self._span, self._last_error, self._accepted, self._rejected = own
        self._forward.thaw(forward)

    def advance(self, run: PacedRun, tick: int, end_tick: int) -> None:
        """Step `run` from `tick` to `end_tick`.

        Where a component cannot go back, its steps are chosen by `IndicatorPace`.

        Raises:
            StepError: No step, however short, is good enough.
        """
        if run.unable:
            self._forward.advance(run, tick, end_tick)
            return
        for _ in range(EVENT_LIMIT * 1000):
            if tick == end_tick:
                return
            tick = self._step(run, tick, end_tick)
        raise standstill(tick, "the steps have become too short to get on")

    def _step(self, run: PacedRun, tick: int, end_tick: int) -> int:
        state = run.save()
        refusal: StepError | None = None
        for _ in range(_REJECTION_LIMIT):
            span = fitting(self._span or float(end_tick - tick), end_tick - tick)
            try:
                reached, error, worst = self._attempt(run, state, tick, tick + span)
                refusal = None
            except StepError as caught:  # perhaps the step is too long for it
                reached, error, worst, refusal = tick, 1e6, 0, caught
            order = run.order_of_accuracy
            if error <= 1.0:
                self._accepted += 1
                if error == _LEAST_ERROR and reached < tick + span:
                    return reached  # nothing was learned of the step's length
                growth = error ** (-0.7 / order) * self._last_error ** (0.4 / order)
                self._span = span * min(_MOST, max(_LEAST, _SAFETY * growth))
                self._last_error = error
                return reached
            self._rejected += 1
            run.restore(state)
            shrink = max(_LEAST, _SAFETY * error ** (-1.0 / order))
            self._span = span * shrink
            if self._span < _SHORTEST_TICK:
                break
        if refusal is not None:
            raise refusal
        name = run.output_names[worst]
        reason = (
            f"the error of `{name}` stays above the tolerance in ever shorter steps"
        )
        raise standstill(tick, reason, name.partition(".")[0])

    def _attempt(
        self, run: PacedRun, state: object, tick: int, end_tick: int
    ) -> tuple[int, float, int]:
        """Step whole, then in halves; return where, the error and the worst signal."""
        whole = run.advance_to_event(tick, end_tick)
        if whole - tick < _SHORTEST_TICK:  # an event is next; halves would be nothing
            return whole, _LEAST_ERROR, 0
        y, slopes = run.values.copy(), run.signals.slopes.copy()
        run.restore(state)
        reached = run.advance_to_event(tick, (tick + whole) // 2)
        if whole < end_tick and reached < whole:  # look for the event up to the end
            reached = run.advance_to_event(reached, end_tick)
        elif reached < whole:
            reached = run.advance_to_event(reached, whole)
        span_s = seconds(max(whole, reached) - tick)
        smooth = run.signals.is_smooth
        gap = np.abs(run.values - y)
        # Slopes by differences differ between the two for other reasons.
        bend = span_s * np.nan_to_num(np.abs(run.signals.slopes - slopes))
        gap += np.where(run.has_slopes, bend, 0.0)
        gap += abs(seconds(reached - whole)) * np.nan_to_num(np.abs(slopes))
        size = np.maximum(run.nominal, np.abs(y))
        error = np.where(smooth, gap / size, 0.0)
        worst = int(error.argmax()) if error.size else 0
        share = _FADING * self._tolerance * min(1.0, span_s / self._duration_s)
        richardson = 2.0**run.order_of_accuracy - 1.0
        return (
            reached,
            max(float(error[worst]) / richardson / share, _LEAST_ERROR),
            worst,
        )
