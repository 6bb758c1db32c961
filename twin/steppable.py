"""What can be stepped in C, and hence exported as an FMU, and what runs here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.c_code import CCode
from packtwin.twin.errors import StepError
from packtwin.twin.feedthrough import Dependencies
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface

__all__ = ["RunnableMap", "SteppableCode"]

Vector: TypeAlias = NDArray[np.float64]


@runtime_checkable
class SteppableCode(Protocol):
    """One step of a component that can be written as C99.

    `StepMap` is one, and so is the implicit step map `ImplicitSource`.
    """

    @property
    def name(self) -> str:
        """C identifier; prefix of the C functions."""
        ...

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        ...

    @property
    def remark(self) -> str:
        """A sentence that those who import it must know; may be empty."""
        ...

    def dependencies(self) -> Dependencies:
        """Return what each output depends on at once."""
        ...

    @property
    def equations(self) -> Model | None:
        """The model whose states begin the memory, if there is one."""
        ...

    def c_code(
        self, *, is_static: bool = False, has_derivatives: bool = False
    ) -> CCode:
        """Return the C source.

        Args:
            is_static: Make the functions of the ABI `static` too.
            has_derivatives: Add exact derivatives where the step has them.
        """
        ...


@runtime_checkable
class RunnableMap(Protocol):
    """A step map that can be stepped here: in CasADi, or compiled."""

    @property
    def name(self) -> str:
        """Prefix of the C functions."""
        ...

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        ...

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        ...

    @property
    def input_order(self) -> int:
        """Time derivatives of the inputs that a step takes without cutting it."""
        ...

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) where the output depends at once on the input."""
        ...

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return the memory and the outputs at the start time."""
        ...

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Advance by `h` seconds from time `t`; see `StepMap.advance`."""
        ...

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
        ...

    def library(self) -> Path:
        """Return a shared library with the functions of `c_code`."""
        ...
