from __future__ import annotations

import pytest

from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.errors import ScenarioError


def test_a_million_steps_land_exactly_on_the_end():
    grid = TimeGrid.from_seconds(0.0, 100_000.0, 0.1)
    assert grid.count == 1_000_000
    assert grid.tick(grid.count) == 100_000 * 10**9
    times_s = grid.times_s(grid.count + 1)
    assert times_s[-1] == 100_000.0
    assert times_s[123_456] == 12_345.6


def test_a_step_of_a_third_does_not_drift():
    grid = TimeGrid.from_seconds(0.0, 1000.0, 1.0 / 3.0)
    assert grid.count == 3000
    assert [grid.tick(k) for k in (0, 3, 3000)] == [0, 10**9, 10**12]
    assert {grid.tick(k + 1) - grid.tick(k) for k in range(3000)} == {
        333_333_333,
        333_333_334,
    }
    assert list(grid.times_s(4)) == [grid.tick(k) / 1e9 for k in range(4)]


def test_a_rest_makes_the_last_step_shorter():
    grid = TimeGrid.from_seconds(1.0, 2.0, 0.3)
    assert list(grid.times_s(grid.count + 1)) == [1.0, 1.3, 1.6, 1.9, 2.0]
    assert [grid.tick(k) for k in (3, 4)] == [1_900_000_000, 2_000_000_000]


def test_a_step_longer_than_the_run_is_one_step():
    grid = TimeGrid.from_seconds(0.0, 1.0, 10.0)
    assert (grid.count, grid.tick(1)) == (1, 10**9)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((1.0, 1.0, 0.1), "`start_s` = 1.0 s"),
        ((0.0, float("inf"), 0.1), "finite times"),
        ((0.0, 1.0, 0.0), "`step_s` is 0.0 s"),
        ((0.0, 1.0, -1.0), "`step_s` is -1.0 s"),
        ((0.0, 1.0, float("nan")), "`step_s` is nan s"),
    ],
)
def test_impossible_times_are_refused(times, words):
    with pytest.raises(ScenarioError, match="expected") as caught:
        TimeGrid.from_seconds(*times)
    assert words in str(caught.value)
