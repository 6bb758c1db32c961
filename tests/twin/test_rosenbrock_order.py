"""The integrator converges with order three, all states of DAEs included."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from packtwin.twin.compiled import CompiledStepMap
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepStatus
from tests.twin.implicit_models import (
    LOOSE,
    begin,
    compiled,
    make_model,
    nonlinear_dae,
    states,
)

pytestmark = pytest.mark.fmu


LINEAR = np.array([[-1.0, 2.0, 0.5], [-2.0, -1.5, 1.0], [0.3, -0.7, -3.0]])


def linear_ode() -> Model:
    return make_model(
        "linear_ode",
        x=[1.0, -0.5, 2.0],
        rhs=lambda t, x, z, u, p: ca.vertsplit(ca.mtimes(ca.DM(LINEAR), x)),
    )


# x' = A x + B z + u b, 0 = C x + D z + u e
B = np.array([[0.5, -1.0], [0.0, 0.4], [1.0, 0.0]])
C = np.array([[1.0, 0.0, -0.5], [0.2, 1.0, 0.0]])
D = np.array([[0.0, 2.0], [1.5, 1.0]])
E = np.array([1.0, -0.5])


def linear_dae() -> Model:
    def rhs(t, x, z, u, p):
        return ca.vertsplit(ca.mtimes(ca.DM(LINEAR), x) + ca.mtimes(ca.DM(B), z))

    def algebraic(t, x, z, u, p):
        sum_ = ca.mtimes(ca.DM(C), x) + ca.mtimes(ca.sparsify(ca.DM(D)), z)
        return ca.vertsplit(sum_ + u[0] * ca.DM(E))

    return make_model(
        "linear_dae",
        x=[1.0, -0.5, 2.0],
        z=[0.0, 0.0],
        u=[0.3],
        rhs=rhs,
        algebraic=algebraic,
        outputs=lambda t, x, z, u, p: [x[0], z[0], z[1]],
    )


def dae_solution(t: float, u0: float, slope: float) -> np.ndarray:
    """States of `linear_dae` under a ramp, by one matrix exponential."""
    back = -np.linalg.inv(D)
    system = np.zeros((5, 5))
    system[:3, :3] = LINEAR + B @ back @ C
    system[:3, 3] = B @ back @ E
    system[3, 4] = 1.0
    x = (expm(system * t) @ np.array([1.0, -0.5, 2.0, u0, slope]))[:3]
    return np.concatenate([x, back @ (C @ x + E * (u0 + slope * t))])


def timed_dae() -> Model:
    """x' = -2 x + z + cos(t), z = u + sin(t) x: an explicit time in both."""
    return make_model(
        "timed_dae",
        x=[1.0],
        z=[0.0],
        u=[0.2],
        rhs=lambda t, x, z, u, p: [-2.0 * x[0] + z[0] + ca.cos(t)],
        algebraic=lambda t, x, z, u, p: [z[0] - u[0] - ca.sin(t) * x[0]],
    )


def timed_solution(t: float, u0: float, slope: float) -> np.ndarray:
    def slopes(s, x):
        return -2.0 * x + u0 + slope * s + np.sin(s) * x + np.cos(s)

    done = solve_ivp(slopes, (0.0, t), [1.0], method="DOP853", rtol=1e-13, atol=1e-13)
    x = done.y[0, -1]
    return np.array([x, u0 + slope * t + np.sin(t) * x])


def march(step_map: CompiledStepMap, n: int, slope=None) -> np.ndarray:
    """States at t = 1 after n equal steps that are never refused, inputs on a ramp."""
    memory, u, p = begin(step_map)  # consistent to the default tolerance
    memory[step_map.source.layout.tolerance] = LOOSE
    du, h = np.array([] if slope is None else [slope]), 1.0 / n
    for k in range(n):
        now = u if slope is None else u + k * h * du
        outcome = step_map.step_until_event(
            memory, k * h, h, now, p, slope=None if slope is None else du
        )
        assert outcome.status is StepStatus.OK
        memory = outcome.memory
    assert step_map.counts(memory)["step"] == n
    return states(step_map, memory)


def orders(step_map: CompiledStepMap, exact: np.ndarray, slope=None) -> np.ndarray:
    """Observed order of every state at t = 1."""
    coarse, fine = (np.abs(march(step_map, n, slope) - exact) for n in (320, 640))
    return np.log2(coarse / fine)


def test_order_is_three_for_a_linear_ode() -> None:
    exact = expm(LINEAR) @ [1.0, -0.5, 2.0]
    assert (np.abs(orders(compiled(linear_ode()), exact) - 3.0) < 0.1).all()


@pytest.mark.parametrize("slope", [None, 0.7])
def test_order_is_three_for_all_states_of_a_linear_dae(slope) -> None:
    exact = dae_solution(1.0, 0.3, slope or 0.0)
    observed = orders(compiled(linear_dae()), exact, slope)
    assert (np.abs(observed - 3.0) < 0.1).all()


def test_order_is_three_for_a_nonlinear_dae() -> None:
    exact = np.array([(1 / 3) ** 1.5, (1 / 3) ** 0.5])
    assert (np.abs(orders(compiled(nonlinear_dae()), exact) - 3.0) < 0.1).all()


@pytest.mark.parametrize("slope", [None, -0.9])
def test_order_is_three_with_explicit_time(slope) -> None:
    exact = timed_solution(1.0, 0.2, slope or 0.0)
    observed = orders(compiled(timed_dae()), exact, slope)
    assert (np.abs(observed - 3.0) < 0.1).all()
