"""`Signals`: what all outputs do over one step, as far as it is known.

Smooth signals are cubics with values and derivatives at both ends; until their end is
known they are continued from the step before. Means over the step and discrete signals
are constant over it, with the value they have at its end.
"""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.finite import is_finite
from packtwin.cosim.hermite import hermite_rows, quadratic_rows
from packtwin.twin.input_polynomial import value_at

__all__ = ["Signals"]

Vector: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]


@final
class Signals:
    """All signals of a run over the present step.

    Attributes:
        start: Values at its start; those of the run.
        slopes: Time derivatives at its start, NaN where unknown.
        rows: Taylor polynomials over it.
        continued: Values at its end as expected from the step before.
        end: Values at its end, or means over it.
        end_slopes: Time derivatives at its end, NaN where unknown.
        is_smooth: Signals with derivatives.
        span_s: Its length.
    """

    def __init__(self, start: Vector, is_smooth: NDArray[np.bool_]) -> None:
        """Share the vector of values with a run."""
        n = len(start)
        self.start, self.is_smooth = start, is_smooth
        self._is_held = ~is_smooth if not is_smooth.all() else None
        self.slopes, self.end_slopes = np.zeros(n), np.zeros(n)
        self.rows, self.end, self.span_s = np.zeros((4, n)), start.copy(), 0.0
        self.continued = start.copy()
        self._curvature = np.zeros(n)

    def restart(self, places: slice, slopes: Vector) -> None:
        """Give derivatives after the start or an event; nothing is continued."""
        self.slopes[places] = slopes
        self._curvature[places] = 0.0

    def begin(self, span_s: float) -> None:
        """Begin a step: continue every signal."""
        self.span_s = span_s
        rows = self.rows
        rows[0] = self.start
        rows[1] = self.slopes
        if not is_finite(self.slopes):
            rows[1, ~np.isfinite(self.slopes)] = 0.0
        rows[2], rows[3] = self._curvature, 0.0
        if self._is_held is not None:
            rows[1:, self._is_held] = 0.0
        self.continued = value_at(list(rows), span_s)
        self.end = self.continued.copy()
        self.end_slopes = rows[1] + span_s * rows[2]

    def put(self, places: slice | Indices, end: Vector, end_slopes: Vector) -> None:
        """Give what some signals are at the end."""
        self.end[places], self.end_slopes[places] = end, end_slopes
        h, rows = self.span_s, self.rows
        y0, d0, d1 = self.start[places], self.slopes[places], end_slopes
        if not is_finite(d1):
            d1 = np.where(np.isfinite(d1), d1, (end - y0) / h)
        for row, values in zip(rows, hermite_rows(y0, d0, end, d1, h), strict=True):
            row[places] = values
        if not is_finite(d0):
            is_new = ~np.isfinite(d0)
            parabola = quadratic_rows(y0, end, d1, h)
            rows[:, places] = np.where(is_new, parabola, rows[:, places])
        if self._is_held is None:
            return
        is_held = self._is_held[places]
        if is_held.any():
            held = np.zeros((len(rows), len(is_held)))
            held[0] = end
            rows[:, places] = np.where(is_held, held, rows[:, places])

    def commit(self) -> None:
        """Take the end as the start of the next step."""
        self._curvature = value_at(list(self.rows[2:]), self.span_s)
        if self._is_held is not None:
            self._curvature[self._is_held] = 0.0
        self.start[...] = self.end
        self.slopes = self.end_slopes.copy()

    def save(self) -> tuple[Vector, Vector, Vector]:
        """Return what `restore` needs to begin the present step again."""
        return self.start.copy(), self.slopes.copy(), self._curvature.copy()

    def restore(self, state: tuple[Vector, Vector, Vector]) -> None:
        """Go back to before a step."""
        start, slopes, curvature = state
        self.start[...] = start
        self.slopes, self._curvature = slopes.copy(), curvature.copy()
