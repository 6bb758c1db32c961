"""`Stepper`: a system compiled into index arrays for one run.

In step mode each component gets its inputs once, is stepped once and gives its outputs
once, as FMI demands of co-simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from typing_extensions import override

from packtwin.cosim.abstract_stepper import (
    AbstractStepper,
    StepFunction,
    StepOrder,
    Vector,
)
from packtwin.cosim.finite import is_finite
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.slot import Slot, describe
from packtwin.cosim.system import System
from packtwin.twin.component import seconds
from packtwin.twin.step_map import StepStatus

__all__ = ["Stepper"]


@final
class Stepper(AbstractStepper):
    """A run with inputs held over each step and one step of each component."""

    def __init__(
        self,
        system: System,
        order: StepOrder,
        *,
        bonds: Sequence[PowerBond] = (),
        has_timing: bool = False,
        wants_c: bool = False,
    ) -> None:
        """Compile a system for one order of steps.

        Args:
            system: What to step.
            order: As its master wants it.
            bonds: Power bonds to account for.
            has_timing: Measure `component_seconds`.
            wants_c: Loop in C where nothing needs Python in every step.
        """
        # A lagged source that is stepped later still holds its old value.
        rank = {name: i for i, name in enumerate(order.components)}
        overwritten = {
            c.target
            for c in order.lagged
            if rank[c.source.component] < rank[c.target.component]
        }
        super().__init__(
            system,
            order.components,
            overwritten=overwritten,
            bonds=bonds,
            has_timing=has_timing,
        )
        self.order = order
        self.wants_c = wants_c and not has_timing
        self.loop = "Python"
        self._has_previous = bool(overwritten or self.accounts)
        self._plan = [
            (
                i,
                self._step_functions[i],
                slot.indices,
                slot.u,
                slot.factors,
                slot.offsets,
                self._both[slot.target],
            )
            for i, slot in enumerate(self._slots)
        ]

    @property
    @override
    def provenance(self) -> dict[str, str]:
        lagged = ", ".join(str(c) for c in self.order.lagged)
        return {"order": str(self.order), "lagged": lagged, "loop": self.loop}

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The components with their places, in the order of their steps."""
        return tuple(self._slots)

    @property
    def both(self) -> Vector:
        """The signals now, then those at the start of the step."""
        return self._both

    @property
    def has_previous(self) -> bool:
        """Whether the signals at the start of the step are needed."""
        return self._has_previous

    @override
    def advance(self, tick: int, end_tick: int) -> None:
        if self._has_previous:
            self._previous[...] = self.values
        self._walk(self._plan, tick, end_tick)

    def take_over(
        self, first: int, step: StepFunction, tick: int, end_tick: int
    ) -> None:
        """Finish a step that came to component number `first`.

        Args:
            first: The components before it have made the step.
            step: What steps it.
            tick: Start of the step.
            end_tick: End.

        Raises:
            StepError: As `advance` does.
        """
        at, _, *places = self._plan[first]
        self._walk([(at, step, *places), *self._plan[first + 1 :]], tick, end_tick)

    def _walk(self, plan: list[Any], tick: int, end_tick: int) -> None:
        take, ok = self._both.take, StepStatus.OK
        i, report = 0, None
        try:
            for i, step, indices, u, factors, offsets, target in plan:  # noqa: B007
                take(indices, None, u, "clip")
                if factors is not None:
                    u *= factors
                    u += offsets
                report = step(tick, end_tick, u)
                if report.status is not ok or report.end_tick != end_tick:
                    break
                y = report.outputs
                if not is_finite(y):
                    break
                target[...] = y
            else:
                if self.accounts:
                    self._book(tick, end_tick)
                return
        except Exception as error:
            # A component may be anybody's code; whatever it raises ends the run.
            raise self._slots[i].failure(tick, end_tick, describe(error)) from error
        raise self._slots[i].unfinished(tick, end_tick, report)

    def _book(self, tick: int, end_tick: int) -> None:
        """Account for the bonds: given signals are lines, held ones arrive."""
        h = seconds(end_tick - tick)
        for account, ends in zip(self.accounts, self._bond_ends, strict=True):
            pairs = []
            for place, slot, i in ends:
                y0, y1 = self._previous[place], self.values[place]
                given = np.array([y0, (y1 - y0) / h])
                pairs.append((given, self._arrived(slot, i, slot.u[None, :])))
            account.add(pairs[0], pairs[1], h)
