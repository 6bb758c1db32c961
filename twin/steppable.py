"""`SteppableCode`: what can be stepped in C, and hence exported as an FMU."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from packtwin.twin.c_code import CCode
from packtwin.twin.feedthrough import Dependencies
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface

__all__ = ["SteppableCode"]


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
