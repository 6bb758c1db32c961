"""What a co-simulation FMU does between two communication points, in both versions."""

from __future__ import annotations

import ctypes
import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.instance import AbstractInstance
from packtwin.twin.component import ticks

__all__ = ["AbstractStepping", "SmoothInputs", "Standing"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothInputs:
    """The inputs that may change inside a step.

    Attributes:
        references: Value references of scalar, real, continuous inputs.
        factors: From the FMU's units to ours.
        offsets: From the FMU's units to ours.
        positions: Where they are among the component's inputs.
        order: Highest time derivative that the FMU takes; 0 if it takes none.
    """

    references: tuple[int, ...]
    factors: Vector
    offsets: Vector
    positions: NDArray[np.intp]
    order: int


@final
class Standing(NamedTuple):
    """What this side of the interface knows of how far an instance is.

    Part of its state: who goes back must go back in this too.

    Attributes:
        reached_s: Up to where the last step came, if it did not come to its end.
        has_event: Whether the FMU wants its events handled.
        is_early: Whether it stopped before the end of the step.
        wants_end: Whether it asks to end the simulation.
        event_count: Events handled inside steps since the start.
        next_event_s: When the FMU said that its next time event is due.
    """

    reached_s: float = 0.0
    has_event: bool = False
    is_early: bool = False
    wants_end: bool = False
    event_count: int = 0
    next_event_s: float = math.inf


class AbstractStepping(AbstractInstance):
    """An instance that takes steps; see `Standing` for more attributes.

    Attributes:
        never_rewinds: Whether the FMU may forget how to go back.
        stops_at_events: Whether a step is to end at an event.
        has_event_mode: Whether discrete inputs may only change at events.
        tell: Called with the tick of each event handled inside a step.
    """

    reached_s: float = 0.0
    has_event: bool = False
    is_early: bool = False
    wants_end: bool = False
    event_count: int = 0
    next_event_s: float = math.inf

    never_rewinds: bool = False
    stops_at_events: bool = False
    has_event_mode: bool = False
    tell: Callable[[int], None] | None = None

    def count_event(self, time_s: float) -> None:
        """Count an event that is handled inside a step, and tell of it."""
        self.event_count += 1
        if self.tell is not None:
            self.tell(ticks(time_s))

    @property
    def standing(self) -> Standing:
        """How far the instance is."""
        return Standing(
            self.reached_s,
            self.has_event,
            self.is_early,
            self.wants_end,
            self.event_count,
            self.next_event_s,
        )

    @standing.setter
    def standing(self, standing: Standing) -> None:
        (
            self.reached_s,
            self.has_event,
            self.is_early,
            self.wants_end,
            self.event_count,
            self.next_event_s,
        ) = standing

    @abstractmethod
    def do_step(self, time_s: float, length_s: float) -> int:
        """Take a step and return FMI's status."""

    @abstractmethod
    def set_input_rows(
        self,
        smooth: SmoothInputs,
        rows: Vector,
        start_s: float,
        write: Callable[[Vector], None],
    ) -> None:
        """Make the inputs polynomials of time during the next step.

        Args:
            smooth: Which inputs.
            rows: Time derivatives 0, 1, ... at `start_s` of all the component's inputs,
                in our units; the first is already set.
            start_s: Start of the step.
            write: Sets all inputs to values in our units.
        """

    @abstractmethod
    def hold_inputs(self) -> None:
        """Make the inputs constants again."""

    def take_flags(
        self,
        _status: int,
        *,
        has_event: bool,
        wants_end: bool,
        is_early: bool,
        reached_s: float,
    ) -> None:
        """Take over what a step outside of `do_step` said, and its status."""
        self.has_event, self.wants_end = has_event, wants_end
        self.is_early, self.reached_s = is_early, reached_s

    def get_output_slopes(self, references: ctypes.Array[ctypes.c_uint]) -> Vector:
        """Return first time derivatives of real outputs, in the FMU's units."""
        count = len(references)
        orders, values = np.ones(count, dtype=np.int32), np.zeros(count)
        self.call(
            self.dialect.get_output_derivatives,
            references,
            ctypes.c_size_t(count),
            ctypes.c_void_p(orders.ctypes.data),
            *self.dialect.values(values),
        )
        return values

    def at_event(self, action: Callable[[], None]) -> None:
        """Do what may only be done at an event, and handle what follows from it."""
        action()

    def handle_events(self) -> None:
        """Handle the events that the last step found."""
        self.at_event(_nothing)


def _nothing() -> None:
    """Do nothing."""
