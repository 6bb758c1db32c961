"""`SmoothStepper`: one run on smooth signals, iterated where components can go back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.checkpoint import not_savable
from packtwin.cosim.loop_start import LoopStart
from packtwin.cosim.mover import EventMet, Mover
from packtwin.cosim.pace import Pace, standstill
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.probe import doubts_about
from packtwin.cosim.signals import Signals
from packtwin.cosim.smooth_group import SmoothGroup, make_groups
from packtwin.cosim.system import System
from packtwin.twin.component import seconds

__all__ = ["SmoothStepper"]

Vector: TypeAlias = NDArray[np.float64]

StepperState: TypeAlias = tuple[
    list[Any], tuple[Vector, Vector, Vector], Vector, list[tuple[float, ...]]
]

_CUT_LIMIT = 30  # shortenings of one step to an event
_EVENT_LIMIT = 1000  # rounds of events that set each other off


@final
class SmoothStepper(AbstractStepper):
    """A run on signals that are cubics on each step."""

    def __init__(
        self,
        system: System,
        *,
        tolerance: float,
        iteration_limit: int,
        substep_count: int,
        pace: Pace,
        bonds: Sequence[PowerBond] = (),
        has_timing: bool = False,
    ) -> None:
        """Compile a system.

        Args:
            system: What to step.
            tolerance: Of the exchanged signals, as a fraction of their size.
            iteration_limit: Corrections in one step at most.
            substep_count: Substeps of components that do not take cubic inputs.
            pace: How long the steps are.
            bonds: Power bonds to account for.
            has_timing: Measure `component_seconds`.
        """
        order = [name for group in system.groups for name in group]
        super().__init__(
            system, order, overwritten=set(), bonds=bonds, has_timing=has_timing
        )
        self._system, self._tolerance = system, tolerance
        self._iteration_limit = iteration_limit
        self._places = {name: i for i, name in enumerate(system.output_names)}
        self._movers = [
            Mover(slot, step, substep_count)
            for slot, step in zip(self._slots, self._step_functions, strict=True)
        ]
        is_smooth, self._pace = np.zeros(len(self.values), dtype=bool), pace
        self.nominal = np.ones(len(self.values))
        for mover in self._movers:
            is_smooth[mover.slot.target] = mover.is_smooth
            self.nominal[mover.slot.target] = [v.nominal for v in mover.slot.outputs]
        self.signals = Signals(self.values, is_smooth)
        self._loop_start = LoopStart(system, self._slots, self._places, self.nominal)
        self._is_mean = np.zeros(len(self.values), dtype=bool)
        self.has_slopes = np.zeros(len(self.values), dtype=bool)
        self.is_exchanged = np.zeros(len(self.values), dtype=bool)
        self.is_held = self.is_exchanged.copy()
        for mover in self._movers:
            self.has_slopes[mover.slot.target] = mover.has_slopes
            self._is_mean[mover.slot.target] = mover.is_mean
            self.is_exchanged[mover.slot.indices] = True
            if not mover.takes_polynomials:
                self.is_held[mover.slot.indices] = True
        self.is_exchanged &= is_smooth
        self.is_held &= is_smooth
        self._carried = np.zeros(len(self.values))  # integrals of the means
        self._is_probed = False
        self._doubts: dict[str, str] = {}
        self._groups = self._make_groups()

    def _make_groups(self) -> list[SmoothGroup]:
        return make_groups(
            self._system,
            self._movers,
            self._places,
            self.nominal,
            tolerance=self._tolerance,
            iteration_limit=self._iteration_limit,
        )

    @property
    @override
    def provenance(self) -> dict[str, str]:
        found = {
            "order": " > ".join(group.scheme for group in self._groups),
            "steps": self._pace.scheme(self.unable),
        }
        if self._doubts:
            doubts = [f"{k}: {v}" for k, v in self._doubts.items()]
            found["not rewound"] = "; ".join(doubts)
        return found

    @property
    @override
    def counts(self) -> dict[str, int]:
        counts = {f"steps of {m.name}": m.step_count for m in self._movers}
        counts |= self._pace.counts
        counts["iterations at the start"] = self._loop_start.iteration_count
        counts["iterations"] = sum(group.iteration_count for group in self._groups)
        return counts

    @property
    def unable(self) -> list[str]:
        """Names of components that cannot go back."""
        return [mover.name for mover in self._movers if not mover.can_rewind]

    @property
    def continued(self) -> Vector:
        """What the signals were expected to be at the end of the last step."""
        return self.signals.continued

    @property
    def order_of_accuracy(self) -> int:
        """How errors fall with the step: 4 on polynomial inputs, 2 on constants."""
        return 4 if all(m.takes_polynomials for m in self._movers) else 2

    @property
    def output_names(self) -> tuple[str, ...]:
        """`component.variable` of the outputs, in the order of `values`."""
        return tuple(self._places)

    @override
    def initialize(self, tick: int) -> None:
        super().initialize(tick)
        for mover in self._movers:
            self._restart(mover, tick, is_stale=False)

    @override
    def _start(
        self, tick: int, held: list[Vector], sweep: Callable[[], Vector]
    ) -> None:
        if self._system.loop_cuts:
            self._loop_start.solve(held, sweep, tick)
        else:
            sweep()

    def _restart(self, mover: Mover, tick: int, *, is_stale: bool) -> None:
        """Begin a new smooth piece; a slope counts if it needs none of an input."""
        slot, slopes = mover.slot, mover.start_slopes()
        through = {target for _, target in slot.component.feedthrough}
        is_unknown = [is_stale or v.name in through for v in slot.outputs]
        slopes[is_unknown & mover.is_smooth] = np.nan
        self.signals.restart(slot.target, slopes)
        mover.samples = ((tick, self.values[slot.target].copy()),)

    @override
    def advance(self, tick: int, end_tick: int) -> None:
        if not self._is_probed:
            self._probe(tick, end_tick)
        self._carried[...] = 0.0
        self._pace.advance(self, tick, end_tick)
        is_mean = self._is_mean
        self.values[is_mean] = self._carried[is_mean] / seconds(end_tick - tick)

    def advance_to_event(self, tick: int, end_tick: int) -> int:
        """Step to the first event, at most to `end_tick`, and return where it is."""
        for mover in self._movers:
            mover.begin()
        for _ in range(_CUT_LIMIT):
            try:
                self.signals.begin(seconds(end_tick - tick))
                for group in self._groups:
                    group.step(self.signals, tick, end_tick)
            except EventMet as event:
                for mover in self._movers:
                    mover.take_back()
                end_tick = event.tick
                continue
            self._commit(end_tick)
            return end_tick
        reason = f"an event moves whenever the step is shortened, {_CUT_LIMIT} times"
        raise standstill(tick, reason)

    def save(self) -> StepperState:
        """Return what `restore` needs; only if every component can rewind."""
        states = [mover.save() for mover in self._movers]
        accounts = [account.save() for account in self.accounts]
        return states, self.signals.save(), self._carried.copy(), accounts

    def restore(self, state: StepperState) -> None:
        """Go back to a saved state."""
        states, signals, carried, accounts = state
        for mover, saved in zip(self._movers, states, strict=True):
            mover.restore(saved)
        self.signals.restore(signals)
        self._carried[...] = carried
        for account, saved_account in zip(self.accounts, accounts, strict=True):
            account.restore(saved_account)

    @override
    def freeze(self) -> dict[str, Any]:
        if self._doubts:
            raise not_savable(self._doubts)
        probed = (self._is_probed, self._doubts, self._loop_start.iteration_count)
        return super().freeze() | {
            "probed": probed,
            "signals": self.signals.save(),
            "movers": [(m.samples, m.step_count) for m in self._movers],
            "groups": [(g.newton.jacobian, g.iteration_count) for g in self._groups],
            "pace": self._pace.freeze(),
        }

    @override
    def thaw(self, state: Mapping[str, Any]) -> None:
        self._is_probed, doubts, self._loop_start.iteration_count = state["probed"]
        if self._is_probed:
            self._believe(doubts)
        super().thaw(state)
        self.signals.restore(state["signals"])
        for mover, (samples, count) in zip(self._movers, state["movers"], strict=True):
            mover.samples, mover.step_count = samples, count
        for group, (jacobian, count) in zip(self._groups, state["groups"], strict=True):
            group.newton.jacobian, group.iteration_count = jacobian, count
        self._pace.thaw(state["pace"])

    def _commit(self, end_tick: int) -> None:
        self._book()
        self.signals.commit()
        self._carried += self.signals.span_s * self.values
        moves = {k: v for group in self._groups for k, v in group.moves.items()}
        for mover in self._movers:
            mover.samples = moves[mover.name].samples
            if moves[mover.name].has_event:
                mover.slot.events.append(end_tick)
        if any(move.has_event for move in moves.values()):
            self._handle_events(end_tick)

    def _book(self) -> None:
        """Account for the bonds: what was sent, and what the last sweep received."""
        rows, h = self.signals.rows, self.signals.span_s
        by_name = {mover.name: mover for mover in self._movers}
        for account, ends in zip(self.accounts, self._bond_ends, strict=True):
            pairs = []
            for place, slot, i in ends:
                arrived = by_name[slot.component.name].arrived
                pairs.append((rows[:, place], self._arrived(slot, i, arrived)))
            account.add(pairs[0], pairs[1], h)

    def _handle_events(self, tick: int) -> None:
        """Let components with events handle theirs and each other's jumps."""
        before = self.values.copy()
        for _ in range(_EVENT_LIMIT):
            last = self.values.copy()
            for mover in self._movers:
                if mover.has_events:
                    u = self._inputs(mover.slot)
                    self.values[mover.slot.target] = mover.handle_event(tick, u)
            if np.array_equal(last, self.values):
                break
        else:
            names = ", ".join(f"`{m.name}`" for m in self._movers if m.has_events)
            reason = f"the events of {names} set each other off without end"
            raise standstill(tick, reason)
        has_jumped = self.values != before
        for mover in self._movers:
            is_stale = not mover.has_events and has_jumped[mover.slot.indices].any()
            self._restart(mover, tick, is_stale=bool(is_stale))
        for group in self._groups:
            group.forget()

    def _probe(self, tick: int, end_tick: int) -> None:
        """See whether those who say so can go back, then start over."""
        self._is_probed = True
        if end_tick - tick < 2:
            return
        self._believe(doubts_about(self._movers, self._inputs, tick, end_tick))
        if any(slot.component.capabilities.can_rewind for slot in self._slots):
            self.initialize(tick)

    def _believe(self, doubts: dict[str, str]) -> None:
        """Treat the components that were found not to go back as they are."""
        self._doubts = doubts
        for mover in self._movers:
            mover.can_rewind &= mover.name not in doubts
        for mover in self._movers:
            mover.steps_through_events = bool(self.unable)
        self._groups = self._make_groups()
