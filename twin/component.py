"""`Component`: what a co-simulation steps, and the one made from a `StepMap`.

Time is counted in integer ticks of one nanosecond, so that a million steps land
exactly on the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.input_polynomial import shifted
from packtwin.twin.native_map import map_step
from packtwin.twin.native_step import NativeStep
from packtwin.twin.sensitivities import StepSensitivities
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.step_report import StepReport
from packtwin.twin.step_slopes import StepSlopes
from packtwin.twin.step_tangents import StepMapSensitivities, StepTangents
from packtwin.twin.steppable import RunnableMap
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
StepMapState: TypeAlias = tuple[Vector, Vector, Vector, Vector]

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
    """What a component can do beyond stepping.

    Attributes:
        can_rewind: `save` and `restore` work; masters probe it before they trust it.
        has_variable_step: Steps need not all have the same length.
        fixed_step_s: Steps must be whole multiples of this, s.
        input_order: Highest time derivative of the inputs that `step` takes: 0 for
            constants, 3 for cubic polynomials.
        has_output_derivatives: It is a `SmoothComponent`; see `component_roles`.
        can_differentiate: It is a `DifferentiableComponent`.
        has_events: It is an `EventComponent`, whose steps may end early.
    """

    can_rewind: bool = False
    has_variable_step: bool = True
    fixed_step_s: float | None = None
    input_order: int = 0
    has_output_derivatives: bool = False
    can_differentiate: bool = False
    has_events: bool = False


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
        """Advance from `tick` to `end_tick`.

        Args:
            tick: Start.
            end_tick: End.
            u: Inputs. Shape `(n_u,)`: constant. Shape `(m, n_u)` with `m - 1` at most
                `capabilities.input_order`: row k is their k-th time derivative at
                `tick`, so that they are Taylor polynomials on the step.
        """
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
    """A step map as a component.

    Through CasADi it is the readable reference of its FMU; compiled it runs in C, and
    goes on through the model's events.
    """

    def __init__(
        self,
        step_map: RunnableMap,
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
        self._symbolic = step_map if isinstance(step_map, StepMap) else None
        self._name = name or step_map.name
        self._interface = step_map.interface.with_starts(parameters or {})
        self._p = _starts(self._interface)
        self._memory = np.zeros(step_map.n_memory)
        self._feedthrough = step_map.feedthrough
        # Inputs at the last step's start; its end and length, s, and whether it was.
        self._u, self._place = np.zeros(len(self._interface.inputs)), np.zeros(3)
        self._known_slopes: StepSlopes | None = None  # made when asked for
        self._library: Path | None = None
        self._known_tangents: StepTangents | None = None
        self._order = step_map.input_order

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def step_map(self) -> RunnableMap:
        """What is stepped."""
        return self._step_map

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self._interface

    @property
    def capabilities(self) -> Capabilities:
        """It can do everything a pure function can."""
        is_symbolic = self._symbolic is not None
        return Capabilities(
            can_rewind=True,
            input_order=self._order,
            has_output_derivatives=is_symbolic,
            can_differentiate=is_symbolic,
        )

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output), from the sparsity of the output equations."""
        return self._feedthrough

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start from the parameters and inputs."""
        self._p = _starts(self._interface)
        self._memory, y = self._step_map.start(u, self._p)
        if not np.isfinite(y).all():
            msg = (
                f"`{self.name}` cannot start at {seconds(tick)} s: its outputs are not "
                "finite; check its inputs and parameters."
            )
            raise StepError(msg)
        self._u, self._place[:] = u.copy(), (seconds(tick), 0.0, 0.0)
        return y

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance with inputs that are constant or Taylor polynomials."""
        start_s, span_s = seconds(tick), seconds(end_tick - tick)
        if u.ndim > 1 and len(u) > self._order + 1:
            msg = (
                f"`{self.name}` got {len(u) - 1} time derivatives of its inputs, "
                f"but its `input_order` is {self._order}; give it fewer."
            )
            raise StepError(msg, component=self.name, time_s=start_s)
        now = (self._memory, start_s, span_s, u, self._p)
        memory, y, status = self._step_map.advance(*now)
        if status is StepStatus.OK:
            # In place: a native step holds on to these.
            self._memory[:], self._place[:] = memory, (start_s + span_s, span_s, 1.0)
            if u.shape != self._u.shape:
                self._u = u.copy()
            self._u[...] = u
            return StepReport(outputs=y, end_tick=end_tick)
        rows = np.atleast_2d(u)
        slope = rows[1] if len(rows) > 1 else None
        where = (self._memory, start_s, span_s, rows[0], self._p)
        message = self._step_map.refusal(*where, slope=slope).reason
        return StepReport(outputs=y, end_tick=tick, status=status, message=message)

    def native_step(self) -> NativeStep:
        """Return the step in C, compiled unless it is in the cache.

        Raises:
            CompilerError: No C compiler, or it failed.
        """
        if self._library is None:
            self._library = self._step_map.library()
        rows = np.zeros(len(self._interface.inputs) * (self._order + 1))
        self._u = rows[: len(self._interface.inputs)]
        return map_step(
            (self._library, self._step_map.name),
            (self._memory, rows, self._p, self._place),
            len(self._u),
            lambda _, tick, end_tick, u: self.step(tick, end_tick, u),
        )

    def output_derivatives(self) -> Vector:
        """Return dy/dt: how the outputs of a step change with its length, at zero."""
        u = self._rows_now()
        return self._slopes().by_time(self._memory, float(self._place[0]), u, self._p)

    def directional_derivative(self, du: Vector) -> Vector:
        """Return the derivative of the start's or of the present outputs along `du`."""
        u, slopes = self._rows_now(), self._slopes()
        if not self._place[2]:
            return slopes.of_start(u[0], self._p, du)
        return slopes.by_inputs(self._memory, float(self._place[0]), u, self._p, du)

    def _rows_now(self) -> Vector:
        return shifted(np.atleast_2d(self._u), float(self._place[1]))

    def _slopes(self) -> StepSlopes:
        if self._symbolic is None:
            msg = f"`{self.name}` is compiled and has no derivatives; ask none of it."
            raise InterfaceError(msg)
        if self._known_slopes is None:
            self._known_slopes = StepSlopes(self._symbolic)
        return self._known_slopes

    def adjust(self, parameters: Mapping[str, float]) -> None:
        """Take other parameter values from the next `initialize` on."""
        self._interface = self._interface.with_starts(dict(parameters))

    def sensitivities(self) -> StepSensitivities | None:
        """Return the exact derivatives of its steps, which compiled ones lack."""
        if self._symbolic is None:
            return None
        if self._known_tangents is None:
            self._known_tangents = StepTangents(self._symbolic)
        return StepMapSensitivities(self._known_tangents, self._p)

    def save(self) -> StepMapState:
        """Return a copy of the memory, the inputs, the parameters and the place."""
        return self._memory.copy(), self._u.copy(), self._p, self._place.copy()

    def restore(self, state: StepMapState) -> None:
        """Go back to a saved state.

        Raises:
            InterfaceError: Another step map saved it.
        """
        memory, u, self._p, place = state
        if memory.shape != self._memory.shape:  # C would trust it
            msg = (
                f"A state of {memory.size} values cannot be one of `{self.name}`, "
                f"with {self._memory.size}; take the step map that it was saved with."
            )
            raise InterfaceError(msg)
        self._memory, self._u, self._place = memory.copy(), u.copy(), place.copy()

    def close(self) -> None:
        """Nothing to free."""


def _starts(interface: Interface) -> Vector:
    return np.array([v.start for v in interface.parameters], dtype=float)
