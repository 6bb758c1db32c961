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
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.input_polynomial import shifted
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.step_slopes import StepSlopes
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
StepMapState: TypeAlias = tuple[Vector, Vector, tuple[float, float, bool]]

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


@final
@dataclass(slots=True, kw_only=True)  # one a step: freezing it would double its cost
class StepReport:
    """The result of one step: outputs at `end_tick`, and how it ended.

    With status `EVENT` the step ended at an event, at `end_tick` after its start; the
    outputs are those just before the event.
    """

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
        self._time_s = 0.0
        self._u = np.zeros(len(self._interface.inputs))  # at the last step's start
        self._span_s, self._is_at_start = 0.0, True
        self._known_slopes: StepSlopes | None = None  # made when asked for
        self._order = step_map.input_order

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def step_map(self) -> StepMap | CompiledStepMap | CompiledSwitched:
        """What is stepped."""
        return self._step_map

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self._interface

    @property
    def capabilities(self) -> Capabilities:
        """It can do everything a pure function can."""
        is_symbolic = isinstance(self._step_map, StepMap)
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
        self._memory, y = self._step_map.start(u, self._p)
        if not np.isfinite(y).all():
            msg = (
                f"`{self.name}` cannot start at {seconds(tick)} s: its outputs are not "
                "finite; check its inputs and parameters."
            )
            raise StepError(msg)
        self._time_s, self._span_s, self._u = seconds(tick), 0.0, u.copy()
        self._is_at_start = True
        return y

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance with inputs that are constant or Taylor polynomials."""
        start_s, span_s = seconds(tick), seconds(end_tick - tick)
        if u.ndim == 1:
            now = (self._memory, start_s, span_s, u, self._p)
            memory, y, status = self._step_map.advance(*now)
        else:
            memory, y, status = self._advance_on_polynomials(start_s, span_s, u)
        if status is StepStatus.OK:
            self._memory, self._time_s = memory, start_s + span_s
            self._span_s, self._u, self._is_at_start = span_s, u.copy(), False
            return StepReport(outputs=y, end_tick=end_tick)
        message = "the result is not finite"
        rows = np.atleast_2d(u)
        where = (self._memory, start_s, span_s, rows[0], self._p)
        if isinstance(self._step_map, CompiledStepMap):
            slope = rows[1] if len(rows) > 1 else None
            message = self._step_map.refusal(*where, slope=slope).reason
        elif isinstance(self._step_map, CompiledSwitched):
            message = self._step_map.refusal(*where).reason
        return StepReport(outputs=y, end_tick=tick, status=status, message=message)

    def _advance_on_polynomials(
        self, start_s: float, span_s: float, rows: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        if len(rows) > self._order + 1:
            msg = (
                f"`{self.name}` got {len(rows) - 1} time derivatives of its inputs, "
                f"but its `input_order` is {self._order}; give it fewer."
            )
            raise StepError(msg, component=self.name, time_s=start_s)
        if isinstance(self._step_map, CompiledStepMap):
            outcome = self._step_map.step_until_event(
                self._memory,
                start_s,
                span_s,
                rows[0],
                self._p,
                slope=rows[1] if len(rows) > 1 else None,
                stops=False,
            )
            return outcome.memory, outcome.outputs, outcome.status
        return self._step_map.advance(self._memory, start_s, span_s, rows, self._p)

    def output_derivatives(self) -> Vector:
        """Return dy/dt: how the outputs of a step change with its length, at zero."""
        u = self._rows_now()
        return self._slopes().by_time(self._memory, self._time_s, u, self._p)

    def directional_derivative(self, du: Vector) -> Vector:
        """Return the derivative of the start's or of the present outputs along `du`."""
        u, slopes = self._rows_now(), self._slopes()
        if self._is_at_start:
            return slopes.of_start(u[0], self._p, du)
        return slopes.by_inputs(self._memory, self._time_s, u, self._p, du)

    def _rows_now(self) -> Vector:
        return shifted(np.atleast_2d(self._u), self._span_s)

    def _slopes(self) -> StepSlopes:
        if not isinstance(self._step_map, StepMap):
            msg = f"`{self.name}` is compiled and has no derivatives; ask none of it."
            raise InterfaceError(msg)
        if self._known_slopes is None:
            self._known_slopes = StepSlopes(self._step_map)
        return self._known_slopes

    def save(self) -> StepMapState:
        """Return a copy of the memory, the time and the inputs."""
        place = (self._time_s, self._span_s, self._is_at_start)
        return self._memory.copy(), self._u.copy(), place

    def restore(self, state: StepMapState) -> None:
        """Go back to a saved state."""
        memory, u, (self._time_s, self._span_s, self._is_at_start) = state
        self._memory, self._u = memory.copy(), u.copy()

    def close(self) -> None:
        """Nothing to free."""
