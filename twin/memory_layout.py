"""`MemoryLayout`: where the parts of an implicit step map's memory lie."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import final

from packtwin.twin.model import Model

__all__ = ["COUNTS", "MemoryLayout", "memory_layout"]

COUNTS = ("rhs", "jacobian", "factorisation", "step", "rejection", "newton")
"""Kinds of work that the integrator counts, in the order of `MemoryLayout.count`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryLayout:
    """The parts of the memory, in this order and without gaps.

    Attributes:
        state: Continuous, then algebraic states.
        input: At the end of the last step.
        parameter: Of the last step.
        arm: For each event, 1 if it can happen, 0 until its indicator is positive.
        proposal: Step lengths to try, s: after a jump, in smooth operation.
        tolerance: Relative, absolute.
        count: Work since the start; see `COUNTS`.
    """

    state: slice
    input: slice
    parameter: slice
    arm: slice
    proposal: slice
    tolerance: slice
    count: slice

    @property
    def size(self) -> int:
        """Length of the memory."""
        return int(self.count.stop)

    def macros(self) -> dict[str, int]:
        """Return the numbers by which `rosenbrock.c` knows the layout."""
        starts = {f.name: getattr(self, f.name).start for f in fields(self)}
        return {
            "PTI_NM": self.size,
            **{f"PTI_AT_{name.upper()}": start for name, start in starts.items()},
            **{f"PTI_{name.upper()}": k for k, name in enumerate(COUNTS)},
        }


def memory_layout(model: Model) -> MemoryLayout:
    """Return the layout of the memory of a model's implicit step map."""
    sizes = {
        "state": len(model.states) + len(model.algebraic_states),
        "input": len(model.interface.inputs),
        "parameter": len(model.interface.parameters),
        "arm": len(model.events),
        "proposal": 2,
        "tolerance": 2,
        "count": len(COUNTS),
    }
    edges = pairwise(accumulate(sizes.values(), initial=0))
    return MemoryLayout(
        **{name: slice(*edge) for name, edge in zip(sizes, edges, strict=True)}
    )
