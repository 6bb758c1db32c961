"""`CompiledSwitched`: a `Switched` run as compiled C, stepped like a `StepMap`."""

from __future__ import annotations

import ctypes
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.compiler import Compiler
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.feedthrough import feedthrough_of
from packtwin.twin.library_cache import cached_library
from packtwin.twin.refusal import refusal_message
from packtwin.twin.step_library import StepLibrary, checked_vector
from packtwin.twin.step_map import StepStatus
from packtwin.twin.switched import Switched
from packtwin.twin.variable import Interface

__all__ = ["CompiledSwitched"]

Vector: TypeAlias = NDArray[np.float64]

_FUNCTIONS = ("initialize", "step", "explain", "lift")
_BY_FAST, _BY_START, _BY_PAST, _BY_EXACT, _BY_RESULT = range(1, 6)


@final
class CompiledSwitched:
    """A compiled switched step map.

    Attributes:
        switched: What was compiled.
    """

    substep_s = float("inf")

    def __init__(self, switched: Switched, compiler: Compiler | None = None) -> None:
        """Compile, or take from the cache, and load.

        Args:
            switched: The two parts.
            compiler: The C compiler; found on this machine by default.

        Raises:
            CompilerError: no C compiler, or it failed.
        """
        self.switched = switched
        text = switched.c_code(with_explain=True).source
        self._path = cached_library(switched.name, text, compiler)
        self._library = StepLibrary(self._path, switched.name, _FUNCTIONS)

    @property
    def name(self) -> str:
        """Name of the step map."""
        return self.switched.name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self.switched.interface

    @property
    def input_order(self) -> int:
        """Inputs are constants."""
        return 0

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        return self.switched.n_memory

    def library(self) -> Path:
        """Return the shared library."""
        return self._path

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) where the output may depend at once on the input."""
        return feedthrough_of(self.interface, self.switched.dependencies())

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return the memory and the outputs at the start time.

        Raises:
            StepError: neither part can start there.
        """
        memory, y = np.zeros(self.n_memory), self._outputs()
        u, p = self._checked(u, p)
        if self._library.call("initialize", u, p, memory, y):
            msg = (
                f"`{self.name}` has no consistent start for inputs {u.tolist()} and "
                f"parameters {p.tolist()}; start within the model's limits and at a "
                "smaller load."
            )
            raise StepError(msg, component=self.name, time_s=0.0, reason="start")
        return memory, y

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Advance by `h` seconds; see `StepMap.advance`."""
        new, y = self._memory(memory), self._outputs()
        status = self._library.call(
            "step", new, float(t), float(h), *self._checked(u, p), y
        )
        return new, y, StepStatus.REFUSED if status else StepStatus.OK

    def lift(self, memory: Vector, t: float, u: Vector, p: Vector) -> Vector:
        """Return the exact part's memory at `t` as a switch there would make it.

        Raises:
            StepError: the exact part cannot follow the past inputs.
        """
        exact = np.zeros(self.switched.exact.n_memory)
        given = (self._memory(memory), float(t), *self._checked(u, p))
        if self._library.call("lift", *given, exact):
            msg = (
                f"`{self.switched.exact.name}` cannot follow the past inputs of "
                f"`{self.name}`; keep them within the model's limits."
            )
            raise StepError(msg, component=self.name, time_s=t, reason="lift")
        return exact

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
        """Return the error to raise for a refused step, given what was refused."""
        del slope  # its inputs are constants
        exact = self.switched.exact.model
        n_state = len(exact.states) + len(exact.algebraic_states)
        why, end = np.zeros(max(1, 2 * n_state)), ctypes.c_double(t)
        u, p = self._checked(u, p)
        cause = self._library.call(
            "explain",
            self._memory(memory),
            float(t),
            float(h),
            u,
            p,
            self._outputs(),
            end,
            why,
        )
        if cause == 0:
            msg = f"The step of `{self.name}` at {t} s is not refused; nothing to say."
            raise InterfaceError(msg)
        states, errors = np.split(why[: 2 * n_state], 2)
        lead = f"`{self.name}` refused the step of {h:.9g} s from {t:.9g} s"
        kept = "The memory is kept as it was"
        if cause == _BY_EXACT:
            given = (u, np.zeros_like(u), p)
            reason = refusal_message(exact, (t, h, end.value), given, states, errors)
        elif cause == _BY_FAST:
            reason = (
                f"{lead}: `{self.switched.fast.name}` is not finite there. {kept}; "
                "give finite inputs, or a shorter step."
            )
        elif cause == _BY_RESULT:
            reason = f"{lead}: its result is not finite. {kept}; take a shorter step."
        else:
            reason = (
                f"{lead}: the guard trips, and `{exact.name}` cannot follow the past "
                f"inputs beyond {end.value:.9g} s. {kept}; keep the inputs within the "
                "model's limits."
            )
        return StepError(reason, component=self.name, time_s=t, reason=reason)

    def _outputs(self) -> Vector:
        return np.full(len(self.interface.outputs), np.nan)

    def _memory(self, memory: Vector) -> Vector:
        return checked_vector(memory, "memory", self.name, (self.n_memory,)).copy()

    def _checked(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        n_u, n_p = len(self.interface.inputs), len(self.interface.parameters)
        return (
            checked_vector(u, "inputs", self.name, (n_u,)),
            checked_vector(p, "parameters", self.name, (n_p,)),
        )
