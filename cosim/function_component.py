"""`PeriodicComponent`: a Python function called once a period, such as a controller."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.component import Capabilities, StepReport, seconds, ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.variable import Interface

__all__ = ["PeriodicComponent", "PeriodicFunction"]

Vector: TypeAlias = NDArray[np.float64]
PeriodicFunction: TypeAlias = Callable[[float, Vector, Any], tuple[Any, Any]]


@final
class PeriodicComponent:
    """Samples its inputs, calls a function and holds its outputs until the next time.

    It samples at the start and once a period from there. A step calls the function
    for each sampling time from its start until before its end, with the inputs of the
    step, and gives the held outputs. At the start the outputs are those of the first
    call with the start's inputs, whose memory is then dropped: the first step makes
    that call again with the inputs of the step.
    """

    def __init__(
        self,
        name: str,
        interface: Interface,
        period_s: float,
        function: PeriodicFunction,
        *,
        memory: Any = None,
        feedthrough: frozenset[tuple[str, str]] | None = None,
    ) -> None:
        """Make a component.

        Args:
            name: Name in the system.
            interface: Its ports.
            period_s: Time between two calls; at least 1e-9 s.
            function: `(time_s, u, memory) -> (y, memory)` with `u` and `y` in the order
                of the interface. It may change `memory` in place.
            memory: What the first call gets; copied, so `copy.deepcopy` must know it.
            feedthrough: Pairs (input, output) of a function that does not use all
                inputs for all outputs; every pair by default.
        """
        if not (np.isfinite(period_s) and ticks(period_s) >= 1):
            msg = f"`period_s` of `{name}` is {period_s} s, expected 1e-9 s or more."
            raise InterfaceError(msg)
        self._name = name
        self._interface = interface
        self._period = ticks(period_s)
        self._function = function
        self._first_memory = memory
        self._feedthrough = feedthrough
        self._memory: Any = None
        self._outputs: Vector = np.zeros(len(interface.outputs))
        self._next_tick = 0

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def interface(self) -> Interface:
        """Inputs and outputs."""
        return self._interface

    @property
    def capabilities(self) -> Capabilities:
        """It can rewind, by copying its memory."""
        return Capabilities(can_rewind=True)

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) that the function connects at a sampling time."""
        if self._feedthrough is not None:
            return self._feedthrough
        return frozenset(
            (source, target)
            for source in self._interface.input_names
            for target in self._interface.output_names
        )

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start over; the first sampling time is `tick`."""
        self._next_tick = tick
        self._outputs, _ = self._call(tick, u, copy.deepcopy(self._first_memory))
        self._memory = copy.deepcopy(self._first_memory)
        return self._outputs.copy()

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Call the function when its time has come, and hold the outputs."""
        while self._next_tick < end_tick:
            self._outputs, self._memory = self._call(self._next_tick, u, self._memory)
            self._next_tick += self._period
        return StepReport(outputs=self._outputs.copy(), end_tick=end_tick)

    def save(self) -> tuple[Any, Vector, int]:
        """Return a copy of the memory, the held outputs and the next sampling time."""
        return copy.deepcopy(self._memory), self._outputs.copy(), self._next_tick

    def restore(self, state: tuple[Any, Vector, int]) -> None:
        """Go back to a saved state."""
        memory, outputs, self._next_tick = state
        self._memory, self._outputs = copy.deepcopy(memory), outputs.copy()

    def close(self) -> None:
        """Nothing to free."""

    def _call(self, tick: int, u: Vector, memory: Any) -> tuple[Vector, Any]:
        result, memory = self._function(seconds(tick), u.copy(), memory)
        y = np.array(result, dtype=np.float64)
        if y.shape != self._outputs.shape:
            msg = (
                f"The function of `{self._name}` returned outputs of shape {y.shape}, "
                f"expected {self._outputs.shape}: one for each of "
                f"{', '.join(self._interface.output_names)}."
            )
            raise StepError(msg)
        return y, memory
