"""`sweep_forward`: how all signals of a run change along directions, step by step.

Components that know the derivatives of their steps use them. Through the others two
disturbed copies go beside the run for every direction, restored, stepped and saved in
turn; half their difference is the tangent (central differences, second order).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.slot import Slot
from packtwin.cosim.tape import Tape
from packtwin.twin.component import ticks
from packtwin.twin.component_roles import AdjustableComponent
from packtwin.twin.sensitivities import Cause, StepSensitivities, TakenStep
from packtwin.twin.step_map import StepStatus

__all__ = ["Direction", "sweep_forward"]

Vector: TypeAlias = NDArray[np.float64]

_MOVE = 1e-4  # of a direction's size; its cube is the error, unless steps are noisy


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """One number that a run depends on.

    Attributes:
        slot: Number of the component whose parameter it is; -1 for a constant.
        place: Among the component's parameters, or of the constant among the signals.
        name: Of the parameter.
        value: Where the run is.
        nominal: Size of a typical value, where it is zero.
    """

    slot: int
    place: int
    name: str
    value: float
    nominal: float

    @property
    def move(self) -> float:
        """How far to go for differences."""
        return _MOVE * (abs(self.value) or self.nominal)


def sweep_forward(
    tape: Tape,
    slots: Sequence[Slot],
    sensitivities: Sequence[StepSensitivities | None],
    directions: Sequence[Direction],
    add: Callable[[int, Vector], None],
) -> None:
    """Carry tangents from the start of a run to its end.

    Args:
        tape: A run.
        slots: Its components in the order of their steps.
        sensitivities: Of their steps; None: by differences.
        directions: Along which.
        add: Called at every communication point with its number and the tangents of
            all signals, `(n_now, n_direction)`.
    """
    sweep = _Sweep(slots, sensitivities, directions, tape.signal_count)
    for taken in tape.starts():
        sweep.through_start(taken)
    add(0, sweep.signals)
    for k, taken in tape.forwards():
        sweep.through_step(taken)
        add(k + 1, sweep.signals)


@final
class _Sweep:
    """Tangents of signals and memories at a point of time."""

    def __init__(
        self,
        slots: Sequence[Slot],
        sensitivities: Sequence[StepSensitivities | None],
        directions: Sequence[Direction],
        n_now: int,
    ) -> None:
        self._slots, self._sensitivities = slots, sensitivities
        self._directions = directions
        self._both = np.zeros((2 * n_now, len(directions)))  # as in the stepper
        self.signals, self._previous = self._both[:n_now], self._both[n_now:]
        for j, direction in enumerate(directions):
            if direction.slot < 0:
                self.signals[direction.place, j] = 1.0
        # Of every component and direction: tangent of the memory or disturbed states.
        self._memories: list[list[Any]] = [[None] * len(directions) for _ in slots]

    def through_start(self, taken: Sequence[TakenStep]) -> None:
        """Follow direct feedthrough until nothing changes."""
        n_now, slots = len(self.signals), self._slots
        held = self.signals.copy()
        last: list[Vector | None] = [None] * len(slots)
        is_done = False
        while not is_done:
            is_done = True
            for i, slot in enumerate(slots):
                places = slot.indices % n_now
                is_held = np.array(slot.is_held, bool)[:, None]
                du = np.where(is_held, held[places], self.signals[places])
                before = last[i]
                if before is not None and np.array_equal(before, du):
                    continue
                is_done, last[i] = False, du
                self._through(i, taken[i], self._factored(slot, du))

    def through_step(self, taken: Sequence[TakenStep]) -> None:
        self._previous[...] = self.signals
        for i, slot in enumerate(self._slots):
            self._through(i, taken[i], self._factored(slot, self._both[slot.indices]))

    @staticmethod
    def _factored(slot: Slot, du: Vector) -> Vector:
        return du if slot.factors is None else du * slot.factors[:, None]

    def _through(self, i: int, taken: TakenStep, du: Vector) -> None:
        """Carry all directions through one component."""
        slot, known, kept = self._slots[i], self._sensitivities[i], self._memories[i]
        n_p = len(slot.component.interface.parameters)
        for j, direction in enumerate(self._directions):
            is_own = direction.slot == i
            if known is None:
                found = self._differences(i, j, taken, du[:, j])
                self.signals[slot.target, j] = found
                continue
            dp = np.zeros(n_p)
            if is_own:
                dp[direction.place] = 1.0
            memory = np.zeros(known.memory_count)
            if kept[j] is not None and not taken.is_start:
                memory = kept[j]
            cause = Cause(memory=memory, inputs=du[:, j], parameters=dp)
            effect = known.push_forward(taken, cause)
            kept[j], self.signals[slot.target, j] = effect.memory, effect.outputs
        if known is None:
            slot.component.restore(taken.after)

    def _differences(self, i: int, j: int, taken: TakenStep, du: Vector) -> Vector:
        slot, direction = self._slots[i], self._directions[j]
        states, is_own = self._memories[i], direction.slot == i
        if not du.any() and not is_own and (taken.is_start or states[j] is None):
            states[j] = None
            return np.zeros(len(slot.outputs))
        kept, outputs = [], []
        before = states[j] or (taken.before, taken.before)
        for sign, state in zip((1.0, -1.0), before, strict=True):
            u = taken.inputs + sign * direction.move * du
            if taken.is_start:
                outputs.append(self._started(slot, taken, u, direction, sign * is_own))
            else:
                slot.component.restore(state)
                outputs.append(_stepped(slot, taken, u))
            kept.append(slot.component.save())
        states[j] = tuple(kept)
        return (outputs[0] - outputs[1]) / (2.0 * direction.move)

    @staticmethod
    def _started(
        slot: Slot, taken: TakenStep, u: Vector, direction: Direction, sign: float
    ) -> Vector:
        """Start with one parameter moved, which the state then remembers."""
        if not sign:
            return slot.initialize(ticks(taken.start_s), u)
        component = cast(AdjustableComponent, slot.component)
        component.adjust({direction.name: direction.value + sign * direction.move})
        try:
            return slot.initialize(ticks(taken.start_s), u)
        finally:
            component.adjust({direction.name: direction.value})


def _stepped(slot: Slot, taken: TakenStep, u: Vector) -> Vector:
    tick = ticks(taken.start_s)
    end_tick = tick + ticks(taken.span_s)
    report = slot.component.step(tick, end_tick, u)
    is_good = report.status is StepStatus.OK and report.end_tick == end_tick
    if not is_good or not np.isfinite(report.outputs).all():
        slot.u[...] = u
        reason = slot.reason(end_tick, report, report.outputs)
        raise slot.failure(tick, end_tick, f"for a gradient by differences, {reason}")
    return report.outputs.copy()
