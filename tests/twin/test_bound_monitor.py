"""The monitor's promise of coverage, its exact path, and that its runtimes agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtwin.fmu.component import FmuComponent
from packtwin.scenarios.fmu_models import bound_monitor_fmu
from packtwin.twin.bound_monitor import (
    BoundMonitorConfig,
    bound_factors,
    bound_monitor,
)
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import InterfaceError

CONFIG = BoundMonitorConfig()


def errors(seed: int, scale: float, n: int) -> np.ndarray:
    """Errors that wander, of a cell whose scale doubles half way."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(0.0, 0.1, n))
    return (
        scale * (slow + rng.normal(0.0, 1.0, n)) * np.where(np.arange(n) < n // 2, 1, 2)
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), log_scale=st.floats(-3.0, 3.0))
def test_the_share_outside_is_at_most_what_the_tracker_promises(seed, log_scale):
    n, bound_V = 2000, np.full(2000, 0.005)
    error_V = errors(seed, 0.005 * np.exp(log_scale), n)
    factor, _ = bound_factors(error_V, bound_V)
    # At the largest factor there is no promise: such samples are left out.
    tracked = factor < 0.999 * CONFIG.factor_maximum
    is_outside = np.abs(error_V) > bound_V * factor
    if tracked.all():
        most = (
            1.0 - CONFIG.voltage_level + np.log(factor[-1]) / (n * CONFIG.voltage_rate)
        )
        assert is_outside.mean() <= most + 2.0 / n
    assert (factor >= 1.0).all()


def test_a_cell_that_keeps_its_bounds_is_left_alone():
    n = 500
    error_V = 0.004 * np.sin(np.arange(n))
    for factor in bound_factors(error_V, np.full(n, 0.005)):
        np.testing.assert_array_equal(factor, np.ones(n))


def test_the_path_to_a_constant_error_is_the_one_of_the_law():
    n, times = 400, 3.0
    factor, plating = bound_factors(np.full(n, times * 0.005), np.full(n, 0.005))
    log = other = 0.0
    for k in range(n):
        assert factor[k] == pytest.approx(np.exp(log), rel=1e-12)
        assert plating[k] == pytest.approx(
            1.0 + CONFIG.plating_gain * np.expm1(other), rel=1e-12
        )
        log += CONFIG.voltage_rate * ((times > np.exp(log)) - 0.05)
        other += CONFIG.plating_rate * ((times > np.exp(other)) - 0.005)
        log, other = max(log, 0.0), max(other, 0.0)
    assert factor[-1] == pytest.approx(times, rel=CONFIG.voltage_rate)


@pytest.mark.fmu
def test_recorded_run_component_and_fmu_agree(tmp_path):
    n = 300
    rng = np.random.default_rng(5)
    error_V, bound_V = 0.01 * rng.normal(size=n), rng.uniform(0.002, 0.02, n)
    wanted = np.array(bound_factors(error_V, bound_V))
    path = bound_monitor_fmu().export(tmp_path / "monitor.fmu")
    component, fmu = StepMapComponent(bound_monitor()), FmuComponent(path)
    component.initialize(0, np.zeros(3))
    fmu.initialize(0, np.zeros(3))
    for k in range(n - 1):
        u = np.array([0.0, bound_V[k], error_V[k]])
        own, other = (
            c.step(ticks(float(k)), ticks(k + 1.0), u) for c in (component, fmu)
        )
        np.testing.assert_allclose(own.outputs, wanted[:, k + 1], rtol=1e-14)
        np.testing.assert_allclose(other.outputs, own.outputs, rtol=1e-14)
    fmu.close()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("voltage_level", 1.0, "between 0 and 1"),
        ("plating_level", 0.0, "between 0 and 1"),
        ("voltage_rate", 0.0, "more than 0"),
        ("plating_rate", -1.0, "more than 0"),
        ("plating_gain", -0.1, "0 or more"),
        ("factor_maximum", 1.0, "more than 1"),
        ("period_s", 0.0, "more than 0 s"),
    ],
)
def test_numbers_that_no_tracker_works_with_are_refused(name, value, wanted):
    with pytest.raises(InterfaceError, match=f"{name}.* is {value}.*{wanted}"):
        bound_monitor(BoundMonitorConfig(**{name: value}))
