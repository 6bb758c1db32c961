"""`Component`: what a co-simulation steps, and the one made from a `StepMap`.

Time is counted in integer ticks of one nanosecond, so that a million steps land
exactly on the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.compiled import CompiledStepMap
from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.variable import Interface

__all__ = [
    "TICKS_PER_SECOND",
    "Capabilities",
    "Component",
    "StepMapComponent",
    "StepReport",
    "seconds",
    "ticks",
]

Vector: TypeAlias = NDArray[np.float64]

TICKS_PER_SECOND = 1_000_000_000


def ticks(time_s: float) -> int:
    """Return a time in seconds as integer ticks (1 ns)."""
    return round(time_s * TICKS_PER_SECOND)


def seconds(tick: int) -> float:
    """Return a tick as seconds."""
    return tick / TICKS_PER_SECOND


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a component can do beyond stepping."""

    can_rewind: bool = False
    has_variable_step: bool = True
    fixed_step_s: float | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """The result of one step: outputs at `end_tick`, and how it ended."""

    outputs: Vector
    end_tick: int
    status: StepStatus = StepStatus.OK
    message: str = ""


@runtime_checkable
class Component(Protocol):
    """A part of a co-simulated system: initialize, then step, then close.

    Vectors inside, names at the edge: `u` and `outputs` are in the order of
    `interface`. `initialize` may be called again to start over. `save`/`restore` are
    only called when `capabilities.can_rewind`; `restore` must leave the saved state
    usable again. `close` may be called twice.
    """

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        ...

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond stepping."""
        ...

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) where the output depends at once on the input."""
        ...

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start at `tick` with inputs `u` and return the outputs there."""
        ...

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance from `tick` to `end_tick` with inputs constant at `u`."""
        ...

    def save(self) -> Any:
        """Return the complete state."""
        ...

    def restore(self, state: Any) -> None:
        """Go back to a saved state."""
        ...

    def close(self) -> None:
        """Free everything; idempotent."""
        ...


@final
class StepMapComponent:
    """A step map run in Python.

    Through CasADi it is the readable reference of its FMU; compiled it runs in C, and
    goes on through the model's events.
    """

    def __init__(
        self,
        step_map: StepMap | CompiledStepMap | CompiledSwitched,
        *,
        name: str | None = None,
        parameters: dict[str, float] | None = None,
    ) -> None:
        """Make a component.

        Args:
            step_map: What to step.
            name: Name in the system; the step map's by default.
            parameters: Parameter values other than their start values.
        """
        self._step_map = step_map
        self._name = name or step_map.name
        self._interface = step_map.interface.with_starts(parameters or {})
        self._p = np.array([v.start for v in self._interface.parameters], dtype=float)
        self._memory = np.zeros(step_map.n_memory)
        self._feedthrough = step_map.feedthrough

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
        """It can do everything a pure function can."""
        return Capabilities(can_rewind=True)

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output), from the sparsity of the output equations."""
        return self._feedthrough

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start from the parameters and inputs."""
        self._memory, y = self._step_map.start(u, self._p)
        if not np.isfinite(y).all():
            msg = (
                f"`{self.name}` cannot start at {seconds(tick)} s: its outputs are not "
                "finite; check its inputs and parameters."
            )
            raise StepError(msg)
        return y

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance with constant inputs."""
        now = (self._memory, seconds(tick), seconds(end_tick - tick), u, self._p)
        self._memory, y, status = self._step_map.advance(*now)
        if status is StepStatus.OK:
            return StepReport(outputs=y, end_tick=end_tick)
        message = "the result is not finite"
        if not isinstance(self._step_map, StepMap):
            message = self._step_map.refusal(*now).reason
        return StepReport(outputs=y, end_tick=tick, status=status, message=message)

    def save(self) -> Vector:
        """Return a copy of the memory."""
        return self._memory.copy()

    def restore(self, state: Vector) -> None:
        """Set the memory."""
        self._memory = state.copy()

    def close(self) -> None:
        """Nothing to free."""
