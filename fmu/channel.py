"""Channels: the values of one FMI type moved between a vector and an FMU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.instance import FmuInstance
from packtwin.fmu.variable_map import MappedVariable

__all__ = ["Channel", "make_channels"]

Vector: TypeAlias = NDArray[np.float64]

_WARNING = 1
_TYPES: dict[str, type[np.generic]] = {
    "Real": np.float64,
    "Integer": np.int32,
    "Boolean": np.int32,
}


def make_channels(
    variables: Sequence[MappedVariable], instance: FmuInstance, prefix: str
) -> tuple[Channel, ...]:
    """Return one channel per FMI type that occurs; `prefix` is fmi2Get or fmi2Set."""
    channels = []
    for kind in _TYPES:
        positions = [i for i, v in enumerate(variables) if v.kind == kind]
        if positions:
            channels.append(Channel(variables, positions, instance, prefix + kind))
    return tuple(channels)


@final
class Channel:
    """All inputs (or outputs) of one FMI type, with the arguments of the call.

    Attributes:
        is_plain: Whether it holds all values in vector order, without conversion, so
            that `write_plain` and `read_plain` do.
    """

    def __init__(
        self,
        variables: Sequence[MappedVariable],
        positions: list[int],
        instance: FmuInstance,
        function: str,
    ) -> None:
        chosen = [variables[i] for i in positions]
        self._instance = instance
        self._handle = instance.handle
        self._name = function
        self._function: Any = instance.function(function)
        if self._function is None:
            instance.call(function)  # raises: it is missing
        self._positions = np.array(positions)
        self._references = (ctypes.c_uint * len(chosen))(*(v.reference for v in chosen))
        self._count = ctypes.c_size_t(len(chosen))
        self._buffer = np.zeros(len(chosen), dtype=_TYPES[chosen[0].kind])
        self._pointer = ctypes.c_void_p(self._buffer.ctypes.data)
        self._factor = np.array([v.factor for v in chosen])
        self._offset = np.array([v.offset for v in chosen])
        self.is_plain = (
            chosen[0].kind == "Real"
            and len(chosen) == len(variables)
            and bool((self._factor == 1.0).all() and (self._offset == 0.0).all())
        )

    def write(self, vector: Vector) -> None:
        """Convert our values and give them to the FMU."""
        values = (vector[self._positions] - self._offset) / self._factor
        if self._buffer.dtype != np.float64:
            values = np.rint(values)
        self._buffer[:] = values
        self._call()

    def read(self, vector: Vector) -> None:
        """Fetch the FMU's values and put them into `vector`, converted."""
        self._call()
        vector[self._positions] = self._buffer * self._factor + self._offset

    def write_plain(self, vector: Vector) -> None:
        """Give the whole vector to the FMU as it is."""
        self._buffer[:] = vector
        self._call()

    def read_plain(self) -> Vector:
        """Return the FMU's values as they are, in a new vector."""
        self._call()
        return self._buffer.copy()

    def _call(self) -> None:
        status = self._function(
            self._handle, self._references, self._count, self._pointer
        )
        if status > _WARNING:
            raise self._instance.call_error(self._name, status)
