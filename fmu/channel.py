"""Channels: the values of one FMI type moved between a vector and an FMU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.instance import AbstractInstance
from packtwin.fmu.variable_map import MappedVariable

__all__ = ["Channel", "make_channels"]

Vector: TypeAlias = NDArray[np.float64]

_WARNING = 1


def make_channels(
    variables: Sequence[MappedVariable],
    instance: AbstractInstance,
    verb: str,
    chosen: Sequence[int] | None = None,
) -> tuple[Channel, ...]:
    """Return one channel per FMI type that occurs.

    Args:
        variables: All of a vector.
        instance: Whose.
        verb: Get or Set.
        chosen: Their positions; all by default.
    """
    types = instance.dialect.types
    places: dict[str, list[int]] = {}
    for i in range(len(variables)) if chosen is None else chosen:
        places.setdefault(types[variables[i].kind][1], []).append(i)
    return tuple(
        Channel(variables, positions, instance, f"{instance.dialect.prefix}{verb}")
        for positions in places.values()
    )


@final
class Channel:
    """All inputs (or outputs) of one FMI type, with the arguments of the call.

    Attributes:
        name: Of the getter or setter.
        layout: Where its values are in the vector.
        references: Value references, one per scalar or array.
        buffer: The values in the FMU's type and units.
        factor: From the FMU's units to ours.
        offset: From the FMU's units to ours.
        is_converted: Whether these two do anything.
        is_plain: Whether it holds all values in vector order, without conversion, so
            that `write_plain` and `read_plain` do.
    """

    def __init__(
        self,
        variables: Sequence[MappedVariable],
        positions: list[int],
        instance: AbstractInstance,
        function: str,
    ) -> None:
        chosen = [variables[i] for i in positions]
        array_type, suffix = instance.dialect.types[chosen[0].kind]
        self._instance = instance
        self.name = function + suffix
        self._function: Any = instance.function(self.name)
        if self._function is None:
            instance.call(self.name)  # raises: it is missing
        first, last = positions[0], positions[-1] + 1
        is_run = positions == list(range(first, last))
        self._places = slice(first, last) if is_run else np.array(positions)
        self.layout = np.array(positions, dtype=np.int64)
        references, at = [], 0
        while at < len(chosen):  # the elements of an array share its reference
            references.append(chosen[at].reference)
            at += chosen[at].size
        self.buffer = np.zeros(len(chosen), dtype=array_type)
        self.factor = np.array([v.factor for v in chosen])
        self.offset = np.array([v.offset for v in chosen])
        self.references = (ctypes.c_uint * len(references))(*references)
        self._arguments: tuple[Any, ...] = (
            instance.handle,
            self.references,
            ctypes.c_size_t(len(references)),
            ctypes.c_void_p(self.buffer.ctypes.data),
        )
        if instance.dialect.has_value_count:
            self._arguments += (ctypes.c_size_t(len(chosen)),)
        self._is_float = self.buffer.dtype.kind == "f"
        self.is_converted = bool((self.factor != 1.0).any() or self.offset.any())
        self.is_plain = (
            array_type is np.float64
            and len(chosen) == len(variables)
            and not self.is_converted
        )

    def write(self, vector: Vector) -> None:
        """Convert our values and give them to the FMU."""
        values = vector[self._places]
        if self.is_converted:
            values = (values - self.offset) / self.factor
        self.buffer[:] = values if self._is_float else np.rint(values)
        self._call()

    def read(self, vector: Vector) -> None:
        """Fetch the FMU's values and put them into `vector`, converted."""
        self._call()
        if self.is_converted:
            vector[self._places] = self.buffer * self.factor + self.offset
        else:
            vector[self._places] = self.buffer

    def write_plain(self, vector: Vector) -> None:
        """Give the whole vector to the FMU as it is."""
        self.buffer[:] = vector
        self._call()

    def read_plain(self) -> Vector:
        """Return the FMU's values as they are, in a new vector."""
        self._call()
        return self.buffer.copy()

    def _call(self) -> None:
        status = self._function(*self._arguments)
        if status > _WARNING:
            raise self._instance.call_error(self.name, status)
