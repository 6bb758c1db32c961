"""`Mover`: takes one component over a step on polynomial inputs, as well as it can.

A component that takes cubic inputs gets them. Others are stepped in substeps, each
with the nearest polynomial of the order they take: for constants, the mean over the
substep, which is what a zero-order hold at the start of the step misses. Outputs that
depend at once on an input need its value at the end, though: a directional derivative
corrects them; where there is none, such inputs are shifted to end at the right value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.abstract_stepper import StepFunction
from packtwin.cosim.finite import is_finite
from packtwin.cosim.hermite import difference_weights
from packtwin.cosim.slot import EndAsked, Slot, describe
from packtwin.twin.component import StepReport, seconds
from packtwin.twin.component_roles import (
    DifferentiableComponent,
    EventComponent,
    SmoothComponent,
)
from packtwin.twin.errors import StepError
from packtwin.twin.input_polynomial import is_beyond, shifted, substep_rows, value_at
from packtwin.twin.step_map import StepStatus

__all__ = ["EventMet", "Move", "Mover"]

Vector: TypeAlias = NDArray[np.float64]
Samples: TypeAlias = tuple[tuple[int, Vector], ...]

_DEPTH = 4  # samples behind a derivative by differences
_FRESH_SUBSTEPS = 4  # so many on a first step, for lack of samples before it
_EVENT_LIMIT = 1000


class EventMet(Exception):  # noqa: N818 (no error: it unwinds a step that is too long)
    """A component met an event inside the step.

    Attributes:
        tick: When.
    """

    def __init__(self, tick: int) -> None:
        super().__init__(tick)
        self.tick = tick


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a step led.

    Attributes:
        outputs: At the end, or means over the step.
        slopes: Their time derivatives at the end; NaN where unknown.
        has_event: It ended at an event.
        samples: Outputs on the way, for differences.
    """

    outputs: Vector
    slopes: Vector
    has_event: bool
    samples: Samples


@final
class Mover:
    """One component of a run on polynomial inputs.

    Attributes:
        slot: Its places.
        is_mean: Outputs that are means over a step.
        is_smooth: Outputs with values and derivatives; others are held over a step.
        can_rewind: Whether it may be stepped again; a probe may deny it.
        can_divide: Whether its steps may have any length.
        is_revisited: Whether a step may be taken back.
        steps_through_events: Handle events inside a step, not at its end.
        arrived: Taylor rows of the inputs of the last step.
        step_count: Steps the component has taken.
        samples: Outputs of the last communication points since an event.
        takes_polynomials: Whether it takes more than constants, or nothing.
    """

    def __init__(self, slot: Slot, step: StepFunction, substep_count: int) -> None:
        """Prepare a component.

        Args:
            slot: Its places.
            step: Its `step`, perhaps timed.
            substep_count: Substeps of a component that does not take cubics.
        """
        self.slot = slot
        self._step = step
        able = slot.component.capabilities
        self._order = able.input_order
        has_free_steps = able.has_variable_step and able.fixed_step_s is None
        self.can_divide = has_free_steps
        self._n = substep_count if has_free_steps and self._order < 3 else 1
        self.can_rewind, self.has_events = able.can_rewind, able.has_events
        names = {source for source, _ in slot.component.feedthrough}
        self._is_through = np.array([n in names for n in slot.input_names], dtype=bool)
        self._is_corrected = self._order < 3 and bool(names)
        self._can_differentiate = able.can_differentiate
        # Slopes of constant inputs are 0, which is wrong for what depends on them.
        is_blind = self._order == 0 and bool(names)
        self.has_slopes = able.has_output_derivatives and not is_blind
        self.is_revisited, self.steps_through_events = True, False
        self.is_mean = np.array([v.sampling == "mean" for v in slot.outputs], bool)
        is_discrete = np.array([v.variability == "discrete" for v in slot.outputs])
        self.is_smooth = ~(self.is_mean | is_discrete.astype(bool))
        self._has_mean, self._has_held = self.is_mean.any(), not self.is_smooth.all()
        self._is_delayed = np.array(slot.is_delayed, dtype=bool)
        self._has_delayed = bool(self._is_delayed.any())
        self.samples: Samples = ()
        self.arrived: Vector = np.zeros((1, len(slot.inputs)))
        self.step_count = 0
        self.takes_polynomials = self._order > 0 or not slot.inputs
        self._saved: Any = None
        self._is_moved, self._has_crossed, self._event_count = False, False, 0

    @property
    def name(self) -> str:
        """Name of the component."""
        return self.slot.component.name

    def inputs(self, rows: Vector, start: Vector) -> Vector:
        """Return Taylor rows of the inputs from those of all signals.

        Args:
            rows: Of all signals over the step.
            start: Values of all signals at its start, for delayed connections.
        """
        slot = self.slot
        u: Vector = rows[:, slot.indices]
        if self._has_delayed:
            u[0, self._is_delayed] = start[slot.indices[self._is_delayed]]
            u[1:, self._is_delayed] = 0.0
        if slot.factors is not None:
            u = u * slot.factors
            u[0] += slot.offsets
        return u

    def begin(self) -> None:
        """Begin a step, to which `move` and `take_back` go back."""
        self._is_moved = False
        self._event_count = len(self.slot.events)
        if self.can_rewind and self.is_revisited:
            self._saved = self.slot.component.save()

    def take_back(self) -> None:
        """Undo the step, if there was one."""
        if self._is_moved:
            self.slot.component.restore(self._saved)
            del self.slot.events[self._event_count :]
        self._is_moved = False

    def save(self) -> tuple[Any, Samples, int]:
        """Return what `restore` needs."""
        return self.slot.component.save(), self.samples, len(self.slot.events)

    def restore(self, state: tuple[Any, Samples, int]) -> None:
        """Go back to a saved state."""
        saved, self.samples, event_count = state
        self.slot.component.restore(saved)
        del self.slot.events[event_count:]

    def move(self, tick: int, end_tick: int, rows: Vector) -> Move:
        """Step from `tick` to `end_tick` with inputs on the polynomials `rows`.

        Raises:
            EventMet: It met an event before the end and must be taken back.
            StepError: It failed.
        """
        self.take_back()
        self._is_moved, self._has_crossed, self.arrived = True, False, rows
        n = self._n
        if not (self.has_slopes or self.samples[1:] or not self.can_divide):
            n = max(n, _FRESH_SUBSTEPS)
        total = np.zeros(len(self.is_mean))
        samples, y, has_event = list(self.samples), total, False
        now = tick
        for i in range(1, n + 1):
            to = tick + i * (end_tick - tick) // n
            ahead = shifted(rows, seconds(now - tick)) if now > tick else rows
            y, has_event = self._substep(now, to, ahead)
            if self._has_mean:
                total += y * ((to - now) / (end_tick - tick))
            samples.append((to, y))
            now = to
        # What was before an event tells nothing.
        kept = () if has_event or self._has_crossed else tuple(samples[-_DEPTH:])
        outputs = np.where(self.is_mean, total, y) if self._has_mean else y
        slopes = self._slopes(kept or tuple(samples[-_DEPTH:]))
        return Move(outputs=outputs, slopes=slopes, has_event=has_event, samples=kept)

    def _substep(self, tick: int, end_tick: int, rows: Vector) -> tuple[Vector, bool]:
        start, total, has_event = tick, np.zeros(len(self.is_mean)), False
        for _ in range(_EVENT_LIMIT):
            report = self._checked_step(tick, end_tick, rows)
            y, span = report.outputs, report.end_tick - tick
            if self._has_mean:
                total += y * (span / (end_tick - start))
            has_event = report.status is StepStatus.EVENT
            if report.end_tick == end_tick:
                # A component may use its vector again.
                y = np.where(self.is_mean, total, y) if self._has_mean else y.copy()
                return y, has_event
            if not self.steps_through_events:
                raise EventMet(report.end_tick)
            rows, tick = shifted(rows, seconds(span)), report.end_tick
            self.slot.events.append(tick)
            self.handle_event(tick, rows[0])
            self._has_crossed = True
        reason = f"more than {_EVENT_LIMIT} events in one step"
        raise self.slot.failure(tick, end_tick, reason)

    def _checked_step(self, tick: int, end_tick: int, rows: Vector) -> StepReport:
        h = seconds(end_tick - tick)
        u = rows
        if is_beyond(rows, self._order):
            u = substep_rows(rows, self._order, 0.0, h)
        gap: Vector | None = None
        if self._is_corrected:
            gap = value_at(list(rows), h) - value_at(list(u), h)
            if not self._can_differentiate:
                u = u.copy()
                u[0] += np.where(self._is_through, gap, 0.0)
        self.slot.u[...] = u[0]
        if not u[1:].any():
            u = u[0]
        self.step_count += 1
        try:
            report = self._step(tick, end_tick, u)
        except Exception as error:
            # A component may be anybody's code; whatever it raises ends the run.
            raise self.slot.failure(tick, end_tick, describe(error)) from error
        has_event = report.status is StepStatus.EVENT
        if has_event and not tick < report.end_tick <= end_tick:
            reason = f"it reports an event at {seconds(report.end_tick):.9g} s"
            raise self.slot.failure(tick, end_tick, reason)
        is_done = report.status is StepStatus.OK and report.end_tick == end_tick
        if not (is_done or has_event) or not is_finite(report.outputs):
            raise self.slot.unfinished(tick, end_tick, report)
        if gap is None or not self._can_differentiate or not gap.any():
            return report
        component = cast(DifferentiableComponent, self.slot.component)
        change = np.where(self.is_mean, 0.0, component.directional_derivative(gap))
        return replace(report, outputs=report.outputs + change)

    def handle_event(self, tick: int, u: Vector) -> Vector:
        """Have the component handle an event and return its outputs after it."""
        component = cast(EventComponent, self.slot.component)
        try:
            return component.handle_event(tick, u)
        except Exception as error:
            raise self.slot.failure(tick, tick, describe(error)) from error

    def start_slopes(self) -> Vector:
        """Return dy/dt now, after the start or an event; NaN where unknown."""
        return self._slopes(())

    def _slopes(self, samples: Samples) -> Vector:
        if self.has_slopes:
            component = cast(SmoothComponent, self.slot.component)
            exact = component.output_derivatives()
            return np.where(self.is_smooth, exact, 0.0)
        if len(samples) < 2:
            return np.where(self.is_smooth, np.nan, 0.0)
        last = samples[-1][0]
        times = [seconds(tick - last) for tick, _ in samples]
        weights = difference_weights(times, 0.0)
        slopes: Vector = weights @ np.array([y for _, y in samples])
        return np.where(self.is_smooth, slopes, 0.0)

    def repeats_itself(self, tick: int, ends: tuple[int, int], u: Vector) -> str:
        """Return why it cannot go back, or nothing; initialize it again after that.

        Args:
            tick: Start.
            ends: Ends of the two steps.
            u: Inputs, constant.
        """
        component, rows = self.slot.component, u[None, :]
        try:
            saved = component.save()
            runs = []
            for _ in range(2):
                first = self._checked_step(tick, ends[0], rows)
                before = first.outputs.copy()
                # At an event it stands earlier.
                second = self._checked_step(first.end_tick, ends[1], rows)
                runs.append(np.concatenate([before, second.outputs]))
                component.restore(saved)
        except (EndAsked, StepError) as error:
            is_harmless = "refused the step" in error.reason
            return "" if is_harmless or isinstance(error, EndAsked) else error.reason
        except Exception as error:  # whatever `save` or `restore` raise
            return describe(error)
        self.step_count = 0
        self.slot.events.clear()
        gap = np.abs(runs[1] - runs[0]) > 1e-9 * (np.abs(runs[0]) + 1e-300)
        return "it does not repeat a step after going back" if gap.any() else ""
