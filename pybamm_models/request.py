"""What the ground truth is asked to solve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
import numpy.typing as npt

from packtwin.twin.errors import ScenarioError

__all__ = ["Request"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to solve: a piecewise-linear current on whole seconds and surroundings.

    `time_s` starts at 0 and holds the knots; `coolant_temperature_K` is an array on
    the same knots. `factors` scale parameters of the cell by PyBaMM's names, or whole
    functions by `X factor` (see `identification_entries`); none by default.
    """

    name: str
    kind: str
    time_s: npt.NDArray[np.float64]
    current_A: npt.NDArray[np.float64]
    start_soc: float
    start_temperature_K: float
    coolant_temperature_K: npt.NDArray[np.float64]
    heat_transfer_coefficient_W_per_m2_K: float
    factors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.time_s)
        is_whole = n >= 2 and self.time_s[0] == 0 and np.all(np.diff(self.time_s) > 0)
        if not is_whole or len(self.current_A) != n:
            message = (
                f"Request `{self.name}`: `time_s` must start at 0 s, increase and be "
                f"as long as `current_A`, got {n} and {len(self.current_A)} points."
            )
            raise ScenarioError(message)
        if len(self.coolant_temperature_K) != n:
            message = (
                f"Request `{self.name}`: `coolant_temperature_K` needs {n} points, "
                f"got {len(self.coolant_temperature_K)}."
            )
            raise ScenarioError(message)
        if not np.all(np.isfinite(self.current_A)):
            message = (
                f"Request `{self.name}`: `current_A` has values that are no number."
            )
            raise ScenarioError(message)
