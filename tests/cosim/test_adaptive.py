"""Adaptive steps keep the error of a run within what was asked; events are located."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Adaptive, Iterated
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_bouncing import (
    DURATION_S,
    Ball,
    bouncing,
    exact_bouncing,
)
from packtwin.scenarios.bench_cosim_cases import (
    cell_and_controller,
    exact_cell,
    exact_quarter_car,
    quarter_car,
)
from packtwin.scenarios.bench_cosim_linear import (
    CUBIC,
    exact_displacements,
    two_masses,
)
from packtwin.twin.component import StepReport
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus
from tests.fakes import Fake, Troubled

Exact = Callable[[np.ndarray], np.ndarray]

CASES = [
    (two_masses, exact_displacements, 10.0, 1.0),
    (quarter_car, exact_quarter_car, 0.3, 0.05),
    (cell_and_controller, exact_cell, 120.0, 20.0),
]


def error(system: System, exact: Exact, stop_s: float, step_s: float, tolerance: float):
    """Largest error as a fraction of a signal's size or nominal, and the counts."""
    master = Adaptive(tolerance=tolerance)
    result = simulate(system, stop_s=stop_s, step_s=step_s, master=master)
    wanted = exact(result.time_s)
    outputs = [v for c in system.components for v in c.interface.outputs]
    size = np.maximum([v.nominal for v in outputs], np.abs(wanted))
    return (np.abs(result.values - wanted) / size).max(), result.stats.counts


@pytest.mark.parametrize(
    ("make", "exact", "stop_s", "step_s"),
    CASES,
    ids=lambda c: getattr(c, "__name__", ""),
)
def test_the_error_of_the_run_is_what_was_asked(make, exact, stop_s, step_s):
    accepted = []
    for tolerance in (1e-2, 1e-4):
        found, counts = error(make(), exact, stop_s, step_s, tolerance)
        assert found <= tolerance
        accepted.append(counts["accepted steps"])
    assert accepted[0] < accepted[1] < 10 * accepted[0]  # of fourth order


def test_constant_inputs_are_controlled_at_their_own_order():
    able = replace(CUBIC, input_order=0)
    system = two_masses(able, able)
    found, _ = error(system, exact_displacements, 5.0, 1.0, 1e-2)
    assert 1e-4 < found <= 1e-2


@pytest.mark.parametrize(
    ("input_order", "has_slopes", "left_rewinds"),
    [(3, True, True), (3, False, False), (0, True, False), (0, False, True)],
)
def test_without_a_way_back_an_indicator_keeps_the_error_near_the_tolerance(
    input_order: int, has_slopes: bool, left_rewinds: bool
):
    able = replace(CUBIC, input_order=input_order, has_output_derivatives=has_slopes)
    blind = replace(able, can_rewind=False)
    steps = []
    for tolerance in (1e-2, 1e-3):
        system = two_masses(able if left_rewinds else blind, blind)
        found, counts = error(system, exact_displacements, 10.0, 1.0, tolerance)
        assert 1e-3 * tolerance < found <= 2.0 * tolerance
        assert 0 < counts["steps found too long"] < 0.5 * counts["accepted steps"]
        steps.append(counts["accepted steps"])
        assert counts["steps of right"] >= steps[-1]
    order = 2 if input_order == 0 else 3
    assert steps[1] / steps[0] == pytest.approx(10.0 ** (1.0 / order), rel=0.3)


def test_without_a_way_back_a_signal_that_jumps_on_ends_the_run_by_name():
    signs = cycle([1.0, -1.0])
    restless = Fake("restless", lambda _t, _u: [next(signs)])
    other = Fake("other", inputs=("input_A",))
    system = System(
        [restless, other], [Connection("restless.output_A", "other.input_A")]
    )
    with pytest.raises(StepError, match=r"`restless\.output_A` cannot be foreseen"):
        simulate(system, stop_s=1.0, step_s=0.1, master=Adaptive())


def test_a_component_that_always_fails_ends_the_run_after_bounded_rejections():
    troubled = Troubled("raise", failing_step=1)
    troubled.capabilities = replace(troubled.capabilities, can_rewind=True)
    calls = []

    def step(tick, end_tick, u):
        if tick >= 10**8:
            calls.append((tick, end_tick))
            raise ZeroDivisionError
        return StepReport(outputs=np.zeros(1), end_tick=end_tick)

    troubled.step, troubled.save = step, lambda: None
    troubled.restore = lambda state: None
    system = System([troubled], constants={"troubled.input_A": 0.0})
    with pytest.raises(StepError, match="ZeroDivisionError"):
        simulate(system, stop_s=1.0, step_s=0.1, master=Adaptive())
    assert 1 < len(calls) <= 30


def run_bouncing(step_s: float):
    system = bouncing()
    result = simulate(system, stop_s=DURATION_S, step_s=step_s, master=Iterated())
    ball = system.components[0]
    assert isinstance(ball, Ball)
    return result, ball.impacts


def test_impacts_are_met_at_their_time_and_end_the_steps_of_all():
    errors = []
    for step_s in (0.1, 0.05):
        result, impacts = run_bouncing(step_s)
        exact, exact_impacts = exact_bouncing(result.time_s)
        assert len(impacts) == len(exact_impacts) == 6
        errors.append(np.abs(np.subtract(impacts, exact_impacts)).max())
        np.testing.assert_allclose(result.values, exact, atol=1e-5)
    assert errors[0] < 1e-5
    assert errors[0] / errors[1] > 8.0


def test_adaptive_steps_find_the_impacts_to_the_tolerance():
    system = bouncing()
    master = Adaptive(tolerance=1e-5)
    result = simulate(system, stop_s=DURATION_S, step_s=0.1, master=master)
    exact, impacts = exact_bouncing(result.time_s)
    np.testing.assert_allclose(system.components[0].impacts, impacts, atol=1e-5)
    np.testing.assert_allclose(result.values, exact, atol=1e-5)


def test_events_are_handled_inside_the_step_where_not_all_can_go_back():
    errors = []
    for step_s in (0.1, 0.05):
        system = bouncing()
        ball, hanging = system.components
        hanging.capabilities = replace(hanging.capabilities, can_rewind=False)
        result = simulate(system, stop_s=DURATION_S, step_s=step_s, master=Iterated())
        exact, impacts = exact_bouncing(result.time_s)
        assert len(ball.impacts) == len(impacts)
        errors.append(np.abs(result.values - exact).max())
    assert errors[0] < 2e-3
    assert errors[1] < 0.6 * errors[0]  # of first order: the kink is not seen outside


class Restless(Fake):
    """Has an event one tick after the other, without end."""

    def step(self, tick, end_tick, u):
        return StepReport(
            outputs=np.array([0.0]), end_tick=tick + 1, status=StepStatus.EVENT
        )

    def handle_event(self, tick, u):
        return np.array([0.0])

    def save(self):
        return None

    def restore(self, state):
        pass


@pytest.mark.parametrize("can_rewind", [True, False])
def test_events_without_end_stop_the_run(can_rewind):
    able = replace(CUBIC, has_events=True, can_rewind=can_rewind, input_order=0)
    able = replace(able, has_output_derivatives=False)
    restless = Restless("restless", outputs=("output_A",), capabilities=able)
    listener = Fake("listener", lambda t, u: [0.0], inputs=("u_A",))
    system = System(
        [restless, listener], [Connection("restless.output_A", "listener.u_A")]
    )
    with pytest.raises(StepError, match="1000 events"):
        simulate(system, stop_s=1.0, step_s=0.1, master=Iterated())
