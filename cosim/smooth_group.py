"""`SmoothGroup`: components that depend on each other within a step, stepped together.

Which scheme a group gets depends on who in it can go back:

* nobody needs to (one component that does not depend on itself): one step on the
  signals of the groups before it;
* all can: sweeps over the members until the signals they exchange no longer change,
  accelerated by Anderson, or by Newton where direct feedthrough closes a loop;
* some can: these first agree among themselves on continued signals of the others, then
  the others are stepped once on what was found, and the first once more on that;
* none can: each is stepped once, the last ones on what the first ones gave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.finite import is_finite
from packtwin.cosim.fixed_point import Newton, Solution, solve_by_anderson
from packtwin.cosim.loop_jacobian import LoopJacobian
from packtwin.cosim.mover import Move, Mover
from packtwin.cosim.signals import Signals
from packtwin.cosim.system import System
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError

__all__ = ["SmoothGroup", "make_groups"]

Vector: TypeAlias = NDArray[np.float64]


@final
class SmoothGroup:
    """One strongly connected group of a run.

    Attributes:
        movers: Its members in the order of their steps.
        moves: What the last step of each member gave.
        iteration_count: Sweeps beyond the first.
        newton: What it has learned of its loop.
    """

    def __init__(
        self,
        movers: Sequence[Mover],
        connections: Sequence[Connection],
        places: dict[str, int],
        nominal: Vector,
        *,
        has_loop: bool,
        tolerance: float,
        iteration_limit: int,
    ) -> None:
        """Make a group.

        Args:
            movers: Its members in the order of their steps.
            connections: Undelayed ones between its members.
            places: Place of every output by `component.variable`.
            nominal: Of every signal.
            has_loop: Whether direct feedthrough closes a loop.
            tolerance: Of the exchanged signals, as a fraction of their size.
            iteration_limit: Sweeps beyond the first in one step at most.
        """
        self.movers = list(movers)
        self._connections = list(connections)
        self._places, self._nominal = places, nominal
        self._has_loop = has_loop
        self._tolerance, self._limit = tolerance, iteration_limit
        self._able = [m for m in self.movers if m.can_rewind]
        self._unable = [m for m in self.movers if not m.can_rewind]
        self._is_alone = not self._connections
        self._lagged = self._lagged_connections(self._able)
        able = {m.name for m in self._able}
        self._jacobian = LoopJacobian(
            [m.slot for m in self._able],
            [
                c
                for c in self._connections
                if {c.source.component, c.target.component} <= able
            ],
            self._lagged,
            places,
        )
        self._exchanged = self._jacobian.signals
        self.newton = Newton()
        self.moves: dict[str, Move] = {}
        self.iteration_count = 0

    @property
    def scheme(self) -> str:
        """In words, what the group gets."""
        names = " + ".join(m.name for m in self.movers)
        if self._is_alone:
            return f"{names} (once)"
        if not self._unable:
            how = "Newton" if self._has_loop else "Anderson"
            return f"{names} (iterated, {how})"
        held = ", ".join(m.name for m in self._unable)
        first = "once each" if not self._able else f"iterated around {held}"
        return f"{names} ({first}; no way back for {held})"

    @property
    def iterated(self) -> list[Mover]:
        """Members that are stepped several times in a step."""
        return [] if self._is_alone else self._able

    def _lagged_connections(self, members: list[Mover]) -> list[Connection]:
        rank = {m.name: i for i, m in enumerate(members)}
        return [
            c
            for c in self._connections
            if c.source.component in rank
            and c.target.component in rank
            and rank[c.source.component] >= rank[c.target.component]
        ]

    def forget(self) -> None:
        """Drop what was learned of the loop, after an event."""
        self.newton.forget()

    def step(self, signals: Signals, tick: int, end_tick: int) -> None:
        """Step all members from `tick` to `end_tick`.

        Raises:
            EventMet: A member met an event before the end.
            StepError: A member failed, or the signals do not settle.
        """
        if self._is_alone or not self._able:
            self._move(self.movers, signals, tick, end_tick)
            return
        self._agree(signals, tick, end_tick)
        if self._unable:
            self._move(self._unable, signals, tick, end_tick)
            self._agree(signals, tick, end_tick)

    def _move(
        self, movers: Sequence[Mover], signals: Signals, tick: int, end_tick: int
    ) -> None:
        for mover in movers:
            rows = mover.inputs(signals.rows, signals.start)
            move = self.moves[mover.name] = mover.move(tick, end_tick, rows)
            signals.put(mover.slot.target, move.outputs, move.slopes)

    def _agree(self, signals: Signals, tick: int, end_tick: int) -> None:
        lagged = self._exchanged
        if not len(lagged):
            self._move(self._able, signals, tick, end_tick)
            return
        h = signals.span_s
        scale = np.maximum(self._nominal[lagged], np.abs(signals.start[lagged]))
        is_smooth, n = signals.is_smooth[lagged], len(lagged)

        def read() -> Vector:
            slopes = signals.end_slopes[lagged][is_smooth]
            if not is_finite(slopes):
                slopes = np.nan_to_num(slopes)
            parts = [signals.end[lagged] / scale, slopes * h / scale[is_smooth]]
            return np.concatenate(parts)

        def sweep(w: Vector) -> Vector:
            slopes = np.zeros(n)
            slopes[is_smooth] = w[n:] * scale[is_smooth] / h
            signals.put(lagged, w[:n] * scale, slopes)
            self._move(self._able, signals, tick, end_tick)
            return read()

        solution = self._solve(sweep, read(), scale, is_smooth)
        self.iteration_count += solution.iteration_count
        if not solution.is_converged:
            raise self._failure(solution, scale, is_smooth, tick, end_tick)

    def _solve(
        self,
        sweep: Callable[[Vector], Vector],
        guess: Vector,
        scale: Vector,
        is_smooth: Any,
    ) -> Solution:
        if not self._has_loop:
            return solve_by_anderson(sweep, guess, self._tolerance, self._limit)
        jacobian = self._jacobian

        def differentiate(w: Vector, result: Vector) -> Vector:
            return jacobian.of_step(sweep, w, result, scale, is_smooth)

        return self.newton.solve(
            sweep, guess, self._tolerance, self._limit, differentiate
        )

    def _failure(
        self,
        solution: Solution,
        scale: Vector,
        is_smooth: Any,
        tick: int,
        end_tick: int,
    ) -> StepError:
        n = len(scale)
        smooth = np.flatnonzero(is_smooth)
        k = solution.worst if solution.worst < n else int(smooth[solution.worst - n])
        place = self._exchanged[k]
        connection = next(
            c for c in self._lagged if self._places[str(c.source)] == place
        )
        what = (
            "its equations have no unique solution"
            if solution.is_singular
            else f"it still changes by {solution.residual * scale[k]:.3g} after "
            f"{solution.iteration_count} iterations"
        )
        msg = (
            f"The connection `{connection}` does not settle in the step from "
            f"{seconds(tick):.9g} s to {seconds(end_tick):.9g} s: {what}. Take a "
            "shorter `step_s`, or a larger `tolerance` if the components are noisy."
        )
        return StepError(
            msg,
            component=connection.target.component,
            time_s=seconds(tick),
            reason=f"`{connection}` does not settle: {what}",
        )


def make_groups(
    system: System,
    movers: Sequence[Mover],
    places: dict[str, int],
    nominal: Vector,
    *,
    tolerance: float,
    iteration_limit: int,
) -> list[SmoothGroup]:
    """Return the groups of a system; the other arguments are those of a group."""
    by_name = {mover.name: mover for mover in movers}
    cuts = set(system.loop_cuts)
    groups = []
    for names in system.groups:
        inside = [
            c
            for c in system.connections
            if {c.source.component, c.target.component} <= set(names)
            and not c.is_delayed
        ]
        group = SmoothGroup(
            [by_name[name] for name in names],
            inside,
            places,
            nominal,
            has_loop=bool(cuts & set(inside)),
            tolerance=tolerance,
            iteration_limit=iteration_limit,
        )
        groups.append(group)
    # Only these are ever stepped again from the start of a step.
    meets_events = any(mover.has_events for mover in movers)
    for mover in movers:
        mover.is_revisited = meets_events
    for group in groups:
        for mover in group.iterated:
            mover.is_revisited = True
    return groups
