"""`Slot`: one component of a run, with its places in the vector of signals."""

from __future__ import annotations

import math
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Port
from packtwin.cosim.system import System
from packtwin.twin.component import Component, StepReport, seconds
from packtwin.twin.errors import PackTwinError, StepError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.units import UNITS
from packtwin.twin.variable import Variable

__all__ = ["EndAsked", "Slot", "describe"]

Vector: TypeAlias = NDArray[np.float64]


class EndAsked(Exception):  # noqa: N818 (no error: it ends a run)
    """A component asks to end the run.

    Attributes:
        component: Its name.
        reason: When it does, and what it says.
    """

    def __init__(self, component: str, tick: int, message: str) -> None:
        why = f": {message}" if message else ""
        self.component = component
        self.reason = f"`{component}` asks to end at {seconds(tick):.9g} s{why}"
        super().__init__(self.reason)


@final
class Slot:
    """One component of a run.

    Attributes:
        component: What is stepped.
        inputs: Its inputs.
        outputs: Its outputs.
        target: Where its outputs go.
        indices: Where its inputs come from; beyond the end of the signals now, the
            same signals at the start of the step.
        is_delayed: Inputs that a delayed connection drives.
        is_held: Inputs that do not follow their source at the start: delayed ones, and
            those at which a solver opens an algebraic loop.
        factors: Unit conversion or linear map of the inputs; None if there is none.
        offsets: Likewise.
        u: The buffer of its inputs.
        has_events: Whether it may have some.
        events: Ticks of its events, until somebody takes them.
    """

    def __init__(
        self,
        system: System,
        component: Component,
        places: dict[str, int],
        overwritten: set[Port],
    ) -> None:
        """Find the places of a component.

        Args:
            system: Where it is.
            component: Which one.
            places: Place of every output and constant by `component.variable`.
            overwritten: Inputs whose source is stepped before and carries old values.
        """
        sources = {c.target: c for c in system.connections}
        self.component = component
        self.inputs = component.interface.inputs
        self.outputs = component.interface.outputs
        names = [f"{component.name}.{v.name}" for v in self.outputs]
        first = places[names[0]] if names else 0
        self.target = slice(first, first + len(self.outputs))
        indices, self.is_delayed = [], []
        factors, offsets = np.ones(len(self.inputs)), np.zeros(len(self.inputs))
        for i, variable in enumerate(self.inputs):
            port = Port(component.name, variable.name)
            connection = sources.get(port)
            self.is_delayed.append(connection is not None and connection.is_delayed)
            if connection is None:
                indices.append(places[str(port)])
                continue
            shift = len(places) if port in overwritten else 0
            indices.append(places[str(connection.source)] + shift)
            if connection.linear is not None:
                factors[i] = connection.linear.factor
                offsets[i] = connection.linear.offset
                continue
            unit = system.output(connection.source).unit
            factors[i], offsets[i] = _conversion(unit, variable.unit)
        self.events: list[int] = []
        self.has_events = component.capabilities.has_events
        # What `TellingComponent` asks, without the cost of asking a protocol.
        tell_events = getattr(component, "tell_events", None)
        if tell_events is not None:
            self.has_events |= tell_events(self.events.append)
        self.is_held = list(self.is_delayed)
        self.indices = np.array(indices, dtype=np.intp)
        self.u = np.zeros(len(self.inputs))
        is_converted = bool((factors != 1.0).any() or offsets.any())
        self.factors = factors if is_converted else None
        self.offsets = offsets

    @property
    def input_names(self) -> list[str]:
        """Names of its inputs."""
        return [variable.name for variable in self.inputs]

    def factor(self, i: int) -> float:
        """Return what an input is multiplied with to have its unit."""
        return 1.0 if self.factors is None else float(self.factors[i])

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Initialize the component and check what it returns."""
        try:
            y = np.asarray(self.component.initialize(tick, u.copy()), dtype=np.float64)
        except Exception as error:
            raise self._start_failure(tick, describe(error)) from error
        if y.shape != (len(self.outputs),):
            reason = f"it returned outputs of shape {y.shape}, expected "
            raise self._start_failure(tick, f"{reason}({len(self.outputs)},)")
        if not np.isfinite(y).all():
            raise self._start_failure(tick, self.reason(tick, None, y))
        return y

    def reason(self, end_tick: int, report: StepReport | None, y: Vector) -> str:
        """Say why a step or a start (without report) with outputs `y` is no good."""
        if report is not None and report.status is not StepStatus.OK:
            return f"it refused the step{report.message and f': {report.message}'}"
        if report is not None and report.end_tick != end_tick:
            return f"it returned early, at {seconds(report.end_tick):.9g} s"
        return f"not finite: {_named(self.outputs, y, is_bad_only=True)}"

    def unfinished(
        self, tick: int, end_tick: int, report: StepReport
    ) -> StepError | EndAsked:
        """Return what a step leads to that is no good."""
        if report.status is StepStatus.ENDED:
            return EndAsked(self.component.name, report.end_tick, report.message)
        reason = self.reason(end_tick, report, report.outputs)
        return self.failure(tick, end_tick, reason)

    def failure(self, tick: int, end_tick: int, reason: str) -> StepError:
        """Return the error of a failed step."""
        name, inputs = self.component.name, _named(self.inputs, self.u)
        msg = (
            f"`{name}` failed in the step from {seconds(tick):.9g} s to "
            f"{seconds(end_tick):.9g} s: {reason.rstrip('.')}; its inputs were "
            f"{inputs or 'none'}. Check them, or take a shorter `step_s`."
        )
        return StepError(msg, component=name, time_s=seconds(tick), reason=reason)

    def _start_failure(self, tick: int, reason: str) -> StepError:
        name = self.component.name
        msg = (
            f"`{name}` could not start at {seconds(tick):.9g} s: {reason.rstrip('.')}. "
            "Check its inputs and parameters."
        )
        return StepError(msg, component=name, time_s=seconds(tick), reason=reason)


def describe(error: Exception) -> str:
    """Return what an error of a component said, with its type if it is not ours."""
    is_own = isinstance(error, PackTwinError)
    return str(error) if is_own else f"{type(error).__name__}: {error}"


def _conversion(source: str, target: str) -> tuple[float, float]:
    """Return `(factor, offset)` of `target = factor * source + offset`."""
    a, b = UNITS[source], UNITS[target]
    return a.factor / b.factor, (a.offset - b.offset) / b.factor


def _named(
    variables: tuple[Variable, ...], values: Vector, is_bad_only: bool = False
) -> str:
    pairs = [
        f"`{v.name}` = {value:.6g} {v.unit}".removesuffix(" 1")
        for v, value in zip(variables, values, strict=False)
        if not (is_bad_only and math.isfinite(value))
    ]
    return ", ".join(pairs[:8]) + (" ..." if len(pairs) > 8 else "")
