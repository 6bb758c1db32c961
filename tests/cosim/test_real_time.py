"""A paced run keeps to its clock, and says where it did not."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from packtwin.cosim.masters import GaussSeidel, Jacobi
from packtwin.cosim.real_time import RealTime
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.errors import ScenarioError
from tests.fakes import Clock, Fake


class Watch:
    """A clock that moves only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, span_s: float) -> None:
        self.slept.append(span_s)
        self.now_s += max(span_s, 1e-5)

    def pace(self, factor: float = 1.0, block_s: float = 0.0) -> RealTime:
        return RealTime(
            factor=factor, block_s=block_s, clock=self.clock, sleep=self.sleep
        )


def working(watch: Watch, spans_s: list[float]) -> System:
    """A component whose k-th step takes so long."""
    left = iter([0.0, *spans_s])

    def law(t: float, u: np.ndarray) -> list[float]:
        watch.now_s += next(left)
        return [t]

    return System([Fake("worker", law)])


def test_each_point_is_reached_when_it_is_due() -> None:
    watch, seen = Watch(), []
    law = Fake("law", lambda t, u: seen.append(watch.now_s - 100.0) or [t])
    result = simulate(
        System([law]), stop_s=2.0, step_s=0.5, pace=watch.pace(factor=2.0)
    )
    # The first entry is the start; each step begins when the one before was due.
    np.testing.assert_allclose(seen, [0.0, 0.0, 0.25, 0.5, 0.75], atol=2e-5)
    assert watch.now_s - 100.0 == pytest.approx(1.0, abs=2e-5)
    assert result.stats.pacing == {
        "factor": 2.0,
        "deadline_count": 4,
        "missed_count": 0,
        "worst_lateness_s": 0.0,
        "lateness_p50_s": 0.0,
        "lateness_p95_s": 0.0,
        "lateness_p99_s": 0.0,
    }


def test_missed_deadlines_are_counted_and_made_up_for() -> None:
    watch = Watch()
    spans_s = [0.2, 2.5, 0.2, 0.2, 0.9, 0.9]
    system = working(watch, spans_s)
    result = simulate(system, stop_s=6.0, step_s=1.0, pace=watch.pace())
    # Due at 1, 2 ... 6 s; done at 0.2, 3.5, 3.7, 3.9, 4.9 and 5.9 s.
    pacing = result.stats.pacing
    assert (pacing["deadline_count"], pacing["missed_count"]) == (6, 2)
    assert pacing["worst_lateness_s"] == pytest.approx(1.5, abs=1e-4)
    assert pacing["lateness_p50_s"] == 0.0
    assert pacing["lateness_p95_s"] == pytest.approx(1.5, rel=0.06)
    assert watch.now_s == pytest.approx(106.0, abs=1e-4)


def test_percentiles_of_lateness_are_exact_to_six_percent() -> None:
    draw = np.random.default_rng(2)
    lateness_s = np.sort(10.0 ** draw.uniform(-6.0, 1.0, 400))
    watch = Watch()
    # Each step ends so late, as the one before it left the clock.
    ends_s = np.arange(1, 401) * 100.0 + lateness_s
    spans_s = np.diff(ends_s, prepend=0.0).tolist()
    result = simulate(
        working(watch, spans_s), stop_s=40_000.0, step_s=100.0, pace=watch.pace()
    )
    assert result.stats.pacing["missed_count"] == 400
    for percent in (50, 95, 99):
        exact = lateness_s[math.ceil(4.0 * percent) - 1]
        found = result.stats.pacing[f"lateness_p{percent}_s"]
        assert found == pytest.approx(exact, rel=0.06)


@pytest.mark.fmu
@pytest.mark.parametrize("is_compiled", [False, True])
def test_close_points_are_met_in_blocks_by_both_loops(is_compiled: bool) -> None:
    watch = Watch()
    result = simulate(
        System([Clock()]),
        stop_s=1.0,
        step_s=1e-3,
        master=GaussSeidel(is_compiled=is_compiled),
        pace=watch.pace(block_s=4e-3),
    )
    # Blocks of 4, cut where progress is told, every 10 steps, and small at first.
    assert 250 <= result.stats.pacing["deadline_count"] <= 310
    assert result.stats.pacing["missed_count"] == 0
    assert watch.now_s == pytest.approx(101.0, abs=2e-5)
    np.testing.assert_array_equal(result["clock.time_s"], result.time_s)


def test_the_real_clock_is_kept_to() -> None:
    began_s = time.perf_counter()
    result = simulate(
        System([Clock()]), stop_s=1.0, step_s=0.05, master=Jacobi(), pace=5.0
    )
    took_s = time.perf_counter() - began_s
    assert took_s >= 0.2
    assert result.stats.pacing["deadline_count"] == 20
    assert result.stats.pacing["factor"] == 5.0


@pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
def test_impossible_paces_are_refused(factor: float) -> None:
    with pytest.raises(ScenarioError, match="cannot be paced"):
        RealTime(factor=factor)
