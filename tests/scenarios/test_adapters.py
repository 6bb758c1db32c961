"""Between physics and training nothing is lost: charge, heat, limits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from packtwin.pybamm_models.cells import find_cell
from packtwin.scenarios.adapters import (
    cell_constants,
    cell_current,
    cell_tables,
    knots_from_means,
    report_certificate,
    thin_knots,
    trajectory,
)
from packtwin.twin.cycle import DriveCycle
from packtwin.twin.vehicle import VehicleParameters

CELL = find_cell("lg_m50_oregan2022")
SERIES = (
    *("voltage_V", "ocv_V", "soc", "plating_potential_V"),
    *("heat_irreversible_W", "heat_reversible_W"),
    *("stoichiometry_negative_surface", "stoichiometry_positive_surface"),
)


def diffusion(rate_per_s: float) -> SimpleNamespace:
    grid = np.linspace(0.0, 1.0, 201)
    return SimpleNamespace(
        stoichiometry=grid,
        phi=grid**2,
        rate_per_s=rate_per_s,
        temperature_K=np.array([233.15, 298.15, 363.15]),
        factor=np.array([0.5, 1.0, 1.5]),
    )


def facts() -> SimpleNamespace:
    grid = np.linspace(0.01, 0.95, 2001)
    return SimpleNamespace(
        x0=0.03,
        x100=0.91,
        y0=0.9,
        y100=0.26,
        capacity_negative_Ah=5.8,
        capacity_positive_Ah=8.0,
        x=grid,
        ocp_negative_V=0.3 - 0.2 * grid,
        entropic_negative_V_per_K=1e-4 * grid,
        y=grid,
        ocp_positive_V=4.4 - grid,
        entropic_positive_V_per_K=-1e-4 * grid,
        reference_temperature_K=298.15,
        cooling_area_m2=0.00531,
        heat_capacity_J_per_K=60.0,
        heat_capacity_temperature_K=np.array([253.15, 353.15]),
        heat_capacity_table_J_per_K=np.array([60.0, 60.0]),
        negative_diffusion=diffusion(1e-3),
        positive_diffusion=diffusion(2e-3),
    )


def test_knots_keep_the_integral_of_step_means_exactly() -> None:
    rng = np.random.default_rng(1)
    mean, h = rng.normal(size=400), rng.uniform(0.5, 12.0, size=400)
    time_s, values = knots_from_means(mean, h)
    assert time_s[-1] == pytest.approx(h.sum(), rel=1e-14)
    area = 0.5 * (values[1:] + values[:-1]) @ np.diff(time_s)
    assert area == pytest.approx(mean @ h, abs=1e-10)


def test_a_constant_mean_gives_constant_knots() -> None:
    time_s, values = knots_from_means(np.full(5, -3.0), 2.0)
    assert time_s.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert values.tolist() == [-3.0] * 6


def test_thinned_knots_stay_within_every_tolerance() -> None:
    time = np.arange(600.0)
    a, b = np.sin(time / 40.0), np.round(time / 100.0)
    kept = thin_knots(time, (a, b), (0.01, 0.05))
    assert kept[0] == 0
    assert kept[-1] == 599
    assert len(kept) < 120
    for values, tolerance in ((a, 0.01), (b, 0.05)):
        line = np.interp(time, time[kept], values[kept])
        assert np.abs(line - values).max() <= tolerance


def test_a_straight_line_needs_its_ends_only() -> None:
    time = np.arange(50.0)
    assert thin_knots(time, (3.0 * time,), (1e-9,)).tolist() == [0, 49]


def test_constants_and_tables_are_the_facts() -> None:
    c = cell_constants(CELL, facts())
    span = c.negative_stoichiometry_full - c.negative_stoichiometry_empty
    assert span * c.negative_capacity_Ah == pytest.approx(0.88 * 5.8)
    assert (c.voltage_minimum_V, c.voltage_maximum_V) == (2.5, 4.2)
    tables = cell_tables(facts())
    x = np.linspace(0.02, 0.94, 7)
    np.testing.assert_allclose(tables["ocp_negative_V"].numpy(x), 0.3 - 0.2 * x)
    assert c.positive_particle.rate_per_s == 2e-3
    assert sum(c.negative_particle.shares) == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(tables["flux_negative"].numpy(x), x**2, atol=1e-5)
    kelvin = np.array([250.0, 298.15, 310.0])
    np.testing.assert_allclose(
        tables["diffusion_positive"].numpy(kelvin), 1.0 + (kelvin - 298.15) / 130.0
    )
    np.testing.assert_allclose(
        tables["entropy_positive_V_per_K"].numpy(x), -1e-4 * x, atol=1e-15
    )


def test_heat_content_is_the_integral_of_the_capacity_and_inverts() -> None:
    warm = facts()
    warm.heat_capacity_temperature_K = np.array([253.15, 298.15, 353.15])
    warm.heat_capacity_table_J_per_K = np.array([51.0, 60.0, 71.0])  # 0.2 J/K per K
    tables = cell_tables(warm)
    kelvin = np.array([263.15, 298.15, 310.0, 340.0])
    above = kelvin - 298.15
    heat = tables["heat_content_J"].numpy(kelvin)
    np.testing.assert_allclose(heat, 60.0 * above + 0.1 * above**2, atol=1e-3)
    np.testing.assert_allclose(tables["temperature_K"].numpy(heat), kelvin, atol=1e-4)


def run(**changes: object) -> SimpleNamespace:
    time = np.arange(5.0)
    flat = np.full(5, 3.7)
    values: dict[str, object] = dict.fromkeys(SERIES, flat)
    values |= {
        "name": "r",
        "kind": "constant_charge",
        "time_s": time,
        "current_A": np.array([0.0, -5.0, -5.0, -5.0, -5.0]),
        "coolant_temperature_K": np.full(5, 298.15),
        "temperature_K": np.full(5, 298.15),
        "heat_transfer_coefficient_W_per_m2_K": 30.0,
        "start_soc": 0.1,
        "first_limit_s": float("nan"),
        "is_in_window": np.array([True, True, False, True, True]),
    }
    return SimpleNamespace(**(values | changes))


def test_samples_count_until_the_first_limit_only() -> None:
    assert trajectory(run(), CELL).is_valid.tolist() == [True, True, False, True, True]
    cut = trajectory(run(first_limit_s=1.5), CELL)
    assert cut.is_valid.tolist() == [True, True, False, False, False]


def test_labels_say_rate_and_temperature() -> None:
    labels = trajectory(run(), CELL).labels
    assert labels["c_rate"] == 1.0
    assert labels["temperature_K"] == 298.15
    assert trajectory(run(kind="cycle"), CELL).labels["c_rate"] is None


def test_a_parked_car_draws_its_auxiliaries_from_each_cell() -> None:
    car = VehicleParameters(
        name="car",
        mass_kg=1e3,
        road_load_a_N=0.0,
        road_load_b_Ns_per_m=0.0,
        road_load_c_Ns2_per_m2=0.0,
        motor_power_max_W=1e5,
        auxiliary_power_W=363.0,
    )
    still = DriveCycle(
        name="still", time_s=np.array([0.0, 10.0]), speed_m_per_s=np.zeros(2)
    )
    time_s, current_A = cell_current(car, still, 100)
    assert time_s.tolist() == list(range(11))
    np.testing.assert_allclose(current_A, 1.0)


def test_the_reports_certificate_pools_runs_of_one_kind() -> None:
    def item(rms: float, rate: float | None = 1.0) -> dict[str, object]:
        return {
            "labels": {"kind": "constant_charge", "c_rate": rate},
            "start_temperature_K": 298.15,
            "rms": {"voltage_V": rms},
            "p99": {"voltage_V": 2 * rms},
            "maximum": {"voltage_V": 3 * rms},
        }

    certificate = {
        "runs": [item(0.003), item(0.004), item(0.001, None)],
        "targets": [{"met": True}],
    }
    shown = report_certificate(certificate, {"seed": 1})
    assert shown["is_valid"] is True
    first, second = shown["errors"]
    assert (first["c_rate"], first["run_count"]) == (None, 1)
    assert second["statistics"]["voltage_V"] == {
        "rms": pytest.approx((0.5 * (0.003**2 + 0.004**2)) ** 0.5),
        "p99": 0.008,
        "maximum": 0.012,
        "count": 2,
    }
    assert report_certificate({}, {}) == {}
    missed = {**certificate, "targets": [{"met": True}, {"met": False}]}
    assert report_certificate(missed, {})["is_valid"] is False
