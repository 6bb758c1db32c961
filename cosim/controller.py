"""`AbstractController`: a sampled control law as a `Component`.

A controller reads its inputs at the start of a step, decides when its period has
passed, and holds its outputs until it decides again. Its outputs are therefore no
direct feedthrough: at the start they are idle values that no input changes, and later
they follow the inputs by at least one step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from packtwin.twin.component import Capabilities, StepReport, seconds, ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface

__all__ = ["AbstractController", "AbstractLawController", "ControllerState"]

Vector: TypeAlias = NDArray[np.float64]
Memory = TypeVar("Memory")
ControllerState: TypeAlias = tuple[Memory, Vector, int, int]


class AbstractController(ABC, Generic[Memory]):
    """Keeps time, the held outputs and the law's memory; a subclass has the law.

    The memory must be immutable, so that saving it is keeping it.
    """

    def __init__(self, *, name: str, interface: Interface, period_s: float) -> None:
        """Make a controller.

        Args:
            name: Name in the system.
            interface: Its ports.
            period_s: Time between two decisions, s; > 0.
        """
        if not period_s > 0.0:
            msg = f"`period_s` of `{name}` is {period_s} s, expected more than 0 s."
            raise InterfaceError(msg)
        self._name = name
        self._interface = interface
        self._period_tick = ticks(period_s)
        self._memory, idle = self._start()
        self._outputs = self._vector(idle)
        self._last_tick = self._next_tick = 0

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self._interface

    @property
    def capabilities(self) -> Capabilities:
        """It can rewind, and decides at the first step that starts a period."""
        return Capabilities(can_rewind=True)

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: outputs are held between decisions."""
        return frozenset()

    @abstractmethod
    def _start(self) -> tuple[Memory, dict[str, float]]:
        """Return the first memory and the idle outputs by name."""

    def _observe(
        self, memory: Memory, elapsed_s: float, inputs: Mapping[str, float]
    ) -> tuple[Memory, bool]:
        """Follow the plant at every step; `True` asks for a decision now."""
        return memory, False

    @abstractmethod
    def _decide(
        self, memory: Memory, inputs: Mapping[str, float]
    ) -> tuple[Memory, dict[str, float]]:
        """Return the new memory and the outputs to hold, by name."""

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start over with idle outputs; the inputs are first read by `step`."""
        self._memory, idle = self._start()
        self._outputs = self._vector(idle)
        self._last_tick = self._next_tick = tick
        return self._outputs.copy()

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Decide from the inputs at `tick` if due, and hold the outputs."""
        if not np.isfinite(u).all():
            names = [
                n
                for n, v in zip(self._interface.input_names, u, strict=True)
                if not np.isfinite(v)
            ]
            msg = (
                f"`{self.name}` got inputs at {seconds(tick)} s that are not finite: "
                f"{', '.join(f'`{n}`' for n in names)}; check what drives them."
            )
            raise StepError(msg)
        inputs = dict(zip(self._interface.input_names, map(float, u), strict=True))
        elapsed_s = seconds(tick - self._last_tick)
        self._memory, is_urgent = self._observe(self._memory, elapsed_s, inputs)
        self._last_tick = tick
        if is_urgent or tick >= self._next_tick:
            self._memory, outputs = self._decide(self._memory, inputs)
            self._outputs = self._vector(outputs)
            self._next_tick = tick + self._period_tick
        return StepReport(outputs=self._outputs.copy(), end_tick=end_tick)

    def save(self) -> ControllerState[Memory]:
        """Return the complete state."""
        return self._memory, self._outputs, self._last_tick, self._next_tick

    def restore(self, state: ControllerState[Memory]) -> None:
        """Go back to a saved state."""
        self._memory, self._outputs, self._last_tick, self._next_tick = state

    def close(self) -> None:
        """Nothing to free."""

    def _vector(self, outputs: dict[str, float]) -> Vector:
        return np.array([outputs[n] for n in self._interface.output_names], dtype=float)


class AbstractLawController(AbstractController[Vector]):
    """A controller whose law is a step map without parameters.

    A step of the law decides from the inputs at its start. Where every step is a
    decision, the law can be a component itself, which needs no Python (see
    `StepMapComponent`).
    """

    def __init__(self, law: StepMap, *, period_s: float) -> None:
        """Make a controller.

        Args:
            law: Starts with idle outputs that depend on no input.
            period_s: Time between two decisions, s; > 0.
        """
        self._law, self._period_s = law, period_s
        super().__init__(name=law.name, interface=law.interface, period_s=period_s)

    @override
    def _start(self) -> tuple[Vector, dict[str, float]]:
        memory, idle = self._law.start(
            np.zeros(len(self._law.interface.inputs)), np.zeros(0)
        )
        return memory, self._named(idle)

    @override
    def _decide(
        self, memory: Vector, inputs: Mapping[str, float]
    ) -> tuple[Vector, dict[str, float]]:
        u = np.array([*inputs.values()])
        after, outputs, _ = self._law.advance(
            memory, 0.0, self._period_s, u, np.zeros(0)
        )
        return after, self._named(outputs)

    def _named(self, outputs: Vector) -> dict[str, float]:
        names = self._law.interface.output_names
        return dict(zip(names, map(float, outputs), strict=True))
