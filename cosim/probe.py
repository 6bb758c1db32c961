"""Which components cannot go back although they say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.mover import Mover
from packtwin.cosim.slot import Slot

__all__ = ["doubts_about"]

Vector: TypeAlias = NDArray[np.float64]


def doubts_about(
    movers: Sequence[Mover], inputs: Callable[[Slot], Vector], tick: int, end_tick: int
) -> dict[str, str]:
    """Return names and reasons; the components must be initialized again.

    Args:
        movers: All of a run.
        inputs: Returns the inputs of one.
        tick: Start of the first step.
        end_tick: Its end.
    """
    doubts = {}
    for mover in movers:
        if mover.can_rewind:
            ends = ((tick + end_tick) // 2, end_tick)
            if not mover.can_divide:
                ends = (end_tick, 2 * end_tick - tick)
            doubt = mover.repeats_itself(tick, ends, inputs(mover.slot))
            if doubt:
                doubts[mover.name] = doubt
    return doubts
