"""Compiled step maps replay bit by bit and check what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.step_map import StepStatus
from tests.twin.implicit_models import (
    begin,
    circuit,
    compiled,
)

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def step_map():
    return compiled(circuit())


def test_run_equals_repeated_steps_bit_by_bit(step_map) -> None:
    memory, _, p = begin(step_map)
    rng = np.random.default_rng(0)
    times = np.concatenate([[0.0], np.cumsum(10.0 ** rng.uniform(-3, 1, 60))])
    u, du = rng.uniform(0.0, 2.0, (2, 60, 1))
    for slopes in (None, du):
        done = step_map.run(memory, times, u, p, slopes=slopes)
        now, rows = memory, []
        for k in range(60):
            h = times[k + 1] - times[k]
            slope = None if slopes is None else slopes[k]
            outcome = step_map.step_until_event(now, times[k], h, u[k], p, slope=slope)
            now = outcome.memory
            rows.append(outcome.outputs)
        np.testing.assert_array_equal(done.memory, now)
        np.testing.assert_array_equal(done.outputs, rows)
        assert done.end_time_s == outcome.end_time_s


def test_a_copied_memory_replays_bit_by_bit(step_map) -> None:
    memory, u, p = begin(step_map)
    memory = step_map.step_until_event(memory, 0.0, 3.0, u, p).memory
    saved = memory.copy()
    first = step_map.step_until_event(memory, 3.0, 9.0, 2.0 * u, p)
    np.testing.assert_array_equal(memory, saved)
    again = step_map.step_until_event(saved, 3.0, 9.0, 2.0 * u, p)
    np.testing.assert_array_equal(first.memory, again.memory)
    np.testing.assert_array_equal(first.outputs, again.outputs)


def test_advance_is_the_step_of_a_step_map(step_map) -> None:
    memory, u, p = begin(step_map)
    new, y, status = step_map.advance(memory, 0.0, 2.0, u, p)
    outcome = step_map.step_until_event(memory, 0.0, 2.0, u, p, stops=False)
    assert status is StepStatus.OK
    np.testing.assert_array_equal(new, outcome.memory)
    np.testing.assert_array_equal(y, outcome.outputs)


def test_vectors_of_the_wrong_size_are_refused_before_c_sees_them(step_map) -> None:
    memory, u, p = begin(step_map)
    with pytest.raises(InterfaceError, match=r"memory of `circuit` have shape \(3,\)"):
        step_map.step_until_event(memory[:3], 0.0, 1.0, u, p)
    with pytest.raises(InterfaceError, match="inputs of `circuit`"):
        step_map.step_until_event(memory, 0.0, 1.0, np.zeros(0), p)
    with pytest.raises(InterfaceError, match="parameters of `circuit`"):
        step_map.start(u, np.zeros(0))
    with pytest.raises(InterfaceError, match=r"\(3, 1\), expected \(2, 1\)"):
        step_map.run(memory, np.arange(3.0), np.ones((3, 1)), p)
    with pytest.raises(InterfaceError, match="inputs of `circuit`"):
        step_map.run(memory, np.arange(3.0), np.ones((2, 1)), p, slopes=np.ones((2, 2)))


def test_counts_are_the_work_done(step_map) -> None:
    memory, u, p = begin(step_map)
    memory = step_map.step_until_event(memory, 0.0, 60.0, u, p).memory
    counts = step_map.counts(memory)
    assert counts["jacobian"] == counts["step"] > 0
    assert counts["factorisation"] == counts["step"] + counts["rejection"]
    assert counts["rhs"] == counts["step"] + 2 * counts["factorisation"]
