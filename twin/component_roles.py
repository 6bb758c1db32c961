"""What some components can do beyond a `Component`, as their `capabilities` say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.component import Component
from packtwin.twin.sensitivities import StepSensitivities

__all__ = [
    "AdjustableComponent",
    "DifferentiableComponent",
    "EventComponent",
    "SensitiveComponent",
    "SmoothComponent",
    "TellingComponent",
]

Vector: TypeAlias = NDArray[np.float64]


@runtime_checkable
class SmoothComponent(Component, Protocol):
    """A component that knows the time derivatives of its outputs."""

    def output_derivatives(self) -> Vector:
        """Return dy/dt where it stands: after `initialize`, `step` or `handle_event`.

        The inputs are continued from the last step; after the start they are constant.
        Entries of outputs that are means over the step are without meaning.
        """
        ...


@runtime_checkable
class DifferentiableComponent(Component, Protocol):
    """A component that knows how its outputs depend at once on its inputs."""

    def directional_derivative(self, du: Vector) -> Vector:
        """Return the change of the outputs, per unit, for inputs changing along `du`.

        Right after `initialize` it is that of the start; after a step the state is
        held and only direct feedthrough counts.
        """
        ...


@runtime_checkable
class EventComponent(Component, Protocol):
    """A component with events, which a step reports and the master has it handle."""

    def handle_event(self, tick: int, u: Vector) -> Vector:
        """Handle what happens at `tick` and return the outputs after it.

        Called where the last step ended, after it reported an event there or because
        an input jumped there; with unchanged inputs a second call changes nothing.
        """
        ...


@runtime_checkable
class TellingComponent(Component, Protocol):
    """A component that tells of events that it handles inside its steps."""

    def tell_events(self, tell: Callable[[int], None]) -> bool:
        """From now on call `tell` with the tick of each; whether there can be any."""
        ...


@runtime_checkable
class AdjustableComponent(Component, Protocol):
    """A component whose parameters can be changed between runs."""

    def adjust(self, parameters: Mapping[str, float]) -> None:
        """Take other values of some parameters from the next `initialize` on."""
        ...


@runtime_checkable
class SensitiveComponent(Component, Protocol):
    """A component that may know the exact derivatives of its steps."""

    def sensitivities(self) -> StepSensitivities | None:
        """Return those of the run that goes on, or None if it has none."""
        ...
