"""What steps of a compiled step map did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.step_map import StepStatus

__all__ = ["RunOutcome", "StepOutcome"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepOutcome:
    """What one step did.

    Attributes:
        memory: New memory; the old one if the step was refused.
        outputs: Outputs at the end, means over the time covered.
        status: `OK`, `EVENT` (stopped early) or `REFUSED`.
        end_time_s: Time reached.
        event: Name of the event that happened, empty if none.
    """

    memory: Vector
    outputs: Vector
    status: StepStatus
    end_time_s: float
    event: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunOutcome:
    """What many steps did.

    Attributes:
        memory: Memory at the end; if a step was refused, at the start of that step.
        outputs: One row per step taken; an event's row is the last and shorter.
        status: Of the last step.
        end_time_s: Time reached.
        event: Name of the event that ended the run, empty if none.
    """

    memory: Vector
    outputs: Vector
    status: StepStatus
    end_time_s: float
    event: str = ""
