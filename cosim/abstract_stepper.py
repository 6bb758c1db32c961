"""`AbstractStepper`: one run of a system, however its master steps it.

All signals of a run lie in one flat vector `[outputs, constants]`, twice: now and at
the start of the step. A component's inputs are one `take` from it, so that a step
needs no look-up by name.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection, Port
from packtwin.cosim.power_bond import BondAccount, PowerBond
from packtwin.cosim.slot import Slot
from packtwin.cosim.system import System
from packtwin.twin.component import Component, StepReport, seconds
from packtwin.twin.errors import StepError

__all__ = ["AbstractStepper", "StepFunction", "StepOrder"]

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
        remark: How the order was chosen, if there is something to say.
    """

    components: tuple[str, ...]
    lagged: tuple[Connection, ...]
    remark: str = ""

    def __str__(self) -> str:
        names = " > ".join(self.components)
        return f"{names} ({self.remark})" if self.remark else names


class AbstractStepper(ABC):
    """Signals and life cycle.

    Attributes:
        values: The outputs, then the constants, now.
        component_seconds: Time spent in each component, if it is measured.
        accounts: Of the power bonds.
        start_inputs: Inputs that each component, in order, started with: one list for
            each pass of the start, of which the last counts.
    """

    def __init__(
        self,
        system: System,
        order: Sequence[str],
        *,
        overwritten: set[Port],
        bonds: Sequence[PowerBond],
        has_timing: bool,
    ) -> None:
        """Find the places of all signals.

        Args:
            system: What to step.
            order: Its components in the order of their steps.
            overwritten: Inputs whose source is stepped before and carries old values.
            bonds: Power bonds to account for.
            has_timing: Measure `component_seconds`.
        """
        n_out = len(system.output_names)
        names = (*system.output_names, *system.constants)
        places, n_now = {name: i for i, name in enumerate(names)}, len(names)
        both = np.zeros(2 * n_now)
        both[n_out:n_now] = list(system.constants.values())
        self._both, self._previous = both, both[n_now:]
        self.values: Vector = both[:n_now]
        self.component_seconds = dict.fromkeys(order, 0.0)
        self.start_inputs: list[list[Vector]] = []
        self._slots = [
            Slot(system, system.component(name), places, overwritten) for name in order
        ]
        self.accounts = [BondAccount(bond, system) for bond in bonds]
        by_name = {slot.component.name: slot for slot in self._slots}
        # Of every bond: places of effort and flow, and where they arrive.
        self._bond_ends = [
            [
                (places[str(c.source)], slot, slot.input_names.index(c.target.variable))
                for c in (account.effort, account.flow)
                for slot in (by_name[c.target.component],)
            ]
            for account in self.accounts
        ]
        self._step_functions: list[StepFunction] = [
            self._timed(slot.component) if has_timing else slot.component.step
            for slot in self._slots
        ]

    def _arrived(self, slot: Slot, i: int, rows: Vector) -> Vector:
        """Return Taylor rows of an input in the unit of its source."""
        found = rows[:, i] / slot.factor(i)
        found[0] -= slot.offsets[i] / slot.factor(i)
        return found

    @property
    @abstractmethod
    def provenance(self) -> dict[str, str]:
        """What was decided for this system, for the result."""

    @property
    def counts(self) -> dict[str, int]:
        """What a run took, beyond one step of each component in each step."""
        return {}

    @abstractmethod
    def advance(self, tick: int, end_tick: int) -> None:
        """Step every component from `tick` to `end_tick`.

        Raises:
            StepError: With component, time and reason; `values` are then mixed.
        """

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

        for account in self.accounts:
            account.clear()

        def sweep() -> Vector:
            self._settle(tick, known, held, last)
            return self.values

        self._start(tick, held, sweep)
        self.start_inputs = [[u for u in last if u is not None]]
        if any(any(slot.is_delayed) for slot in self._slots):
            held[:] = [self._inputs(slot) for slot in self._slots]
            self._start(tick, held, sweep)
            self.start_inputs.append([u for u in last if u is not None])

    def _start(
        self, tick: int, held: list[Vector], sweep: Callable[[], Vector]
    ) -> None:
        """Start all components, given the values of the inputs that are held."""
        sweep()

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
                is_free = is_ready & ~np.array(slot.is_held, dtype=bool)
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

    def freeze(self) -> dict[str, Any]:
        """Return all that `thaw` needs at a communication point, of plain values.

        States of components are as they gave them.
        """
        return {
            "both": self._both.copy(),
            "components": {c.name: c.save() for c in self.components},
            "accounts": [account.save() for account in self.accounts],
        }

    def thaw(self, state: Mapping[str, Any]) -> None:
        """Go on, once initialized, where the same system was frozen."""
        self._both[...] = state["both"]
        for component in self.components:
            component.restore(state["components"][component.name])
        for account, kept in zip(self.accounts, state["accounts"], strict=True):
            account.restore(kept)

    @property
    def components(self) -> list[Component]:
        """Those of the run, in the order of their steps."""
        return [slot.component for slot in self._slots]

    @property
    def has_events(self) -> bool:
        """Whether a component may have events."""
        return any(slot.has_events for slot in self._slots)

    def take_events(self) -> list[tuple[int, str]]:
        """Return when and where events were since the last call, by time."""
        found = [
            (tick, slot.component.name) for slot in self._slots for tick in slot.events
        ]
        for slot in self._slots:
            slot.events.clear()
        return sorted(found) if len(found) > 1 else found

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
