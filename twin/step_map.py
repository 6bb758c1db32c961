"""`StepMap`: what happens in one communication step, once.

A step map owns no mutable state: `step(memory, t, h, u, p) -> memory, y, status`. The
memory is one flat vector with a published layout, so that saving and restoring a
component is a copy. Co-simulation FMUs, Python components and batched runs are all
made from the same two CasADi functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.c_code import CCode, generate_c
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.feedthrough import (
    Dependencies,
    dependencies_of_start,
    feedthrough_of,
)
from packtwin.twin.function_call import FunctionCall
from packtwin.twin.input_polynomial import input_rows
from packtwin.twin.library_cache import cached_library
from packtwin.twin.linkage import EXPORTED
from packtwin.twin.model import Model
from packtwin.twin.substeps import take_substeps
from packtwin.twin.variable import Interface, Variable

__all__ = ["StepMap", "StepStatus"]

Vector: TypeAlias = NDArray[np.float64]


class StepStatus(IntEnum):
    """How a step ended."""

    OK = 0
    REFUSED = 1  # nothing was changed: the step was not possible
    EVENT = 2  # an event ended the step early
    ENDED = 3  # it asks to end the run; nothing more can be stepped


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepMap:
    """One step of a component, as two CasADi functions.

    Attributes:
        name: C identifier; prefix of the generated C functions.
        interface: Inputs, outputs and parameters. Outputs with `sampling="mean"` are
            exact means over the step, the others hold at its end.
        memory: Layout of the memory vector.
        initialize: `casadi.Function (u, p) -> (memory, y)`.
        step: `casadi.Function (memory, t, h, u, p) -> (memory, y)`. A step whose
            result is not finite is refused. One of length zero gives the outputs for
            `memory` and `u`.
        substep_s: A longer step is cut into equal substeps of at most this length.
        input_order: Order k of the polynomials that `step` takes as inputs: its `u`
            is stacked from the inputs and their first k time derivatives at the start
            of the step, of size `n_inputs * (k + 1)`. `initialize` takes values only.
        equations: The model that the memory is the state of, if there is one.
    """

    name: str
    interface: Interface
    memory: tuple[Variable, ...]
    initialize: ca.Function
    step: ca.Function
    substep_s: float = math.inf
    input_order: int = 0
    equations: Model | None = None
    _call: FunctionCall = field(init=False, repr=False, compare=False)
    _compiled: list[Path] = field(
        init=False, repr=False, compare=False, default_factory=list
    )

    def __post_init__(self) -> None:
        """Check that the functions have the sizes that the variables promise."""
        object.__setattr__(self, "_call", FunctionCall(self.step))
        n_m, n_u = len(self.memory), len(self.interface.inputs)
        n_p, n_y = len(self.interface.parameters), len(self.interface.outputs)
        wanted = {
            "initialize": (self.initialize, (n_u, n_p), (n_m, n_y)),
            "step": (
                self.step,
                (n_m, 1, 1, n_u * (self.input_order + 1), n_p),
                (n_m, n_y),
            ),
        }
        for label, (function, sizes_in, sizes_out) in wanted.items():
            got_in = tuple(function.numel_in(i) for i in range(function.n_in()))
            got_out = tuple(function.numel_out(i) for i in range(function.n_out()))
            if (got_in, got_out) != (sizes_in, sizes_out):
                msg = (
                    f"`{label}` of step map `{self.name}` has sizes {got_in} -> "
                    f"{got_out}, expected {sizes_in} -> {sizes_out}."
                )
                raise InterfaceError(msg)

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        return len(self.memory)

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output), from the sparsity of the output equations."""
        return feedthrough_of(self.interface, self.dependencies())

    @property
    def remark(self) -> str:
        """Nothing that those who import its FMU must know beyond the interface."""
        return ""

    @property
    def is_mean_output(self) -> NDArray[np.bool_]:
        """Flags of the outputs that are means over the step."""
        return self.interface.is_mean_output

    def dependencies(self) -> Dependencies:
        """Return what each output depends on at once."""
        return dependencies_of_start(self.initialize)

    def c_code(
        self,
        *,
        is_static: bool = False,
        has_derivatives: bool = False,
        also: Sequence[ca.Function] = (),
    ) -> CCode:
        """Return the C source; see `c_code`.

        Args:
            is_static: Make the functions of the ABI `static` too.
            has_derivatives: Add the functions of `step_derivatives`.
            also: Further functions for code that follows.
        """
        return generate_c(
            self.name,
            self.initialize,
            self.step,
            is_mean=self.is_mean_output.tolist(),
            substep_s=self.substep_s,
            input_order=self.input_order,
            has_derivatives=has_derivatives,
            is_static=is_static,
            also=also,
        )

    def library(self) -> Path:
        """Return it compiled, from the cache if it is there.

        Raises:
            CompilerError: No C compiler, or it failed.
        """
        if not (self._compiled and self._compiled[0].exists()):
            text = EXPORTED + self.c_code().source
            self._compiled[:] = [cached_library(self.name, text)]
        return self._compiled[0]

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return the memory and the outputs at the start time."""
        memory, y = FunctionCall(self.initialize)(u, p)
        return memory, y

    def substep_count(self, h: float) -> int:
        """Return the number of equal substeps that make up a step of length `h`."""
        if not math.isfinite(self.substep_s):
            return 1
        return max(1, math.ceil(h / self.substep_s - 1e-9))

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Advance by `h` seconds from time `t`.

        Args:
            memory: As returned by `start` or the last step.
            t: Start time, s.
            h: Length, s.
            u: Inputs: a vector, constant over the step, or up to `MAXIMUM_ROWS` rows of
                values and time derivatives at `t`. Rows beyond `input_order` are met
                by substeps (second order) instead of exactly.
            p: Parameters.

        Returns:
            New memory, outputs and status; a refused step returns the memory it got.
        """
        rows = input_rows(u, len(self.interface.inputs), self.name)
        now, y, is_done = take_substeps(
            partial(self._substep, p),
            memory,
            (t, h),
            (rows, self.input_order),
            self.is_mean_output,
            self.substep_count(h),
        )
        return now, y, StepStatus.OK if is_done else StepStatus.REFUSED

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
        del memory, h, u, p, slope
        reason = "the result is not finite"
        return StepError(reason, component=self.name, time_s=t, reason=reason)

    def _substep(
        self, p: Vector, memory: Vector, t: float, h: float, rows: Vector
    ) -> tuple[Vector, Vector, bool]:
        now, y = self._call(memory, t, h, rows.reshape(-1), p)
        return now, y, bool(np.isfinite(now).all() and np.isfinite(y).all())
