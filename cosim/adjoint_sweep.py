"""`sweep_back`: weights on signals carried from the end of a run to its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.slot import Slot
from packtwin.cosim.tape import Tape
from packtwin.twin.errors import StepError
from packtwin.twin.sensitivities import Effect, StepSensitivities, TakenStep

__all__ = ["RunGradient", "sweep_back"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunGradient:
    """The gradient of a loss.

    Attributes:
        signals: To every constant, at its place among the signals.
        parameters: To the parameters of every component, in the order of their steps.
    """

    signals: Vector
    parameters: tuple[Vector, ...]


def sweep_back(
    tape: Tape,
    slots: Sequence[Slot],
    sensitivities: Sequence[StepSensitivities | None],
    columns: Sequence[int],
    weights: Vector,
) -> RunGradient:
    """Return the gradient of `sum(weights * tape.values)`.

    Args:
        tape: A run.
        slots: Its components in the order of their steps.
        sensitivities: Of their steps; None for those that nothing influences.
        columns: Places of the signals that have weights.
        weights: `(n + 1, n_column)`.
    """
    sweep = _Sweep(slots, sensitivities, tape.signal_count)
    for k, taken in tape.backwards():
        sweep.add(columns, weights[k + 1])
        sweep.through_step(taken)
    sweep.add(columns, weights[0])
    for taken in reversed(tape.starts()):
        sweep.through_start(taken)
    return RunGradient(signals=sweep.signals, parameters=tuple(sweep.parameters))


@final
class _Sweep:
    """Weights of signals, memories and parameters, from a point of time on."""

    def __init__(
        self,
        slots: Sequence[Slot],
        sensitivities: Sequence[StepSensitivities | None],
        n_now: int,
    ) -> None:
        self._slots, self._sensitivities = slots, sensitivities
        self._both = np.zeros(2 * n_now)  # as in the stepper
        self.signals, self._previous = self._both[:n_now], self._both[n_now:]
        self._memories = [np.zeros(s.memory_count if s else 0) for s in sensitivities]
        self.parameters = [
            np.zeros(len(slot.component.interface.parameters)) for slot in slots
        ]

    def add(self, columns: Sequence[int], weights: Vector) -> None:
        np.add.at(self.signals, list(columns), weights)

    def through_step(self, taken: Sequence[TakenStep]) -> None:
        for i in reversed(range(len(self._slots))):
            weights, self._memories[i] = self._through(i, taken[i])
            np.add.at(self._both, self._slots[i].indices, weights)
        self.signals += self._previous
        self._previous[:] = 0.0

    def through_start(self, taken: Sequence[TakenStep]) -> None:
        """Follow direct feedthrough until no output has a weight."""
        n_now = len(self.signals)
        held = np.zeros(n_now)
        for _ in range(n_now + 2):
            is_done = True
            for i in reversed(range(len(self._slots))):
                slot = self._slots[i]
                if not (self.signals[slot.target].any() or self._memories[i].any()):
                    continue
                is_done = False
                weights, _ = self._through(i, taken[i])
                self._memories[i] = np.zeros(len(self._memories[i]))
                places, is_held = slot.indices % n_now, np.array(slot.is_held, bool)
                np.add.at(held, places[is_held], weights[is_held])
                np.add.at(self.signals, places[~is_held], weights[~is_held])
            if is_done:
                self.signals += held
                return
        names = ", ".join(f"`{slot.component.name}`" for slot in self._slots)
        msg = f"The start of {names} depends on itself; correct their `feedthrough`."
        raise StepError(msg)

    def _through(self, i: int, taken: TakenStep) -> tuple[Vector, Vector]:
        """Return the weights of the sources of the inputs, and of the memory."""
        slot, known = self._slots[i], self._sensitivities[i]
        outputs = self.signals[slot.target].copy()
        self.signals[slot.target] = 0.0
        if known is None:
            return np.zeros(len(slot.inputs)), self._memories[i]
        effect = Effect(memory=self._memories[i], outputs=outputs)
        cause = known.pull_back(taken, effect)
        self.parameters[i] += cause.parameters
        factors = 1.0 if slot.factors is None else slot.factors
        return cause.inputs * factors, cause.memory
