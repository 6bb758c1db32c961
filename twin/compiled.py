"""`CompiledStepMap`: a step map that runs as compiled C, stepped like a `StepMap`."""

from __future__ import annotations

import ctypes
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.compiler import Compiler
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.feedthrough import feedthrough_of
from packtwin.twin.implicit import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    ImplicitSource,
    implicit_source,
)
from packtwin.twin.input_polynomial import input_rows
from packtwin.twin.library_cache import cached_library
from packtwin.twin.linkage import EXPORTED
from packtwin.twin.memory_layout import COUNTS
from packtwin.twin.model import Model
from packtwin.twin.outcome import Outcome
from packtwin.twin.refusal import refusal_message, start_message
from packtwin.twin.step_library import StepLibrary, checked_vector
from packtwin.twin.step_map import StepStatus
from packtwin.twin.substeps import take_substeps
from packtwin.twin.variable import Interface

__all__ = ["CompiledStepMap", "compile_step_map", "integrate_implicitly"]

Vector: TypeAlias = NDArray[np.float64]


def integrate_implicitly(
    model: Model,
    *,
    relative_tolerance: float = RELATIVE_TOLERANCE,
    absolute_tolerance: float = ABSOLUTE_TOLERANCE,
    compiler: Compiler | None = None,
) -> CompiledStepMap:
    """Turn a stiff model or index-1 DAE into a compiled step map.

    Args:
        model: The equations.
        relative_tolerance: Of every state.
        absolute_tolerance: The same as a fraction of the state's `nominal`.
        compiler: The C compiler; found on this machine by default.

    Raises:
        InterfaceError: the model cannot be expanded or is not of index one.
        CompilerError: no C compiler, or it failed.
    """
    source = implicit_source(
        model,
        relative_tolerance=relative_tolerance,
        absolute_tolerance=absolute_tolerance,
    )
    return compile_step_map(source, compiler)


def compile_step_map(
    source: ImplicitSource, compiler: Compiler | None = None
) -> CompiledStepMap:
    """Compile, or take from the cache, and load.

    Raises:
        CompilerError: no C compiler, or it failed.
    """
    text = EXPORTED + source.source
    library = cached_library(source.model.name, text, compiler)
    return CompiledStepMap(source=source, library=library)


@final
class CompiledStepMap:
    """A compiled implicit step map.

    Attributes:
        source: What it was compiled from.
    """

    substep_s = float("inf")
    input_order = 1

    def __init__(self, *, source: ImplicitSource, library: Path) -> None:
        self.source, self._path = source, library
        self._library = StepLibrary(library, source.model.name)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.source.model.name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self.source.model.interface

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        return self.source.n_memory

    def library(self) -> Path:
        """Return the shared library."""
        return self._path

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) where the output may depend at once on the input."""
        return feedthrough_of(self.interface, self.source.dependencies())

    def start(
        self, u: Vector, p: Vector, *, tolerance: tuple[float, float] | None = None
    ) -> tuple[Vector, Vector]:
        """Return the memory and the outputs at the start time.

        Args:
            u: Inputs.
            p: Parameters.
            tolerance: Relative and absolute, instead of the generated ones.

        Raises:
            StepError: no consistent start, or it lies outside an event's limit.
        """
        memory = np.zeros(self.source.n_memory)
        y = np.zeros(max(1, len(self.interface.outputs)))
        u, p = self._inputs(u), self._parameters(p)
        status = self._library.call("initialize", u, p, memory, y)
        events = self.source.model.events
        arms = memory[self.source.layout.arm]
        outside = [e.name for e, arm in zip(events, arms, strict=True) if arm == 0.0]
        if status != StepStatus.OK or outside:
            known = outside if status == StepStatus.OK else []
            msg = start_message(self.source.model, u, p, known)
            raise StepError(msg, component=self.name, time_s=0.0, reason="start")
        if tolerance is not None:
            memory[self.source.layout.tolerance] = tolerance
        return memory, y[: len(self.interface.outputs)]

    def step_until_event(
        self,
        memory: Vector,
        t: float,
        h: float,
        u: Vector,
        p: Vector,
        *,
        slope: Vector | None = None,
        stops: bool = True,
    ) -> Outcome:
        """Advance by `h` seconds, at most to the first event.

        Args:
            memory: As returned by `start` or the last step.
            t: Start time, s.
            h: Length, s.
            u: Inputs at `t`.
            p: Parameters.
            slope: Time derivatives of the inputs; default 0.
            stops: End at an event; otherwise go on through it.
        """
        new = self._copy(memory)
        y = np.full(max(1, len(self.interface.outputs)), np.nan)
        end, event = ctypes.c_double(t), ctypes.c_int(-1)
        u, p = self._inputs(u), self._parameters(p)
        du = None if slope is None else self._inputs(slope)
        status = self._library.call(
            "advance", new, float(t), float(h), u, du, p, y, int(stops), end, event
        )
        outputs = y[: len(self.interface.outputs)]
        return self._outcome(status, new, outputs, end.value, event.value)

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Advance by `h` seconds through any events; see `StepMap.advance`."""
        rows = input_rows(u, len(self.interface.inputs), self.name)
        inputs, is_mean = (rows, self.input_order), self.interface.is_mean_output
        single = partial(self._substep, p)
        now, y, is_done = take_substeps(single, memory, (t, h), inputs, is_mean)
        return now, y, StepStatus.OK if is_done else StepStatus.REFUSED

    def _substep(
        self, p: Vector, memory: Vector, t: float, h: float, rows: Vector
    ) -> tuple[Vector, Vector, bool]:
        u, slope = rows[0], rows[1] if rows[1].any() else None
        done = self.step_until_event(memory, t, h, u, p, slope=slope, stops=False)
        return done.memory, done.outputs, done.status is not StepStatus.REFUSED

    def run(
        self,
        memory: Vector,
        times_s: Vector,
        u: Vector,
        p: Vector,
        *,
        slopes: Vector | None = None,
        stops: bool = True,
    ) -> Outcome:
        """Take many steps without returning to Python.

        Args:
            memory: As returned by `start` or the last step.
            times_s: Start of every step and end of the last, shape `(n + 1,)`.
            u: Inputs at the start of every step, shape `(n, n_u)`.
            p: Parameters.
            slopes: Time derivatives of the inputs in every step, like `u`; default 0.
            stops: End at the first event.
        """
        n = len(times_s) - 1
        n_y = len(self.interface.outputs)
        new, y = self._copy(memory), np.zeros((n, n_y))
        times_s = np.ascontiguousarray(times_s, dtype=np.float64)
        u, p = self._inputs(u, n), self._parameters(p)
        du = None if slopes is None else self._inputs(slopes, n)
        end, event, done = ctypes.c_double(), ctypes.c_int(-1), ctypes.c_int(0)
        status = self._library.call(
            "run", new, times_s, n, u, du, p, y, int(stops), end, event, done
        )
        return self._outcome(status, new, y[: done.value], end.value, event.value)

    def refusal(
        self,
        memory: Vector,
        t: float,
        h: float,
        u: Vector,
        p: Vector,
        *,
        slope: Vector | None = None,
    ) -> StepError:
        """Return the error to raise for a refused step, given what was refused.

        The step is repeated to find the time reached and the states that stopped it;
        `memory` is not changed and can be stepped on with other inputs.
        """
        u, p = self._inputs(u), self._parameters(p)
        du = np.zeros_like(u) if slope is None else self._inputs(slope)
        n_state = self.source.layout.state.stop
        why = np.zeros(max(1, 2 * n_state))
        end = ctypes.c_double(t)
        given = None if slope is None else du
        now = self._copy(memory)
        status = self._library.call(
            "explain", now, float(t), float(h), u, given, p, end, why
        )
        if status != StepStatus.REFUSED:
            msg = f"The step of `{self.name}` at {t} s is not refused; nothing to say."
            raise InterfaceError(msg)
        states, errors = np.split(why[: 2 * n_state], 2)
        reason = refusal_message(
            self.source.model, (t, h, end.value), (u, du, p), states, errors
        )
        return StepError(reason, component=self.name, time_s=t, reason=reason)

    def counts(self, memory: Vector) -> dict[str, int]:
        """Return how much work the memory's run took since its start."""
        counted = memory[self.source.layout.count]
        return {name: int(n) for name, n in zip(COUNTS, counted, strict=True)}

    def _outcome(
        self,
        status: int,
        memory: Vector,
        outputs: Vector,
        end_time_s: float,
        event: int,
    ) -> Outcome:
        return Outcome(
            memory=memory,
            outputs=outputs,
            status=StepStatus(status),
            end_time_s=end_time_s,
            event=self.source.model.events[event].name if event >= 0 else "",
        )

    def _copy(self, memory: Vector) -> Vector:
        return self._checked(memory, "memory", (self.source.n_memory,)).copy()

    def _inputs(self, u: Vector, n: int | None = None) -> Vector:
        n_u = len(self.interface.inputs)
        return self._checked(u, "inputs", (n_u,) if n is None else (n, n_u))

    def _parameters(self, p: Vector) -> Vector:
        return self._checked(p, "parameters", (len(self.interface.parameters),))

    def _checked(self, values: Vector, label: str, shape: tuple[int, ...]) -> Vector:
        return checked_vector(values, label, self.name, shape)
