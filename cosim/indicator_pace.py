"""`IndicatorPace`: steps by an indicator of their error, where none can be repeated.

Components that cannot go back see signals continued from the step before. Where such a
signal really ends is known after the step, at no cost: the difference is what others
were told wrong. Steps are as long as keeps it within the tolerance. One that was too
long stands; the next is shorter. L. T. Kyllingstad, S. Sadjina, S. Skjong, Simul.
Model. Pract. Theory 145 (2025) 103209, doi:10.1016/j.simpat.2025.103209.
"""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.pace import EVENT_LIMIT, PacedRun, fitting, standstill
from packtwin.twin.component import seconds

__all__ = ["IndicatorPace"]

Vector: TypeAlias = NDArray[np.float64]

_FIRST_SHARE = 1e-2  # of a communication step at most: nothing is known of the first
_ORDER = 3  # of the error of a parabola
_SAFETY, _LEAST, _MOST = 0.8, 0.2, 2.0
_SHORTEST_TICK = 100
# How errors add up over a run, by trial on systems with exact solutions.
_GAP, _HELD = 3.0, 1.0


@final
class IndicatorPace:
    """Chooses the next step by how well the last one was foreseen."""

    def __init__(self, tolerance: float) -> None:
        """Set what a signal may be off by, as a fraction of its size or nominal."""
        self._tolerance = tolerance
        self._span = 0.0
        self._accepted = self._late = 0

    @property
    def counts(self) -> dict[str, int]:
        """Steps, and those of them that turned out too long."""
        return {"accepted steps": self._accepted, "steps found too long": self._late}

    def freeze(self) -> tuple[float, int, int]:
        """Return step and counts."""
        return self._span, self._accepted, self._late

    def thaw(self, state: tuple[float, int, int]) -> None:
        """Take step and counts over."""
        self._span, self._accepted, self._late = state

    def advance(self, run: PacedRun, tick: int, end_tick: int) -> None:
        """Step `run` from `tick` to `end_tick`.

        Raises:
            StepError: The steps have become too short to get on.
        """
        share = min(_FIRST_SHARE, self._tolerance)
        self._span = self._span or max(share * (end_tick - tick), _SHORTEST_TICK)
        for _ in range(EVENT_LIMIT * 1000):
            if tick == end_tick:
                return
            span = fitting(self._span, end_tick - tick)
            before = run.values.copy()
            reached = run.advance_to_event(tick, tick + span)
            error, worst = self._indicated(run, before, seconds(reached - tick))
            self._accepted += 1
            self._late += error > 1.0
            change = _SAFETY * max(error, 1e-12) ** (-1.0 / _ORDER)
            self._span = max(span, self._span) * min(_MOST, max(_LEAST, change))
            if self._span < _SHORTEST_TICK:
                name = run.output_names[worst]
                reason = f"`{name}` cannot be foreseen in ever shorter steps"
                raise standstill(reached, reason, name.partition(".")[0])
            tick = reached
        raise standstill(tick, "the steps have become too short to get on")

    def _indicated(
        self, run: PacedRun, before: Vector, span_s: float
    ) -> tuple[float, int]:
        """Return the error over the tolerance and its signal."""
        size = np.maximum(run.nominal, np.abs(before))
        gap = np.where(run.is_exchanged, np.abs(run.values - run.continued), 0.0)
        gap *= _GAP / size
        change = np.abs(run.values - before) / size
        # A held input is wrong by its slope; what that does shows in what changes.
        gap += np.where(run.is_held, _HELD * change * change.max(initial=0.0), 0.0)
        worst = int(gap.argmax()) if gap.size else 0
        return (float(gap[worst]) / self._tolerance if gap.size else 0.0), worst
