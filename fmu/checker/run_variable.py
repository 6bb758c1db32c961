"""A variable as the probes of a running FMU see it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from packtwin.fmu.checker.description import REALS

__all__ = ["RunVariable", "packed"]

_DOUBLES = ("Real", "Float64")
_CELL = 8
_REFUSED = b"refused\0"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunVariable:
    """What the probes need of a variable, scalar or array.

    Attributes:
        key: What the model structure calls it.
        kind: The type in the names of its getter and setter.
        size: Number of its elements.
        starts: Start values, one per element, as text; empty if it has none.
    """

    key: int
    name: str
    kind: str
    reference: int
    causality: str
    variability: str
    initial: str
    size: int
    starts: tuple[str, ...]
    minimum: float
    maximum: float
    nominal: float

    @property
    def is_real(self) -> bool:
        """Whether it is a floating point number."""
        return self.kind in REALS

    @property
    def is_double(self) -> bool:
        """Whether it is precise enough for differences."""
        return self.kind in _DOUBLES

    @property
    def numbers(self) -> list[float]:
        """The start values as numbers; 0 where there is none."""
        return [_number(text) for text in self.starts] or [0.0] * self.size

    def scale(self, number: float) -> float:
        """Return the size of a value, the nominal one if it is 0."""
        return abs(number) or abs(self.nominal)

    def near(self, share: float, base: Sequence[float] = ()) -> list[float]:
        """Return legal values: the starts, or a base, moved by a share of them."""
        moved = []
        for number in base or self.numbers:
            value = number + share * self.scale(number)
            if not self.minimum <= value <= self.maximum:
                value = number - share * self.scale(number)
            value = min(max(value, self.minimum), self.maximum)
            moved.append(value if self.is_double else _single(value))
        return moved

    def label(self, element: int) -> str:
        """Return what to call an element, counted from 0."""
        return self.name if self.size == 1 else f"{self.name}[{element + 1}]"

    def pack(self, status: int, values: list[Any]) -> bytes:
        """Return values as bytes, 8 for each, so that equal means identical."""
        if status > 1:
            return _REFUSED * self.size
        return b"".join(map(packed, values))

    def show(self, cell: bytes) -> str:
        """Return the value behind 8 bytes, in words."""
        if self.is_real and cell != _REFUSED:
            return repr(struct.unpack("<d", cell)[0])
        return repr(cell)


def packed(value: Any) -> bytes:
    """Return a value as 8 bytes, so that equal means identical."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, bytes):
        return value[:_CELL].ljust(_CELL)
    return struct.pack("<q", value) if value < 1 << 63 else struct.pack("<Q", value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _single(value: float) -> float:
    """Return the nearest number of single precision."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
