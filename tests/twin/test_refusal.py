"""A step that cannot be taken changes nothing and says why."""

from __future__ import annotations

import math

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepStatus
from tests.twin.implicit_models import (
    begin,
    circuit,
    compiled,
    falling,
    make_model,
)

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def step_map():
    return compiled(circuit())


END = 0.596347362323194  # of x' = log(x) - 1 from 1: e E1(1), where x = 0


def dead_end() -> Model:
    """The second state has no solution beyond t = END; the first one has."""
    return make_model(
        "dead_end",
        x=[0.5, 1.0],
        u=[0.0],
        rhs=lambda t, x, z, u, p: [-x[0] + u[0], ca.log(x[1]) - 1.0],
        outputs=lambda t, x, z, u, p: [x[1]],
    )


def test_a_refused_step_keeps_the_memory_to_the_bit() -> None:
    step_map = compiled(dead_end())
    memory, u, p = begin(step_map)
    memory = step_map.step_until_event(memory, 0.0, 0.3, u, p).memory
    outcome = step_map.step_until_event(memory, 0.3, 2.0, u, p)
    assert outcome.status is StepStatus.REFUSED
    np.testing.assert_array_equal(outcome.memory, memory)
    assert outcome.end_time_s == pytest.approx(END, abs=1e-3)
    onward = step_map.step_until_event(outcome.memory, 0.3, 0.2, u, p)
    fresh = step_map.step_until_event(memory, 0.3, 0.2, u, p)
    assert onward.status is StepStatus.OK
    np.testing.assert_array_equal(onward.memory, fresh.memory)


def test_the_refusal_names_model_time_and_worst_states() -> None:
    step_map = compiled(dead_end())
    memory, u, p = begin(step_map)
    kept = memory.copy()
    error = step_map.refusal(memory, 0.0, 2.0, u, p)
    assert isinstance(error, StepError)
    assert (error.component, error.time_s) == ("dead_end", 0.0)
    message = str(error)
    assert message.startswith("Model `dead_end` refused the step of 2 s from 0 s: it")
    assert "it reached 0.596" in message
    assert "worst of 2 states: `x[1]` = " in message
    assert "`x[0]`" not in message
    assert "The memory is kept as it was" in message
    assert message.endswith(".")
    np.testing.assert_array_equal(memory, kept)


def test_a_jump_without_solution_is_refused_and_names_the_algebraic_state() -> None:
    model = make_model(
        "rootless",
        x=[1.0],
        z=[1.0],
        u=[1.0],
        rhs=lambda t, x, z, u, p: [-x[0]],
        algebraic=lambda t, x, z, u, p: [z[0] ** 2 + 0.5 - u[0]],
    )
    step_map = compiled(model)
    memory, _, p = begin(step_map)
    down = np.array([-1.0])
    outcome = step_map.step_until_event(memory, 0.0, 1.0, down, p)
    assert (outcome.status, outcome.end_time_s) == (StepStatus.REFUSED, 0.0)
    np.testing.assert_array_equal(outcome.memory, memory)
    assert "`z[0]` = " in str(step_map.refusal(memory, 0.0, 1.0, down, p))


def test_a_component_says_why_it_refused() -> None:
    component = StepMapComponent(compiled(dead_end()))
    component.initialize(0, np.zeros(1))
    report = component.step(0, ticks(2.0), np.zeros(1))
    assert (report.status, report.end_tick) == (StepStatus.REFUSED, 0)
    assert "`x[1]`" in report.message
    assert component.step(0, ticks(0.5), np.zeros(1)).status is StepStatus.OK


def test_there_is_no_refusal_of_a_good_step(step_map) -> None:
    memory, u, p = begin(step_map)
    with pytest.raises(InterfaceError, match="is not refused"):
        step_map.refusal(memory, 0.0, 1.0, u, p)


def test_a_run_is_refused_at_the_start_of_the_failing_step() -> None:
    step_map = compiled(dead_end())
    memory, u, p = begin(step_map)
    times = np.arange(11.0) / 4.0
    done = step_map.run(memory, times, np.zeros((10, 1)), p)
    assert done.status is StepStatus.REFUSED
    k = len(done.outputs)
    assert k == 2
    good = step_map.run(memory, times[: k + 1], np.zeros((k, 1)), p)
    np.testing.assert_array_equal(done.memory, good.memory)
    error = step_map.refusal(done.memory, times[k], 0.25, u, p)
    assert f"from {times[k]:g} s" in str(error)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_inputs_that_are_not_finite_are_refused_by_name(step_map, bad) -> None:
    memory, u, p = begin(step_map)
    cases = [
        ((0.0, 1.0, np.array([bad]), p, None), "input `u[0]`"),
        ((0.0, 1.0, u, np.array([bad]), None), "parameter `p[0]`"),
        ((0.0, 1.0, u, p, np.array([bad])), "the slope of input `u[0]`"),
    ]
    for (t, h, inputs, parameters, slope), label in cases:
        outcome = step_map.step_until_event(
            memory, t, h, inputs, parameters, slope=slope
        )
        assert outcome.status is StepStatus.REFUSED
        np.testing.assert_array_equal(outcome.memory, memory)
        error = step_map.refusal(memory, t, h, inputs, parameters, slope=slope)
        assert f"{label} = {bad} is not finite" in str(error)


@pytest.mark.parametrize(
    ("t", "h"), [(0.0, -1.0), (0.0, math.nan), (0.0, math.inf), (math.nan, 1.0)]
)
def test_times_that_make_no_sense_are_refused(step_map, t, h) -> None:
    memory, u, p = begin(step_map)
    assert step_map.step_until_event(memory, t, h, u, p).status is StepStatus.REFUSED
    assert "length >= 0" in str(step_map.refusal(memory, t, h, u, p))


def test_outputs_that_are_not_finite_are_refused() -> None:
    model = make_model(
        "rooted",
        x=[1.0],
        rhs=lambda t, x, z, u, p: [-1.0],
        outputs=lambda t, x, z, u, p: [ca.sqrt(x[0])],
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map)
    outcome = step_map.step_until_event(memory, 0.0, 2.0, u, p)
    assert outcome.status is StepStatus.REFUSED
    np.testing.assert_array_equal(outcome.memory, memory)
    message = str(step_map.refusal(memory, 0.0, 2.0, u, p))
    assert "at 2 s its outputs or indicators are not finite" in message


def test_indicators_that_are_not_numbers_are_refused() -> None:
    model = make_model(
        "blind",
        x=[1.0],
        rhs=lambda t, x, z, u, p: [-1.0],
        events=lambda t, x, z, u, p: [1.0 + ca.sqrt(x[0])],
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map)
    assert step_map.step_until_event(memory, 0.0, 0.5, u, p).status is StepStatus.OK
    outcome = step_map.step_until_event(memory, 0.0, 2.0, u, p)
    assert outcome.status is StepStatus.REFUSED


def test_a_start_without_solution_is_an_error_with_the_values_given() -> None:
    model = make_model(
        "unsolvable",
        z=[1.0],
        u=[-1.0],
        algebraic=lambda t, x, z, u, p: [z[0] ** 2 - u[0]],
        events=lambda t, x, z, u, p: [z[0] + 100.0],
    )
    step_map = compiled(model)
    with pytest.raises(
        StepError, match=r"no consistent start for inputs `u\[0\]` = -1"
    ):
        begin(step_map)


def test_a_start_outside_a_limit_names_the_event() -> None:
    step_map = compiled(falling(0.0, 2.0))
    with pytest.raises(StepError, match=r"starts outside its limits `e\[1\]`"):
        begin(step_map)
