"""`LoopStart`: consistent start values where direct feedthrough closes a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.fixed_point import Newton, Solution
from packtwin.cosim.loop_jacobian import LoopJacobian
from packtwin.cosim.slot import Slot
from packtwin.cosim.system import System
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError

__all__ = ["LoopStart"]

Vector: TypeAlias = NDArray[np.float64]

_TOLERANCE = 1e-12
_LIMIT = 50


@final
class LoopStart:
    """Newton on the start values of the signals that close the loops.

    It starts from the start values of the inputs they feed, which thus choose among
    several solutions.
    """

    def __init__(
        self,
        system: System,
        slots: Sequence[Slot],
        places: dict[str, int],
        nominal: Vector,
    ) -> None:
        """Open the loops of a system.

        Args:
            system: What is started.
            slots: Its components.
            places: Place of every output by `component.variable`.
            nominal: Of every signal.
        """
        cuts = self._cuts = system.loop_cuts
        connections = [c for c in system.connections if not c.is_delayed]
        self._slots = list(slots)
        self.iteration_count = 0
        self._jacobian = LoopJacobian(slots, connections, cuts, places)
        self.signals = self._jacobian.signals
        self._places, self._nominal = places, nominal
        # Where each given signal enters: (signal, component, input).
        rank = {int(place): k for k, place in enumerate(self.signals)}
        self._entries = [
            (rank[places[str(c.source)]], i, slot.input_names.index(c.target.variable))
            for c in cuts
            for i, slot in enumerate(self._slots)
            if slot.component.name == c.target.component
        ]
        for _, i, k in self._entries:
            self._slots[i].is_held[k] = True

    def solve(self, held: list[Vector], sweep: Callable[[], Vector], tick: int) -> None:
        """Change the held inputs until the loops are closed.

        Args:
            held: Values of the held inputs, component by component.
            sweep: Start all components with them and return all signals.
            tick: When.
        """
        guess = np.zeros(len(self.signals))
        for k, i, at in self._entries:
            slot = self._slots[i]
            guess[k] = (held[i][at] - slot.offsets[at]) / slot.factor(at)
        scale = np.maximum(self._nominal[self.signals], np.abs(guess))

        def around(w: Vector) -> Vector:
            for k, i, at in self._entries:
                slot = self._slots[i]
                value = float(w[k] * scale[k])
                held[i][at] = value * slot.factor(at) + slot.offsets[at]
            found: Vector = sweep()[self.signals] / scale
            return found

        solution = Newton().solve(
            around,
            guess / scale,
            _TOLERANCE,
            _LIMIT,
            lambda w, result: self._jacobian.of_start(around, w, result, scale),
        )
        self.iteration_count = solution.iteration_count
        if not solution.is_converged:
            raise self._failure(solution, tick)

    def _failure(self, solution: Solution, tick: int) -> StepError:
        place = self.signals[solution.worst]
        cut = next(c for c in self._cuts if self._places[str(c.source)] == place)
        loop = ", ".join(f"`{c}`" for c in self._cuts)
        reason = f"no start values close the loop through `{cut}`"
        if solution.is_singular:
            reason = (
                "the equations of the algebraic loop have no unique solution: around "
                f"it, {loop} return what they are given"
            )
        msg = (
            f"The loops through {loop} cannot be started at {seconds(tick):.9g} s: "
            f"{reason}. Give other start values of the inputs there, or delay one."
        )
        name = cut.target.component
        return StepError(msg, component=name, time_s=seconds(tick), reason=reason)
