"""`PythonLoop`: the steps of a run in Python, the reference of the loop in C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.stopping import Stop
from packtwin.cosim.time_grid import TimeGrid

__all__ = ["Loop", "PythonLoop"]

Vector: TypeAlias = NDArray[np.float64]


@runtime_checkable
class Loop(Protocol):
    """Takes many steps of a started run at once.

    Attributes:
        taken: Steps taken by the last `advance`, also if it failed.
    """

    taken: int

    def advance(self, grid: TimeGrid, first: int, rows: Vector) -> tuple[int, int]:
        """Take steps, as many as there are rows, from communication point `first`.

        Args:
            grid: The communication points.
            first: Number of the one where the run is.
            rows: Receives the recorded signals after each step.

        Returns:
            Steps taken, and the stop condition that was met or -1.

        Raises:
            StepError: With component, time and reason. What was taken before is in
                `rows`; `taken` says how much.
        """
        ...


@final
class PythonLoop:
    """The loop in Python; see `Loop`."""

    def __init__(
        self,
        stepper: AbstractStepper,
        read: Callable[[Vector], None],
        stops: Sequence[Stop],
    ) -> None:
        """Prepare.

        Args:
            stepper: The run, initialized.
            read: Writes the recorded signals to a row.
            stops: Conditions that end the run.
        """
        self._stepper, self._read = stepper, read
        self._conditions = [is_met for _, is_met, _ in stops]
        self.taken = 0

    def advance(self, grid: TimeGrid, first: int, rows: Vector) -> tuple[int, int]:
        """Take steps; see `Loop.advance`."""
        accounts, advance, read = (
            self._stepper.accounts,
            self._stepper.advance,
            self._read,
        )
        tick, *ends = grid.ticks(first, len(rows) + 1).tolist()
        self.taken = 0
        for row, end_tick in zip(rows, ends, strict=True):
            advance(tick, end_tick)
            for account in accounts:
                account.check(end_tick)
            tick = end_tick
            read(row)
            self.taken += 1
            for i, is_met in enumerate(self._conditions):
                if is_met():
                    return self.taken, i
        return self.taken, -1
