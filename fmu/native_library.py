"""What is done for FMUs in C, compiled once per machine."""

from __future__ import annotations

from packtwin.twin.c_function import address_of, c_function

__all__ = ["address_of", "native_function"]


def native_function(name: str) -> int:
    """Return the address of a function of `fmu_step.c`.

    Raises:
        CompilerError: No C compiler, or it failed.
    """
    return c_function("packtwin.fmu.c_sources", "fmu_step.c", name)
