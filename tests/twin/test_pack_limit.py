"""The limits of current and power, with the shipped cell, against bisection."""

from functools import cache

import numpy as np
import pytest

from packtwin.scenarios.catalogue import find_path
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.step_map import StepStatus
from packtwin.twin.surrogate_spec import load_spec

LOW_V, HIGH_V, MOST_A = 2.5, 4.2, 15.0  # of a cell; the rate limit is 3C of 5 Ah
N_PARALLEL = PackLayout().n_parallel
LIMIT = {1: "discharge_power_limit_W", -1: "charge_power_limit_W"}
SIGNS = pytest.mark.parametrize("sign", [1, -1], ids=["discharge", "charge"])
STARTS = pytest.mark.parametrize(
    ("soc", "temperature_K"),
    [(s, t) for s in (0.02, 0.03, 0.04, 0.08, 0.8, 0.95) for t in (263.15, 298.15)],
)


@cache
def shipped_pack():
    spec = load_spec(find_path("surrogate", "lg_m50_oregan2022"))
    return pack_step_map(spec, PackLayout())


class Run:
    """A pack by port name, whose memory can be tried from again and again."""

    def __init__(self, temperature_K=298.15, **starts):
        self.pack = shipped_pack()
        interface = self.pack.interface.with_starts(
            {
                "start_temperature_K": temperature_K,
                "coolant_temperature_K": temperature_K,
                **starts,
            }
        )
        self.u = {v.name: v.start for v in interface.inputs}
        self.p = np.array([v.start for v in interface.parameters])
        self.memory, y = self.pack.start(np.array(list(self.u.values())), self.p)
        self.y = self.named(y)

    def named(self, y):
        return dict(zip(self.pack.interface.output_names, y, strict=True))

    def tried(self, **values):
        u = np.array(list((self.u | values).values()))
        memory, y, status = self.pack.advance(self.memory, 0.0, 1.0, u, self.p)
        assert status is StepStatus.OK
        return memory, self.named(y)

    def step(self, **values):
        self.memory, self.y = self.tried(**values)
        return self.y

    def at_current(self, cell_A):
        request = {"control_mode": 0.0, "current_request_A": cell_A * N_PARALLEL}
        return self.tried(**request)[1]

    def bisected_limit_W(self, sign):
        """Power at the largest current that keeps the window, by trying currents."""

        def keeps(cell_A):
            y = self.at_current(sign * cell_A)
            return y["cell_voltage_min_V" if sign > 0 else "cell_voltage_max_V"] * (
                sign
            ) >= sign * (LOW_V if sign > 0 else HIGH_V)

        low, high = 0.0, MOST_A
        if keeps(high):
            low = high
        while high - low > 1e-5:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if keeps(middle) else (low, middle)
        y = self.at_current(sign * low)
        return abs(y["voltage_V"] * y["current_A"])


@SIGNS
@STARTS
def test_limit_at_rest_is_the_bisected_one(soc, temperature_K, sign):
    run = Run(temperature_K, start_soc=soc)
    assert run.y[LIMIT[sign]] == pytest.approx(run.bisected_limit_W(sign), rel=0.005)


@SIGNS
@STARTS
def test_greedy_request_ends_at_the_limit_and_inside_the_window(
    soc, temperature_K, sign
):
    """Full power, a second after rests and pulses both ways."""
    run = Run(temperature_K, start_soc=soc)
    rng = np.random.default_rng(3)
    for _ in range(12):
        run.step(power_request_W=rng.choice([0.0, 20e3, -20e3, 5e6, -5e6]))
        want = run.bisected_limit_W(sign)
        _, y = run.tried(power_request_W=sign * 5e6)
        assert y[LIMIT[sign]] == pytest.approx(want, rel=0.05, abs=5.0)
        assert y["voltage_V"] * y["current_A"] == pytest.approx(
            sign * y[LIMIT[sign]], rel=0.005, abs=1.0
        )
        assert y["active_limit"] == (1.0 if sign > 0 else 2.0)
        extreme = y["cell_voltage_min_V" if sign > 0 else "cell_voltage_max_V"]
        bound = LOW_V if sign > 0 else HIGH_V
        if abs(y["c_rate"]) < 2.999 and want > 0.0:
            assert extreme == pytest.approx(bound, abs=0.005)


def test_emptied_pack_stays_in_the_window_and_can_be_charged_again():
    run = Run(start_soc=0.03)
    for _ in range(300):
        y = run.step(power_request_W=100e3)
        assert y["cell_voltage_min_V"] >= LOW_V - 0.005
    assert y["soc"] < 0.02
    y = run.step(power_request_W=-50e3)
    assert y["voltage_V"] * y["current_A"] == pytest.approx(-50e3, rel=2e-5)
    assert y["active_limit"] == 0.0


def test_request_near_the_limit_is_met_where_the_voltage_is_steep():
    run = Run(start_soc=0.03)
    for share in (0.5, 0.9, 0.99, 0.2, 0.97):
        wanted = share * run.bisected_limit_W(1)
        y = run.step(power_request_W=wanted)
        assert y["voltage_V"] * y["current_A"] == pytest.approx(wanted, rel=1e-4)
        assert y["power_error_W"] == pytest.approx(0.0, abs=1e-4 * wanted)
        assert y["active_limit"] == 0.0


@SIGNS
def test_whichever_cell_is_worst_sets_the_limit(sign):
    """A weak cell with more capacity than the mean one, and a third, colder cell."""
    run = Run(
        start_soc=0.85 if sign < 0 else 0.04,
        weak_capacity_factor=1.5,
        weak_resistance_Ohm=0.0,
        hot_coolant_offset_K=-20.0,
    )
    run.u["heat_transfer_coefficient_W_per_m2K"] = 300.0
    for _ in range(120):
        run.step(power_request_W=0.0)
    y = run.step(power_request_W=sign * 5e6)
    assert y["temperature_min_K"] < 290.0
    assert abs(y["c_rate"]) < 2.999
    extreme = y["cell_voltage_min_V" if sign > 0 else "cell_voltage_max_V"]
    assert extreme == pytest.approx(LOW_V if sign > 0 else HIGH_V, abs=0.005)
    gap = abs(extreme - y["cell_voltage_mean_V"])
    assert gap > 0.05  # neither the mean cell nor the weak one is at the limit


def test_no_room_is_a_limit_of_zero_in_that_direction_only():
    full = Run(start_soc=1.0, cell_voltage_maximum_V=4.1)
    assert full.y[LIMIT[-1]] == 0.0
    assert full.y[LIMIT[1]] > 100e3
    empty = Run(start_soc=0.0, cell_voltage_minimum_V=2.6)
    assert empty.y[LIMIT[1]] == 0.0
    assert empty.y[LIMIT[-1]] > 100e3


def test_rate_limit_of_zero_forbids_that_direction():
    run = Run(start_soc=0.5, discharge_rate_maximum=0.0)
    assert run.y[LIMIT[1]] == 0.0
    y = run.step(power_request_W=20e3)
    assert y["current_A"] == 0.0
    assert y["active_limit"] == 1.0
    assert run.step(power_request_W=-20e3)["active_limit"] == 0.0
