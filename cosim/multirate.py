"""`MultirateComponent`: a component at a step of its own inside a system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.component import (
    Capabilities,
    Component,
    StepReport,
    seconds,
    ticks,
)
from packtwin.twin.component_roles import SmoothComponent, TellingComponent
from packtwin.twin.errors import WiringError
from packtwin.twin.input_polynomial import substep_rows
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface

__all__ = ["MultirateComponent"]

Vector: TypeAlias = NDArray[np.float64]


@final
class MultirateComponent:
    """Another component, stepped at its own rate, faster or slower than the system.

    Faster: a step of the system is cut into own steps. Inputs that are polynomials over
    the system's step stay so, as far as the component takes them; of the rest each own
    step gets the mean. Outputs that are means are averaged.

    Slower: the component waits until its own step is over and then takes it with the
    mean of what its inputs were, so that it gets all that others gave. Until then its
    outputs stay, or go on in a line; means arrive one own step late, and whole.

    The system's steps and own steps must be whole multiples of one another.
    """

    def __init__(
        self, component: Component, *, step_s: float, continues: bool = False
    ) -> None:
        """Wrap a component.

        Args:
            component: What is stepped; its name and ports are kept.
            step_s: Its own step, from the start of the run on, s.
            continues: Between own steps, let outputs that are no means go on in a line
                through the last two, instead of holding them.

        Raises:
            WiringError: The step is not positive, or the component reports events.
        """
        able = component.capabilities
        if not ticks(step_s) > 0 or able.has_events:
            what = f"a step of {step_s} s; give at least 1 ns"
            if able.has_events:
                what = "events to report; let it handle them inside its steps"
            msg = f"`{component.name}` cannot have a rate of its own: it has {what}."
            raise WiringError(msg)
        self._inner, self._period, self._continues = component, ticks(step_s), continues
        self._is_mean = np.array(
            [v.sampling == "mean" for v in component.interface.outputs], dtype=bool
        )
        self._own_order = able.input_order

    @property
    def name(self) -> str:
        """Name of the component."""
        return self._inner.name

    @property
    def interface(self) -> Interface:
        """Ports of the component."""
        return self._inner.interface

    @property
    def capabilities(self) -> Capabilities:
        """Even steps, inputs up to cubics, and else what the component can do."""
        return replace(
            self._inner.capabilities,
            has_variable_step=False,
            input_order=3,
            can_differentiate=False,
        )

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) of the component."""
        return self._inner.feedthrough

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start the component and the count of its steps at `tick`."""
        self._now, self._began, self._received = tick, tick, np.zeros(len(u))
        self._last = self._inner.initialize(tick, u)
        self._change = np.zeros(len(self._last))
        return self._last.copy()

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Take the own steps that end in a step of the system, none or several."""
        rows = np.atleast_2d(u)
        if end_tick < self._began + self._period or tick > self._began:
            report = self._wait(tick, end_tick, rows)
        else:
            report = self._go(tick, end_tick, rows)
        if report.status is StepStatus.OK:
            self._now = end_tick
        return report

    def _go(self, tick: int, end_tick: int, rows: Vector) -> StepReport:
        """Take several own steps."""
        total, span = np.zeros(len(self._last)), end_tick - tick
        if span % self._period:
            return self._misfit(tick, end_tick)
        while self._began < end_tick:
            own = substep_rows(
                rows,
                min(self._own_order, len(rows) - 1),
                seconds(self._began - tick),
                seconds(self._period),
            )
            report = self._own_step(own if len(own) > 1 else own[0])
            if report.status is not StepStatus.OK:
                return report
            total += report.outputs * (self._period / span)
        outputs = np.where(self._is_mean, total, self._last)
        return StepReport(outputs=outputs, end_tick=end_tick)

    def _wait(self, tick: int, end_tick: int, rows: Vector) -> StepReport:
        """Add up the inputs; take the own step when it is over."""
        due = self._began + self._period
        if end_tick > due:
            return self._misfit(tick, end_tick)
        span_s = seconds(end_tick - tick)
        received = self._received
        self._received = received + span_s * substep_rows(rows, 0, 0.0, span_s)[0]
        before = self._last
        if end_tick == due:
            report = self._own_step(self._received / seconds(self._period))
            if report.status is not StepStatus.OK:
                self._received = received
                return report
            outputs = np.where(self._is_mean, before, self._last)
            return StepReport(outputs=outputs, end_tick=end_tick)
        outputs = before.copy()
        if self._continues:
            share = (end_tick - self._began) / self._period
            outputs += np.where(self._is_mean, 0.0, share * self._change)
        return StepReport(outputs=outputs, end_tick=end_tick)

    def _own_step(self, u: Vector) -> StepReport:
        began, end = self._began, self._began + self._period
        report = self._inner.step(began, end, u)
        if report.status is StepStatus.OK:
            self._change = report.outputs - self._last
            self._last, self._began = report.outputs.copy(), end
            self._received = np.zeros(len(self._received))
        return report

    def _misfit(self, tick: int, end_tick: int) -> StepReport:
        own_s, span_s = seconds(self._period), seconds(end_tick - tick)
        reason = (
            f"its own steps of {own_s:.9g} s and a step of {span_s:.9g} s from "
            f"{seconds(tick):.9g} s do not meet; make one a whole multiple of the other"
        )
        return StepReport(
            outputs=self._last,
            end_tick=tick,
            status=StepStatus.REFUSED,
            message=reason,
        )

    def output_derivatives(self) -> Vector:
        """Return dy/dt: the component's own after its steps, else that of the line."""
        if self._now == self._began:
            return cast(SmoothComponent, self._inner).output_derivatives()
        slopes = np.where(self._is_mean, 0.0, self._change) / seconds(self._period)
        return slopes if self._continues else np.zeros(len(slopes))

    def save(self) -> tuple[Any, tuple[int, int], tuple[Vector, Vector, Vector]]:
        """Return the state of the component and what it waits for."""
        vectors = (self._received, self._last, self._change)
        return self._inner.save(), (self._now, self._began), vectors

    def restore(
        self, state: tuple[Any, tuple[int, int], tuple[Vector, Vector, Vector]]
    ) -> None:
        """Go back to a saved state."""
        inner, (self._now, self._began), vectors = state
        self._received, self._last, self._change = vectors
        self._inner.restore(inner)

    def tell_events(self, tell: Callable[[int], None]) -> bool:
        """Have the component tell of its events."""
        inner = self._inner
        return isinstance(inner, TellingComponent) and inner.tell_events(tell)

    def close(self) -> None:
        """Close the component."""
        self._inner.close()
