"""`Tape`: a run with held inputs that can be walked backwards in bounded memory.

About every square root of `n` steps the state of everything is kept; what lies between
is computed again when it is needed. A. Griewank, Optim. Methods Softw. 1 (1992) 35-54,
doi:10.1080/10556789208805505, keeps fewer states at the price of more steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.stepper import Stepper
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError
from packtwin.twin.sensitivities import TakenStep

__all__ = ["Tape"]

Vector: TypeAlias = NDArray[np.float64]
TakenSteps: TypeAlias = tuple[TakenStep, ...]
States: TypeAlias = tuple[Any, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    both: Vector
    states: States


@final
class Tape:
    """One run over a grid, for derivatives. All components must be able to rewind.

    Attributes:
        values: Of the chosen signals at every communication point, `(n + 1, n_column)`.
    """

    def __init__(
        self, stepper: Stepper, grid: TimeGrid, columns: Sequence[int]
    ) -> None:
        """Run from start to end.

        Args:
            stepper: What runs; its constants are set.
            grid: Communication points.
            columns: Places of the signals to record.

        Raises:
            StepError: A component failed.
        """
        self._stepper, self._grid, self._columns = stepper, grid, list(columns)
        self._stride = max(1, math.isqrt(grid.count))
        stepper.initialize(grid.start)
        self._start_inputs = stepper.start_inputs
        self._checkpoints = [self._save()]
        rows = [stepper.values[self._columns]]
        for k in range(grid.count):
            stepper.advance(grid.tick(k), grid.tick(k + 1))
            rows.append(stepper.values[self._columns])
            if (k + 1) % self._stride == 0 and k + 1 < grid.count:
                self._checkpoints.append(self._save())
        self.values = np.array(rows)

    @property
    def signal_count(self) -> int:
        """Outputs and constants of the system."""
        return len(self._stepper.values)

    def starts(self) -> list[TakenSteps]:
        """Start all components again, once for each pass of the start.

        The last pass is the start of the run; one before it found the values that
        delayed connections begin with.
        """
        found, slots, start = [], self._stepper.slots, self._grid.start
        for inputs in self._start_inputs:
            for slot, u in zip(slots, inputs, strict=True):
                slot.initialize(start, u)
            states = self._states()
            nothing = (None,) * len(slots)
            found.append(_taken((start, start), inputs, nothing, states))
        return found

    def forwards(self) -> Iterator[tuple[int, TakenSteps]]:
        """Go to the start and yield each step's number and what all components did."""
        return self._replay(0, self._grid.count)

    def backwards(self) -> Iterator[tuple[int, TakenSteps]]:
        """Yield the same from the last step to the first."""
        for first in reversed(range(0, self._grid.count, self._stride)):
            yield from reversed(list(self._replay(first, first + self._stride)))

    def _replay(self, first: int, last: int) -> Iterator[tuple[int, TakenSteps]]:
        """Take steps again from the number of a checkpoint.

        Raises:
            StepError: They come out different.
        """
        stepper, grid = self._stepper, self._grid
        checkpoint = self._checkpoints[first // self._stride]
        stepper.both[...] = checkpoint.both
        for slot, state in zip(stepper.slots, checkpoint.states, strict=True):
            slot.component.restore(state)
        before = checkpoint.states
        for k in range(first, min(last, grid.count)):
            ticks = grid.tick(k), grid.tick(k + 1)
            stepper.advance(*ticks)
            if not np.array_equal(stepper.values[self._columns], self.values[k + 1]):
                reason = "a component does not repeat a step after going back"
                msg = (
                    f"The step from {seconds(ticks[0]):.9g} s came out different the "
                    f"second time: {reason}; gradients need components that do."
                )
                raise StepError(msg, time_s=seconds(ticks[0]), reason=reason)
            after = self._states()
            inputs = [slot.u.copy() for slot in stepper.slots]
            yield k, _taken(ticks, inputs, before, after)
            before = after

    def _states(self) -> States:
        return tuple(slot.component.save() for slot in self._stepper.slots)

    def _save(self) -> _Checkpoint:
        return _Checkpoint(both=self._stepper.both.copy(), states=self._states())


def _taken(
    ticks: tuple[int, int], inputs: Sequence[Vector], before: States, after: States
) -> TakenSteps:
    start_s, span_s = seconds(ticks[0]), seconds(ticks[1] - ticks[0])
    return tuple(
        TakenStep(start_s=start_s, span_s=span_s, inputs=u, before=a, after=b)
        for u, a, b in zip(inputs, before, after, strict=True)
    )
