"""Time that does not drift, components that fail, and what the loop itself costs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_cosim_linear import CUBIC, two_masses
from packtwin.twin.component import Capabilities, StepReport, ticks
from packtwin.twin.errors import StepError
from packtwin.twin.variable import Interface, Variable

__all__ = ["rows"]

Vector: TypeAlias = NDArray[np.float64]

_N_STEP = 1_000_000


@final
class _Trivial:
    """Gives back the same report, so that only the loop around it takes time."""

    def __init__(self, name: str, bad_tick: int = -1) -> None:
        self.name, self._bad_tick = name, bad_tick
        self.interface = Interface(
            inputs=(Variable(name="u_A"),), outputs=(Variable(name="y_A"),)
        )
        self.capabilities = Capabilities()
        self.feedthrough: frozenset[tuple[str, str]] = frozenset()
        self._y = np.zeros(1)

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start."""
        return self._y

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Do nothing, or give NaN where it should."""
        y = np.full(1, math.nan) if tick == self._bad_tick else self._y
        return StepReport(outputs=y, end_tick=end_tick)

    def save(self) -> None:
        """Nothing to save."""

    def restore(self, state: None) -> None:
        """Nothing to restore."""

    def close(self) -> None:
        """Nothing to free."""


def _pair(bad_tick: int = -1) -> System:
    return System(
        [_Trivial("a"), _Trivial("b", bad_tick)],
        [Connection("a.y_A", "b.u_A"), Connection("b.y_A", "a.u_A")],
    )


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    began = time.process_time()  # other programs do not count
    result = simulate(
        _pair(), stop_s=1e5, step_s=0.1, master=Jacobi(), record=(), progress=None
    )
    off = abs(result.status.time_s - 1e5) + abs(result.stats.step_count - _N_STEP)
    cost = (time.process_time() - began) / (2 * _N_STEP) * 1e6
    try:
        simulate(_pair(ticks(0.7)), stop_s=1.0, step_s=0.1, master=Iterated())
        late = math.inf
    except StepError as error:
        late = abs(error.time_s - 0.7) + abs(error.result.time_s[-1] - 0.7)
    lying = simulate(
        two_masses(CUBIC, CUBIC, lies=True), stop_s=1.0, step_s=0.1, master=Iterated()
    )
    is_found = "left" in lying.provenance.get("not rewound", "")
    return [
        at_most("time.drift", "end of 1e6 steps of 0.1 s, off", off, "s", 0.0),
        at_most("loop.bare_us", "Python loop, per component step", cost, "us", 4.0),
        at_most("nan.late", "NaN at 0.7 s found and kept up to, off", late, "s", 0.0),
        at_most("lie.missed", "false restore not found", float(not is_found), "1", 0.0),
    ]
