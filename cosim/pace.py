"""`Pace`: into which steps the way from one communication point to the next is cut."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.signals import Signals
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError

__all__ = ["EVENT_LIMIT", "EvenPace", "Pace", "PacedRun", "fitting", "standstill"]

Vector: TypeAlias = NDArray[np.float64]

EVENT_LIMIT = 1000  # between two communication points


@runtime_checkable
class PacedRun(Protocol):
    """What a pace drives.

    Attributes:
        values: All signals now.
        nominal: Their nominal values.
        signals: What they do over a step.
        has_slopes: Signals with exact time derivatives.
        is_exchanged: Smooth signals that some component takes.
        is_held: Signals that some component takes as constants over a step.
    """

    values: Vector
    nominal: Vector
    signals: Signals
    has_slopes: NDArray[np.bool_]
    is_exchanged: NDArray[np.bool_]
    is_held: NDArray[np.bool_]

    @property
    def continued(self) -> Vector:
        """What the signals were expected to be at the end of the last step."""
        ...

    @property
    def unable(self) -> list[str]:
        """Names of components that cannot go back."""
        ...

    @property
    def order_of_accuracy(self) -> int:
        """How errors fall with the step."""
        ...

    @property
    def output_names(self) -> tuple[str, ...]:
        """`component.variable` of the outputs, in the order of `values`."""
        ...

    def advance_to_event(self, tick: int, end_tick: int) -> int:
        """Step to the first event, at most to `end_tick`, and return where it is."""
        ...

    def save(self) -> Any:
        """Return the state of the run."""
        ...

    def restore(self, state: Any) -> None:
        """Go back to a saved state."""
        ...


@runtime_checkable
class Pace(Protocol):
    """Chooses the steps of a run."""

    def scheme(self, unable: list[str]) -> str:
        """Say in words how, if some components cannot go back."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """What it did."""
        ...

    def advance(self, run: PacedRun, tick: int, end_tick: int) -> None:
        """Step `run` from `tick` to `end_tick`."""
        ...

    def freeze(self) -> Any:
        """Return what it has learned, of plain values."""
        ...

    def thaw(self, state: Any) -> None:
        """Go on with what another has learned."""
        ...


@final
class EvenPace:
    """One step from one communication point to the next, cut at events only."""

    def scheme(self, unable: list[str]) -> str:
        """Say in words how."""
        return "as given"

    @property
    def counts(self) -> dict[str, int]:
        """Nothing."""
        return {}

    def advance(self, run: PacedRun, tick: int, end_tick: int) -> None:
        """Step `run` from `tick` to `end_tick`."""
        for _ in range(EVENT_LIMIT):
            if tick == end_tick:
                return
            tick = run.advance_to_event(tick, end_tick)
        reason = f"{EVENT_LIMIT} events in one communication step"
        raise standstill(tick, reason)

    def freeze(self) -> None:
        """Nothing is learned."""

    def thaw(self, state: None) -> None:
        """Nothing is learned."""


def fitting(wanted: float, rest: int) -> int:
    """Return a step in ticks about as wanted that leaves no crumb before the end."""
    if wanted >= 0.99 * rest:
        return rest
    return rest // 2 if wanted > 0.5 * rest else max(1, round(wanted))


def standstill(tick: int, reason: str, component: str = "") -> StepError:
    """Return the error of a run that gets no further."""
    msg = f"The run stands still at {seconds(tick):.9g} s: {reason}; see why."
    return StepError(msg, component=component, time_s=seconds(tick), reason=reason)
