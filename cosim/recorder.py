"""`Recorder`: rows of chosen signals and of the accounts of power bonds."""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.abstract_stepper import AbstractStepper

__all__ = ["Recorder"]

Vector: TypeAlias = NDArray[np.float64]


@final
class Recorder:
    """Rows of chosen signals; only rows written take memory.

    Attributes:
        rows: Those written, `count` of them, then free space.
        count: Rows written.
        columns: Places of the signals.
    """

    def __init__(
        self, stepper: AbstractStepper, columns: list[int], n_step: int
    ) -> None:
        """Make room.

        Args:
            stepper: The run.
            columns: Places of the signals to record.
            n_step: Steps of the run.
        """
        self._accounts, self._n = stepper.accounts, len(columns)
        self.rows = np.empty((n_step + 1, len(columns) + 2 * len(self._accounts)))
        self.count = 0
        self._values = stepper.values
        self.columns = np.array(columns, dtype=np.intp)

    def add(self) -> None:
        """Record the values now."""
        row = self.rows[self.count]
        if self._accounts:
            flat = [(a.energy_J, a.residual_J) for a in self._accounts]
            row[self._n :] = np.ravel(flat)
            row = row[: self._n]
        self._values.take(self.columns, None, row, "clip")
        self.count += 1
