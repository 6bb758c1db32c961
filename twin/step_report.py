"""`StepReport`: what a component says after a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.step_map import StepStatus

__all__ = ["StepReport"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(slots=True, kw_only=True)  # one a step: freezing it would double its cost
class StepReport:
    """The result of one step: outputs at `end_tick`, and how it ended.

    With status `EVENT` the step ended at an event, at `end_tick` after its start; the
    outputs are those just before the event.
    """

    outputs: Vector
    end_tick: int
    status: StepStatus = StepStatus.OK
    message: str = ""
