"""The integrator is accurate on stiff problems, balanced, and free in its steps."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from packtwin.twin.model import Model
from packtwin.twin.step_map import StepStatus
from tests.twin.implicit_models import (
    begin,
    circuit,
    compiled,
    make_model,
    nonlinear_dae,
    states,
)

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def step_map():
    return compiled(circuit())


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-7])
def test_error_follows_the_tolerance_with_fast_and_slow_parts(tolerance) -> None:
    """Rates from 1e-2 to 1e6 1/s, mixed by a rotation."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0]
    system = turn @ np.diag([-1e-2, -1.0, -1e3, -1e6]) @ turn.T
    start = np.array([1.0, 2.0, -1.0, 0.5])
    model = make_model(
        "stiff",
        x=start,
        rhs=lambda t, x, z, u, p: ca.vertsplit(ca.mtimes(ca.DM(system), x)),
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map, (tolerance, tolerance))
    for k in range(20):
        memory = step_map.step_until_event(memory, float(k), 1.0, u, p).memory
        exact = turn @ (
            np.exp(np.array([-1e-2, -1.0, -1e3, -1e6]) * (k + 1.0)) * (turn.T @ start)
        )
        assert np.abs(states(step_map, memory) - exact).max() < 10.0 * tolerance


def van_der_pol() -> Model:
    return make_model(
        "van_der_pol",
        x=[2.0, 0.0],
        rhs=lambda t, x, z, u, p: [x[1], 1e3 * (1.0 - x[0] ** 2) * x[1] - x[0]],
    )


def test_van_der_pol_agrees_with_radau() -> None:
    step_map, tolerance = compiled(van_der_pol()), 1e-6
    memory, u, p = begin(step_map, (tolerance, 1e-9))
    times = np.array([0.0, 1.0, 400.0, 800.0, 1000.0, 1500.0])
    reference = solve_ivp(
        lambda t, x: [x[1], 1e3 * (1.0 - x[0] ** 2) * x[1] - x[0]],
        (0.0, 1500.0),
        [2.0, 0.0],
        method="Radau",
        rtol=1e-10,
        atol=1e-13,
        t_eval=times,
    )
    for t, end, exact in zip(times, times[1:], reference.y.T[1:], strict=False):
        memory = step_map.step_until_event(memory, t, end - t, u, p).memory
        error = np.abs(states(step_map, memory) - exact)
        assert (error < 100.0 * tolerance * np.abs(exact)).all()


@pytest.mark.parametrize("is_dae", [False, True])
def test_robertson_agrees_with_radau_over_nine_decades(is_dae) -> None:
    def rates(a, b, c):
        one, two, three = 0.04 * a, 1e4 * b * c, 3e7 * b * b
        return [two - one, one - two - three, three]

    if is_dae:
        model = make_model(
            "robertson_dae",
            x=[1.0, 0.0],
            z=[0.0],
            rhs=lambda t, x, z, u, p: rates(x[0], x[1], z[0])[:2],
            algebraic=lambda t, x, z, u, p: [x[0] + x[1] + z[0] - 1.0],
        )
    else:
        model = make_model(
            "robertson_ode",
            x=[1.0, 0.0, 0.0],
            rhs=lambda t, x, z, u, p: rates(*ca.vertsplit(x)),
        )
    step_map, tolerance = compiled(model), 1e-5
    memory, u, p = begin(step_map, (tolerance, 1e-11))
    times = np.array([0.0, *(4.0 * 10.0 ** np.arange(-3, 6))])
    reference = solve_ivp(
        lambda t, x: rates(*x),
        (0.0, times[-1]),
        [1.0, 0.0, 0.0],
        method="Radau",
        rtol=1e-10,
        atol=1e-16,
        t_eval=times,
    )
    for t, end, exact in zip(times, times[1:], reference.y.T[1:], strict=False):
        memory = step_map.step_until_event(memory, t, end - t, u, p).memory
        got = states(step_map, memory)
        assert (np.abs(got - exact) < 10.0 * tolerance * exact + 1e-9).all()
        assert abs(got.sum() - 1.0) < 1e-13


def reactor() -> Model:
    """A nonlinear exchange between three stores with an inflow, and its flows."""

    def flows(x, u):
        first = x[0] * x[1] / (1.0 + x[2] ** 2)
        return first, ca.sin(x[1]) * x[2], u[0] * ca.exp(-x[0])

    def rhs(t, x, z, u, p):
        a, b, c = flows(x, u)
        return [c - a, a - b, b - c]

    def outputs(t, x, z, u, p):
        a, b, c = flows(x, u)
        return [c - a, a - b, b - c, z[0], x[0]]

    return make_model(
        "reactor",
        x=[1.0, 0.5, 0.25],
        z=[1.0],
        u=[0.5],
        rhs=rhs,
        algebraic=lambda t, x, z, u, p: [ca.exp(z[0]) + z[0] - x[0] - u[0]],
        outputs=outputs,
        mean=(0, 1, 2, 3),
    )


def test_linear_invariants_hold_to_rounding_over_a_hundred_thousand_steps() -> None:
    step_map = compiled(reactor())
    memory, _, p = begin(step_map)
    u = np.random.default_rng(0).uniform(0.0, 2.0, (100_000, 1))
    done = step_map.run(memory, np.arange(100_001.0), u, p)
    assert done.status is StepStatus.OK
    x = done.memory[:3]
    assert step_map.counts(done.memory)["step"] > 100_000
    assert abs(x.sum() - 1.75) < 1e-13 * np.abs(x).sum()


def test_means_are_what_the_states_integrate() -> None:
    """In every step, over ramps, jumps and steps of all lengths."""
    step_map = compiled(reactor())
    memory, _, p = begin(step_map)
    rng, t = np.random.default_rng(1), 0.0
    for h in 10.0 ** rng.uniform(-3.0, 1.8, 300):
        before = memory[:3].copy()
        outcome = step_map.step_until_event(
            memory, t, h, rng.uniform(0.5, 2.0, 1), p, slope=rng.uniform(0, 1, 1) / h
        )
        memory, t = outcome.memory, t + h
        balance = memory[:3] - before - h * outcome.outputs[:3]
        assert np.abs(balance).max() < 1e-14 + 1e-15 * h


def test_mean_of_an_algebraic_state_is_its_integral() -> None:
    step_map = compiled(nonlinear_dae())
    memory, u, p = begin(step_map, (1e-9, 1e-9))
    outcome = step_map.step_until_event(memory, 0.0, 1.0, u, p)
    assert outcome.outputs[0] == pytest.approx(1.0 - (1 / 3) ** 1.5, abs=1e-8)


def test_communication_steps_of_all_lengths_give_the_same_trajectory(step_map) -> None:
    tolerance = (1e-5, 1e-6)
    exact, u, p = begin(step_map, (1e-10, 1e-10))
    exact = step_map.step_until_event(exact, 0.0, 60.0, u, p).memory
    for h in (1e-3, 1e-2, 0.1, 1.0, 7.5, 60.0):
        memory, u, p = begin(step_map, tolerance)
        n = round(60.0 / h)
        done = step_map.run(
            memory, np.linspace(0.0, 60.0, n + 1), np.tile(u, (n, 1)), p
        )
        np.testing.assert_allclose(done.memory[:4], exact[:4], rtol=1e-4)


def test_splitting_a_step_changes_nothing_beyond_the_tolerance(step_map) -> None:
    memory, _, p = begin(step_map, (1e-6, 1e-6))
    u, du = np.array([1.5]), np.array([-0.1])
    whole = step_map.step_until_event(memory, 0.0, 10.0, u, p, slope=du)
    first = step_map.step_until_event(memory, 0.0, 3.7, u, p, slope=du)
    rest = step_map.step_until_event(first.memory, 3.7, 6.3, u + 3.7 * du, p, slope=du)
    np.testing.assert_allclose(rest.memory[:4], whole.memory[:4], rtol=2e-5)
    means = (3.7 * first.outputs[2] + 6.3 * rest.outputs[2]) / 10.0
    assert means == pytest.approx(whole.outputs[2], rel=2e-5)


def test_algebraic_states_are_consistent_after_a_jump_of_the_input(step_map) -> None:
    memory, _, p = begin(step_map, (1e-8, 1e-8))
    outcome = step_map.step_until_event(memory, 0.0, 0.0, np.array([40.0]), p)
    assert outcome.status is StepStatus.OK
    x, z = outcome.memory[:2], outcome.memory[2:4]
    np.testing.assert_array_equal(x, memory[:2])
    assert z[1] == pytest.approx(x.sum() + 2.0, rel=1e-12)


def test_a_ramp_is_no_jump_at_the_next_step(step_map) -> None:
    memory, u, p = begin(step_map)
    du = np.array([0.3])
    memory = step_map.step_until_event(memory, 0.0, 1.0, u, p, slope=du).memory
    before = step_map.counts(memory)["newton"]
    memory = step_map.step_until_event(memory, 1.0, 1.0, u + du, p, slope=du).memory
    assert step_map.counts(memory)["newton"] == before
