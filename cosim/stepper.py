"""`Stepper`: a system compiled into index arrays for one run.

All signals of a run lie in one flat vector `[outputs, constants]`, twice: now and at
the start of the step. A component's inputs are one `take` from it, so that a step
needs no look-up by name. In step mode each component gets its inputs once, is stepped
once and gives its outputs once, as FMI demands of co-simulation.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.slot import Slot, describe
from packtwin.cosim.system import System
from packtwin.twin.component import Component, StepReport, seconds
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus

__all__ = ["StepOrder", "Stepper"]

logger = logging.getLogger(__name__)

Vector: TypeAlias = NDArray[np.float64]
StepFunction: TypeAlias = Callable[[int, int, Vector], StepReport]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepOrder:
    """How a master steps a system.

    Attributes:
        components: Names in the order of their steps.
        lagged: Connections that carry the value at the start of the step; the others
            carry the one at its end.
    """

    components: tuple[str, ...]
    lagged: tuple[Connection, ...]

    def __str__(self) -> str:
        return " > ".join(self.components)


@final
class Stepper:
    """One run of a system; `values` are the outputs, then the constants, now."""

    def __init__(
        self, system: System, order: StepOrder, *, has_timing: bool = False
    ) -> None:
        """Compile a system for one order of steps.

        Args:
            system: What to step.
            order: As its master wants it.
            has_timing: Measure `component_seconds`.
        """
        n_out = len(system.output_names)
        names = (*system.output_names, *system.constants)
        places, n_now = {name: i for i, name in enumerate(names)}, len(names)
        both = np.zeros(2 * n_now)
        both[n_out:n_now] = list(system.constants.values())
        self._both, self._previous = both, both[n_now:]
        self.values: Vector = both[:n_now]
        self.order = order
        self.component_seconds = dict.fromkeys(order.components, 0.0)
        # A lagged source that is stepped later still holds its old value.
        rank = {name: i for i, name in enumerate(order.components)}
        overwritten = {
            c.target
            for c in order.lagged
            if rank[c.source.component] < rank[c.target.component]
        }
        self._has_previous = bool(overwritten)
        self._slots = [
            Slot(system, system.component(name), places, overwritten)
            for name in order.components
        ]
        self._plan = [
            (
                i,
                self._timed(slot.component) if has_timing else slot.component.step,
                slot.indices,
                slot.u,
                slot.factors,
                slot.offsets,
                both[slot.target],
            )
            for i, slot in enumerate(self._slots)
        ]

    def initialize(self, tick: int) -> None:
        """Initialize all components with consistent inputs at `tick`.

        Undelayed connections are followed until no input changes any more, which ends
        because there is no algebraic loop. Delayed ones first carry the start value of
        their input and then, once, the value of their output found with it.
        """
        n_now = len(self.values)
        known = np.zeros(n_now, dtype=bool)
        known[sum(len(slot.outputs) for slot in self._slots) :] = True
        last: list[Vector | None] = [None] * len(self._slots)
        held = [np.array([v.start for v in slot.inputs]) for slot in self._slots]
        self._settle(tick, known, held, last)
        if any(any(slot.is_delayed) for slot in self._slots):
            held = [self._inputs(slot) for slot in self._slots]
            self._settle(tick, known, held, last)

    def _settle(
        self,
        tick: int,
        known: NDArray[np.bool_],
        held: list[Vector],
        last: list[Vector | None],
    ) -> None:
        changed: list[str] = []
        for _ in range(len(self.values) + 2):
            changed = []
            for i, slot in enumerate(self._slots):
                is_ready = known[slot.indices % len(known)]
                is_free = is_ready & ~np.array(slot.is_delayed, dtype=bool)
                u = np.where(is_free, self._inputs(slot), held[i])
                before = last[i]
                if before is not None and np.array_equal(u, before):
                    continue
                self.values[slot.target] = slot.initialize(tick, u)
                known[slot.target] = True
                last[i] = u
                changed.append(slot.component.name)
            if not changed:
                return
        names = ", ".join(f"`{name}`" for name in changed)
        reason = "the outputs keep changing, so their `feedthrough` is not complete"
        msg = f"The start values of {names} do not settle: {reason}; correct it."
        raise StepError(msg, component=changed[0], time_s=seconds(tick), reason=reason)

    def _inputs(self, slot: Slot) -> Vector:
        u = self.values[slot.indices % len(self.values)]
        return u if slot.factors is None else u * slot.factors + slot.offsets

    def advance(self, tick: int, end_tick: int) -> None:
        """Step every component once.

        Raises:
            StepError: With component, time and reason; `values` are then mixed.
        """
        if self._has_previous:
            self._previous[...] = self.values
        take = self._both.take
        i, report = 0, None
        try:
            for i, step, indices, u, factors, offsets, target in self._plan:  # noqa: B007
                take(indices, None, u, "clip")
                if factors is not None:
                    u *= factors
                    u += offsets
                report = step(tick, end_tick, u)
                if report.status is not StepStatus.OK or report.end_tick != end_tick:
                    break
                y = report.outputs
                # The cheap test first; a sum of finite values may yet overflow.
                if not math.isfinite(sum(y.tolist())) and not np.isfinite(y).all():
                    break
                target[...] = y
            else:
                return
        except Exception as error:
            # A component may be anybody's code; whatever it raises ends the run.
            raise self._slots[i].failure(tick, end_tick, describe(error)) from error
        reason = self._slots[i].reason(end_tick, report, report.outputs)
        raise self._slots[i].failure(tick, end_tick, reason)

    def close(self) -> None:
        """Close every component, whatever one of them says."""
        for slot in self._slots:
            try:
                slot.component.close()
            except Exception:
                logger.exception("`%s` could not be closed.", slot.component.name)

    def _timed(self, component: Component) -> StepFunction:
        totals, name, step = self.component_seconds, component.name, component.step

        def timed(tick: int, end_tick: int, u: Vector) -> StepReport:
            start = time.perf_counter()
            report = step(tick, end_tick, u)
            totals[name] += time.perf_counter() - start
            return report

        return timed
