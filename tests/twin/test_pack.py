from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.step_derivatives import forward_function
from packtwin.twin.step_map import StepStatus
from packtwin.twin.surrogate_model import cell_step_map

LAYOUT = PackLayout(n_series=96, n_parallel=31, start_soc=0.6)


@pytest.fixture(scope="module")
def pack(synthetic_spec):
    return pack_step_map(synthetic_spec, LAYOUT)


class Bench:
    """Drives a pack by port name."""

    def __init__(self, pack, **parameters):
        self.component = StepMapComponent(pack, parameters=parameters)
        self.inputs = pack.interface.input_names
        self.outputs = pack.interface.output_names
        self.u = np.array([v.start for v in pack.interface.inputs])
        self.tick = 0
        self.y = dict(
            zip(self.outputs, self.component.initialize(0, self.u), strict=True)
        )

    def step(self, h=1.0, **values):
        for key, value in values.items():
            self.u[self.inputs.index(key)] = value
        end = self.tick + ticks(h)
        report = self.component.step(self.tick, end, self.u)
        assert report.status is StepStatus.OK
        self.tick = end
        self.y = dict(zip(self.outputs, report.outputs, strict=True))
        return self.y


def test_current_counts_lithium_in_both_electrodes_exactly(pack):
    bench = Bench(pack)
    before = dict(bench.y)
    rng = np.random.default_rng(0)
    charge_Ah = 0.0
    for _ in range(500):
        y = bench.step(power_request_W=rng.uniform(-40e3, 80e3))
        charge_Ah += y["current_A"] / 3600.0
    lost = before["lithium_negative_Ah"] - y["lithium_negative_Ah"]
    gained = y["lithium_positive_Ah"] - before["lithium_positive_Ah"]
    assert lost == pytest.approx(charge_Ah, rel=1e-11)
    assert gained == pytest.approx(charge_Ah, rel=1e-11)


def test_energy_of_the_pack_balances(pack, synthetic_spec):
    """Chemistry = electricity + heat away + heat stored, over a random drive."""
    bench = Bench(pack)
    chemical = electrical = away = throughput = 0.0
    rng = np.random.default_rng(1)
    for _ in range(300):
        y = bench.step(power_request_W=rng.uniform(-40e3, 80e3))
        chemical += y["chemical_power_W"]
        electrical += y["power_W"]
        away += y["heat_cell_to_coolant_W"]
        throughput += abs(y["power_W"])
    memory, *_ = bench.component.save()
    n = len(cell_step_map(synthetic_spec).memory)
    heat = memory[n - 1 : 3 * n : n]
    stored = LAYOUT.n_parallel * (94 * heat[0] + heat[1] + heat[2])
    assert abs(chemical - electrical - away - stored) <= 1e-9 * throughput


def test_power_request_is_met_by_the_root_inside(pack):
    bench = Bench(pack)
    rng = np.random.default_rng(2)
    for _ in range(200):
        wanted = rng.uniform(-60e3, 90e3)
        y = bench.step(power_request_W=wanted)
        if y["active_limit"] == 0.0:
            assert y["voltage_V"] * y["current_A"] == pytest.approx(
                wanted, rel=2e-5, abs=1.0
            )


def test_voltage_request_is_met(pack):
    bench = Bench(pack)
    wanted = bench.y["voltage_V"] + 4.0
    for _ in range(5):
        y = bench.step(control_mode=2.0, voltage_request_V=wanted)
    assert y["voltage_V"] == pytest.approx(wanted, abs=2e-3)
    assert y["current_A"] < 0.0


def test_power_beyond_the_limit_is_clipped_and_flagged(pack):
    bench = Bench(pack)
    y = bench.step(power_request_W=5e6)
    assert y["active_limit"] == 1.0
    assert y["power_W"] < 5e6
    assert y["c_rate"] == pytest.approx(3.0, rel=1e-12)
    assert y["cell_voltage_min_V"] > 2.5
    y = bench.step(power_request_W=-5e6)
    assert y["active_limit"] == 2.0
    assert y["power_W"] > -5e6
    assert y["c_rate"] >= -3.0 - 1e-12
    assert y["cell_voltage_max_V"] <= 4.2 + 0.005


def test_reported_discharge_limit_can_be_drawn_and_not_more(pack):
    bench = Bench(pack)
    for _ in range(3):
        limit = bench.step(power_request_W=1e3)["discharge_power_limit_W"]
    y = bench.step(power_request_W=1.1 * limit)
    assert y["active_limit"] == 1.0
    assert y["power_W"] == pytest.approx(limit, rel=0.05)


def test_requested_current_is_not_clipped_and_nothing_is_called_active(pack):
    bench = Bench(pack, discharge_rate_maximum=1.0, charge_rate_maximum=1.0)
    bench.step(power_request_W=5e6)  # the search now starts at the limit
    for rate in (2.0, -2.0):
        y = bench.step(control_mode=0.0, current_request_A=rate * 155.0)
        assert y["c_rate"] == pytest.approx(rate, rel=1e-12)
        assert y["active_limit"] == 0.0
        assert y["power_error_W"] == 0.0


def test_domain_counts_the_rate_of_the_weak_cell(pack):
    """At 1.9C of the mean cell, one of 90 % capacity sees 2.11C; 2C is certified."""
    for factor, is_inside in ((1.0, 1.0), (1.2, 1.0), (0.9, 0.0)):
        bench = Bench(pack, weak_capacity_factor=factor)
        y = bench.step(control_mode=0.0, current_request_A=1.9 * 155.0)
        assert y["is_in_domain"] == is_inside
        assert y["c_rate"] == pytest.approx(1.9)


def test_current_outside_the_domain_is_flagged_not_clipped(pack):
    bench = Bench(pack, weak_capacity_factor=1.0)
    y = bench.step(control_mode=0.0, current_request_A=2.5 * 155.0)
    assert y["current_A"] == pytest.approx(387.5)
    assert y["is_in_domain"] == 0.0
    y = bench.step(current_request_A=1.0 * 155.0)
    assert y["is_in_domain"] == 1.0


def test_cold_cells_have_a_smaller_certified_rate(synthetic_spec):
    domain = synthetic_spec.certificate["domain"]
    certificate = {
        **synthetic_spec.certificate,
        "domain": {**domain, "cold_below_K": 273.15, "cold_rate_maximum": 0.5},
    }
    cold = pack_step_map(replace(synthetic_spec, certificate=certificate), LAYOUT)
    for start_K, rate, is_inside in (
        (268.15, 0.4, 1.0),
        (268.15, 0.6, 0.0),
        (283.15, 0.6, 1.0),
    ):
        bench = Bench(cold, start_temperature_K=start_K)
        y = bench.step(
            control_mode=0.0,
            current_request_A=rate * 155.0,
            coolant_temperature_K=start_K,
        )
        assert y["is_in_domain"] == is_inside


def test_weak_and_hot_cells_bracket_the_mean(pack):
    bench = Bench(pack, weak_capacity_factor=0.95, weak_resistance_Ohm=0.002)
    for _ in range(60):
        y = bench.step(control_mode=0.0, current_request_A=155.0)
    assert y["cell_voltage_min_V"] < y["cell_voltage_mean_V"]
    assert y["temperature_max_K"] > y["temperature_mean_K"] > y["temperature_min_K"]


def test_mean_cell_of_the_pack_is_the_cell(pack, synthetic_spec):
    """With equal cells and no wires, V_pack = series * V_cell exactly."""
    bench = Bench(
        pack,
        weak_capacity_factor=1.0,
        weak_resistance_Ohm=0.0,
        hot_coolant_offset_K=0.0,
        interconnect_resistance_Ohm=0.0,
        start_soc=0.6,
    )
    cell = cell_step_map(synthetic_spec)
    u = np.array([3.0, LAYOUT.start_temperature_K, 20.0])
    p = np.array([0.6, LAYOUT.start_temperature_K, 1.0, 0.0])
    memory, _ = cell.start(u, p)
    for k in range(50):
        y = bench.step(control_mode=0.0, current_request_A=93.0)
        memory, want, _ = cell.advance(memory, float(k), 1.0, u, p)
    assert y["voltage_V"] == pytest.approx(96 * want[0], rel=1e-13)
    assert y["plating_potential_min_V"] == pytest.approx(want[4], abs=1e-13)


def test_derivative_by_the_start_of_the_search_is_exact(pack):
    """It is tiny: shorter differences drown in the rounding of the search."""
    at = [v.name for v in pack.memory].index("slope_Ohm")
    u = np.array([v.start for v in pack.interface.inputs])
    p = np.array([v.start for v in pack.interface.parameters])
    request = dict(zip(pack.interface.input_names, range(len(u)), strict=True))
    u[request["control_mode"]], u[request["power_request_W"]] = 1.0, 2e4
    memory, _ = pack.start(u, p)
    before = u.copy()
    before[request["power_request_W"]] = 8e3
    memory, _, _ = pack.advance(memory, 0.0, 1.0, before, p)
    direction = np.zeros(len(memory))
    direction[at] = 1.0
    tangent = forward_function("tangent", pack.step, (0,))
    exact = tangent(memory, 0.0, 1.0, u, p, direction)[1].full().reshape(-1)

    def difference(d: float) -> np.ndarray:
        plus = pack.advance(memory + d * direction, 0.0, 1.0, u, p)[1]
        minus = pack.advance(memory - d * direction, 0.0, 1.0, u, p)[1]
        return (plus - minus) / (2.0 * d)

    found = (4.0 * difference(5e-4) - difference(1e-3)) / 3.0
    largest = np.abs(exact).max()
    assert largest > 1e-3
    np.testing.assert_allclose(found, exact, atol=1e-6 * largest)
