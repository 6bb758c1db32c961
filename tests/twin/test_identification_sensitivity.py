"""Trajectories are second order, and their sensitivities exact."""

from __future__ import annotations

import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.identification_sensitivity import SensitiveModel, Steps
from tests.twin.identification_models import TRUE, algebraic_circuit, circuit


def steps(n: int, end_s: float, *levels: float) -> Steps:
    inputs = np.repeat(np.array(levels), n // len(levels)).reshape(-1, 1)
    return Steps(
        time_s=np.linspace(0.0, end_s, n + 1),
        inputs=inputs,
        samples=np.arange(n + 1, dtype=np.int64),
        sample_inputs=np.vstack([inputs, inputs[-1:]]),
    )


def exact_discharge(time_s: np.ndarray) -> np.ndarray:
    decay = np.exp(-time_s / TRUE["relaxation_s"])
    rc_V = 2.0 * TRUE["polarisation_Ohm"] * (1.0 - decay)
    soc = 0.9 - 2.0 * time_s / 7200.0
    return np.asarray(3.4 + 0.7 * soc - rc_V - 2.0 * TRUE["resistance_Ohm"])


def test_the_error_falls_by_four_where_the_step_halves() -> None:
    fixed = np.array([0.9, *TRUE.values()])
    sensitive = SensitiveModel(circuit(), (), ("voltage_V",))
    errors = []
    for n in (20, 40, 80):
        grid = steps(n, 100.0, 2.0)
        y, _ = sensitive.run(grid, np.zeros(0), fixed, has_slopes=False)
        errors.append(np.max(np.abs(y[:, 0] - exact_discharge(grid.time_s))))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.05)


def test_slopes_are_those_of_the_computed_trajectory() -> None:
    names = ("soc_start", *TRUE)
    sensitive = SensitiveModel(circuit(), names, ("voltage_V",))
    grid = steps(30, 200.0, 2.0, -1.0, 0.5)
    theta = np.array([0.9, *TRUE.values()])
    _, slopes = sensitive.run(grid, theta, theta)
    for k in range(len(names)):
        move = np.zeros(4)
        move[k] = 1e-6 * theta[k]
        up, _ = sensitive.run(grid, theta + move, theta, has_slopes=False)
        down, _ = sensitive.run(grid, theta - move, theta, has_slopes=False)
        differences = (up - down)[:, 0] / (2 * move[k])
        scale = np.max(np.abs(slopes[:, 0, k]))
        np.testing.assert_allclose(slopes[:, 0, k], differences, atol=1e-8 * scale)


def test_algebraic_states_fit_their_inputs_and_have_slopes() -> None:
    sensitive = SensitiveModel(algebraic_circuit(), ("conductance_S",), ("voltage_V",))
    grid = steps(400, 20.0, 0.0)
    y, slopes = sensitive.run(grid, np.array([2.0]), np.array([2.0]))
    t = grid.time_s
    store = 4.0 * np.exp(-0.02 * t)  # the output is conductance * store / 2
    np.testing.assert_allclose(y[:, 0], store, rtol=1e-6)
    np.testing.assert_allclose(
        slopes[:, 0, 0], store * (0.5 - t / 100.0), atol=1e-6 * 4.0
    )


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(InterfaceError, match="no parameter `resistence_Ohm`"):
        SensitiveModel(circuit(), ("resistence_Ohm",), ("voltage_V",))
    with pytest.raises(InterfaceError, match="no output `voltage`"):
        SensitiveModel(circuit(), (), ("voltage",))


def test_a_failure_says_when() -> None:
    sensitive = SensitiveModel(circuit(), ("relaxation_s",), ("voltage_V",))
    grid = steps(10, 100.0, 2.0)
    fixed = np.array([0.9, *TRUE.values()])
    with pytest.raises(StepError, match="cannot follow the record beyond") as caught:
        sensitive.run(grid, np.array([np.nan]), fixed)
    assert caught.value.time_s >= 0.0
