"""Events are located, told once each and in order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from packtwin.twin.step_map import StepStatus
from tests.twin.implicit_models import (
    begin,
    compiled,
    falling,
    make_model,
)

pytestmark = pytest.mark.fmu


def test_a_linear_crossing_is_located_to_a_nanosecond() -> None:
    step_map = compiled(falling(0.0))
    for h in (0.3, 2.0, 60.0):
        memory, u, p = begin(step_map)
        t = 0.0
        while True:
            outcome = step_map.step_until_event(memory, t, h, u, p)
            memory, t = outcome.memory, outcome.end_time_s
            if outcome.status is StepStatus.EVENT:
                break
        assert outcome.event == "e[0]"
        assert abs(outcome.end_time_s - 1.2345) < 1e-9
        assert abs(outcome.outputs[0]) < 1e-9


def test_a_falling_ball_lands_on_time() -> None:
    ball = make_model(
        "ball",
        x=[10.0, 0.0],
        rhs=lambda t, x, z, u, p: [x[1], -9.81],
        outputs=lambda t, x, z, u, p: [x[0]],
        events=lambda t, x, z, u, p: [x[0]],
    )
    step_map = compiled(ball)
    memory, u, p = begin(step_map)
    outcome = step_map.step_until_event(memory, 0.0, 10.0, u, p)
    assert abs(outcome.end_time_s - math.sqrt(20.0 / 9.81)) < 1e-9


def test_the_mean_up_to_an_event_is_over_the_time_covered() -> None:
    step_map = compiled(falling(0.2345))
    memory, u, p = begin(step_map)
    outcome = step_map.step_until_event(memory, 0.0, 60.0, u, p)
    assert outcome.outputs[1] == pytest.approx((1.2345 + 0.2345) / 2.0, abs=1e-12)


def test_an_event_is_told_once_and_arms_again_when_its_indicator_recovers() -> None:
    """x = cos(t): events at pi / 2 and 5 pi / 2, recovery at 3 pi / 2."""
    model = make_model(
        "oscillator",
        x=[1.0, 0.0],
        rhs=lambda t, x, z, u, p: [x[1], -x[0]],
        events=lambda t, x, z, u, p: [x[0]],
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map, (1e-9, 1e-9))
    t, times = 0.0, []
    while t < 10.0:
        outcome = step_map.step_until_event(memory, t, 10.0 - t, u, p)
        memory, t = outcome.memory, outcome.end_time_s
        if outcome.status is StepStatus.EVENT:
            times.append(t)
    np.testing.assert_allclose(times, [math.pi / 2, 5 * math.pi / 2], atol=1e-7)


@pytest.mark.parametrize("order", [(0.9, 1.1, 1.0), (1.1, 1.0, 0.9), (0.9, 1.0, 1.1)])
def test_the_earliest_of_several_events_in_a_step_wins(order) -> None:
    step_map = compiled(falling(*order))
    memory, u, p = begin(step_map)
    t, told = 0.0, []
    for _ in range(3):
        outcome = step_map.step_until_event(memory, t, 60.0, u, p)
        assert outcome.status is StepStatus.EVENT
        memory, t = outcome.memory, outcome.end_time_s
        told.append((outcome.event, t))
    expected = sorted(order, reverse=True)
    assert [name for name, _ in told] == [f"e[{order.index(v)}]" for v in expected]
    np.testing.assert_allclose(
        [t for _, t in told], 1.2345 - np.array(expected), rtol=0, atol=1e-9
    )
    after = step_map.step_until_event(memory, t, 60.0, u, p)
    assert (after.status, after.event) == (StepStatus.OK, "")


def test_events_at_the_same_instant_are_told_one_after_the_other() -> None:
    step_map = compiled(falling(1.0, 1.0, 0.5))
    memory, u, p = begin(step_map)
    first = step_map.step_until_event(memory, 0.0, 1.0, u, p)
    second = step_map.step_until_event(first.memory, first.end_time_s, 0.3, u, p)
    third = step_map.step_until_event(second.memory, second.end_time_s, 1.0, u, p)
    assert {first.event, second.event} == {"e[0]", "e[1]"}
    assert third.event == "e[2]"
    assert second.end_time_s == pytest.approx(first.end_time_s, abs=1e-12)
    assert third.end_time_s == pytest.approx(0.7345, abs=1e-9)


def test_a_jump_of_the_input_into_a_limit_is_an_event_after_no_time() -> None:
    model = make_model(
        "limited",
        x=[1.0],
        z=[0.0],
        u=[0.0],
        rhs=lambda t, x, z, u, p: [-x[0]],
        algebraic=lambda t, x, z, u, p: [z[0] - x[0] - u[0]],
        outputs=lambda t, x, z, u, p: [z[0], x[0]],
        events=lambda t, x, z, u, p: [3.0 - z[0]],
        mean=[1],
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map)
    memory = step_map.step_until_event(memory, 0.0, 1.0, u, p).memory
    outcome = step_map.step_until_event(memory, 1.0, 1.0, np.array([5.0]), p)
    assert outcome.status is StepStatus.EVENT
    assert outcome.end_time_s == 1.0
    assert outcome.memory[0] == memory[0]
    assert outcome.outputs[0] == pytest.approx(5.0 + memory[0], rel=1e-12)
    assert outcome.outputs[1] == memory[0]


def test_events_that_do_not_stop_are_gone_through() -> None:
    step_map = compiled(falling(1.0, 0.5))
    memory, u, p = begin(step_map)
    outcome = step_map.step_until_event(memory, 0.0, 2.0, u, p, stops=False)
    assert (outcome.status, outcome.event) == (StepStatus.OK, "")
    assert outcome.end_time_s == 2.0
    assert outcome.memory[0] == pytest.approx(1.2345 - 2.0, rel=1e-12)
    later = step_map.step_until_event(outcome.memory, 2.0, 1.0, u, p)
    assert later.status is StepStatus.OK  # below both limits, not armed


def test_a_run_ends_with_the_shorter_row_of_its_event() -> None:
    step_map = compiled(falling(0.5))
    memory, _, p = begin(step_map)
    done = step_map.run(memory, np.arange(11.0) / 5.0, np.zeros((10, 0)), p)
    assert (done.status, done.event) == (StepStatus.EVENT, "e[0]")
    assert done.outputs.shape == (4, 2)
    assert done.end_time_s == pytest.approx(0.7345, abs=1e-9)
    np.testing.assert_allclose(
        done.outputs[:, 0], [1.0345, 0.8345, 0.6345, 0.5], atol=1e-9
    )
