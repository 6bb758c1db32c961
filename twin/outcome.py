"""What steps of a compiled step map did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.step_map import StepStatus

__all__ = ["Outcome"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What one step or a run of many steps did.

    Attributes:
        memory: Memory at the end; if a step was refused, at the start of that step.
        outputs: Of one step: at its end, means over the time covered. Of a run: one
            such row per step taken; an event's row is the last and covers less time.
        status: `OK`, `EVENT` (stopped early) or `REFUSED`; of a run, the last step's.
        end_time_s: Time reached.
        event: Name of the event that ended it, empty if none.
    """

    memory: Vector
    outputs: Vector
    status: StepStatus
    end_time_s: float
    event: str = ""
