"""`is_finite`: whether all values are, fast for the short vectors of a step."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_finite"]

Vector: TypeAlias = NDArray[np.float64]


def is_finite(values: Vector) -> bool:
    """Return whether all values of a vector are finite."""
    # The cheap test first; a sum of finite values may yet overflow.
    return math.isfinite(sum(values.tolist())) or bool(np.isfinite(values).all())
