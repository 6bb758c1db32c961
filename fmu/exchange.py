"""A model-exchange FMU that takes steps: FMPy's CVODE integrates it, with events."""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, final

from fmpy.sundials import CVodeSolver
from typing_extensions import override

from packtwin.fmu.stepping import AbstractStepping, SmoothInputs, Vector
from packtwin.twin.errors import FmuCallError
from packtwin.twin.input_polynomial import value_at

__all__ = ["AbstractExchange"]

_MAX_INTERNAL_STEPS = 20_000
_MAX_EVENTS_AT_ONCE = 100


class AbstractExchange(AbstractStepping):
    """An instance for model exchange with an integrator of its own.

    The integrator starts anew at every communication point, so that going back is
    going back to the FMU's own state. Inputs follow their polynomials inside the step;
    where they jump, and the model has event indicators, an event is handled. State
    events are located by the integrator, time events are met exactly.
    """

    derivatives_name: ClassVar[str]
    has_event_mode = True

    def __init__(
        self,
        library: Path | ctypes.CDLL,
        *,
        relative_tolerance: float = 1e-8,
        **where: Any,
    ) -> None:
        """Load and instantiate; see `AbstractInstance`.

        Args:
            library: The shared library.
            relative_tolerance: Of the integrator; the absolute one is that times the
                nominal value of each state.
            where: `token`, `name`, `resources`, `path`.
        """
        self._relative_tolerance = relative_tolerance
        self._write_at: Callable[[float], None] | None = None
        super().__init__(library, **where)

    @abstractmethod
    def _counts(self) -> tuple[int, int]:
        """Return the numbers of continuous states and event indicators."""

    @abstractmethod
    def _update_discrete_states(self) -> tuple[bool, float]:
        """Settle the discrete states; whether to end, and the next time event, s."""

    @abstractmethod
    def _completed_step(self) -> tuple[bool, bool]:
        """Say that a step is done; whether an event is due, and whether to end."""

    @override
    def _needed(self) -> tuple[str, ...]:
        prefix = self.dialect.prefix
        return tuple(
            prefix + name
            for name in (
                "FreeInstance",
                "EnterInitializationMode",
                "ExitInitializationMode",
                "EnterEventMode",
                "EnterContinuousTimeMode",
                "SetTime",
                "SetContinuousStates",
                "GetContinuousStates",
                self.derivatives_name,
            )
        )

    @override
    def finish(self) -> None:
        """Leave initialization, settle the discrete states and make the integrator."""
        self.call(f"{self.dialect.prefix}ExitInitializationMode")
        self._settle()
        self.n_states, self.n_indicators = self._counts()

    def _settle(self) -> None:
        self.wants_end, self.next_event_s = self._update_discrete_states()
        self.call(f"{self.dialect.prefix}EnterContinuousTimeMode")

    @override
    def at_event(self, action: Callable[[], None]) -> None:
        self.call(f"{self.dialect.prefix}EnterEventMode")
        action()
        self._settle()

    @override
    def do_step(self, time_s: float, length_s: float) -> int:
        """Integrate to the end of the step, or to its first event if so wanted."""
        end_s, now_s, count = time_s + length_s, time_s, 0
        self.has_event = False
        self._set_time(now_s)
        if self.n_indicators:  # the inputs may have jumped
            self.handle_events()
        solver = self._solver(now_s)
        while now_s < end_s and not self.wants_end:
            before_s = now_s
            now_s, is_event = self._integrate(solver, now_s, end_s)
            if is_event and self.stops_at_events:
                self.has_event = True
                break
            if is_event:
                self.count_event(now_s)
                self.handle_events()
                solver.reset(now_s)
                count = count + 1 if now_s <= before_s else 0
            if count > _MAX_EVENTS_AT_ONCE:
                msg = (
                    f"{self.label} has one event after the other at "
                    f"{now_s:.9g} s; ask its maker."
                )
                raise FmuCallError(msg)
        self.reached_s, self.is_early = now_s, now_s < end_s
        return 0

    def _integrate(
        self, solver: CVodeSolver, time_s: float, end_s: float
    ) -> tuple[float, bool]:
        """Integrate to an event or the end; return the time and whether it is one."""
        goal_s, is_root = min(end_s, self.next_event_s), False
        if goal_s > time_s:
            is_root, _, time_s = solver.step(time_s, goal_s)
        self._set_time(time_s)
        is_due, self.wants_end = self._completed_step()
        return time_s, bool(is_root) or is_due or time_s >= self.next_event_s

    def _solver(self, time_s: float) -> CVodeSolver:
        return CVodeSolver(
            nx=self.n_states,
            nz=self.n_indicators,
            get_x=self._vector_call("GetContinuousStates"),
            set_x=self._vector_call("SetContinuousStates"),
            get_dx=self._vector_call(self.derivatives_name),
            get_z=self._vector_call("GetEventIndicators"),
            get_nominals=self._vector_call("GetNominalsOfContinuousStates"),
            set_time=self._set_time,
            input=_NoInput(),
            startTime=time_s,
            relativeTolerance=self._relative_tolerance,
            maxNumSteps=_MAX_INTERNAL_STEPS,
        )

    def _set_time(self, time_s: float) -> None:
        self.call(f"{self.dialect.prefix}SetTime", ctypes.c_double(time_s))
        if self._write_at is not None:
            self._write_at(time_s)

    def _vector_call(self, name: str) -> Callable[[Any, int], None]:
        full = self.dialect.prefix + name

        def call(pointer: Any, count: int) -> None:
            self.call(full, pointer, ctypes.c_size_t(count))

        return call

    @override
    def set_input_rows(
        self,
        smooth: SmoothInputs,
        rows: Vector,
        start_s: float,
        write: Callable[[Vector], None],
    ) -> None:
        def write_at(time_s: float) -> None:
            write(value_at(list(rows), time_s - start_s))

        self._write_at = write_at

    @override
    def hold_inputs(self) -> None:
        self._write_at = None


@final
class _NoInput:
    """FMPy's solver wants something that sets inputs; ours are set with the time."""

    def apply(self, _time_s: float) -> None:
        """Do nothing."""
