"""`StepLibrary`: the C functions of a compiled step map, called with arrays."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError

__all__ = ["StepLibrary", "checked_vector"]

Vector: TypeAlias = NDArray[np.float64]

_FUNCTIONS = ("initialize", "advance", "run", "explain")


@final
class StepLibrary:
    """A loaded library and scratch memory for each thread that calls it."""

    def __init__(
        self, path: Path, name: str, functions: Sequence[str] = _FUNCTIONS
    ) -> None:
        """Load a library.

        Args:
            path: The shared library.
            name: Prefix of its functions.
            functions: What follows the prefix.
        """
        loaded = ctypes.CDLL(str(path))
        self._functions: dict[str, Any] = {
            label: getattr(loaded, f"{name}_pt_{label}") for label in functions
        }
        space_size = getattr(loaded, f"{name}_pt_space_size")
        space_size.restype = ctypes.c_size_t
        self._n_space = -(-int(space_size()) // 8)
        self._own = threading.local()

    def call(self, function: str, *arguments: Any) -> int:
        """Call a function of the ABI and return its status.

        Args:
            function: Name without prefix.
            arguments: All but the scratch: contiguous vectors, floats, integers,
                `ctypes` values to be filled in, or None for a null pointer.
        """
        given = map(_argument, arguments)
        status: int = self._functions[function](*given, self._space())
        return status

    def _space(self) -> ctypes.c_void_p:
        # Calls release the GIL: two threads must not share scratch.
        try:
            vector: Vector = self._own.vector
        except AttributeError:
            vector = self._own.vector = np.zeros(self._n_space)
        return ctypes.c_void_p(vector.ctypes.data)


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, float):
        return ctypes.c_double(value)
    if isinstance(value, (ctypes.c_double, ctypes.c_int)):
        return ctypes.byref(value)
    return value


def checked_vector(
    values: Vector, label: str, name: str, shape: tuple[int, ...]
) -> Vector:
    """Return values as C takes them.

    Args:
        values: What is given.
        label: What they are, for the error.
        name: Whose they are.
        shape: The one they must have.

    Raises:
        InterfaceError: They have another.
    """
    vector = np.ascontiguousarray(values, dtype=np.float64)
    if vector.shape != shape:
        msg = (
            f"The {label} of `{name}` have shape {vector.shape}, expected {shape}; "
            "give them in the order of its interface."
        )
        raise InterfaceError(msg)
    return vector
