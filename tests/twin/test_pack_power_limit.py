"""Powers that can be held: they reach a limit, pass none, and bisection finds them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from packtwin.scenarios.catalogue import find_path
from packtwin.twin.errors import InterfaceError
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.pack_interface import START_SLOPE_OHM
from packtwin.twin.pack_power_limit import HORIZONS_S, power_limits
from packtwin.twin.step_map import StepStatus
from packtwin.twin.surrogate_spec import load_spec

LOW_V, HIGH_V, MOST_A = 2.5, 4.2, 15.0  # of a cell; the rate limit is 3C of 5 Ah
LAYOUT = PackLayout()
SIDES = pytest.mark.parametrize("sign", [1.0, -1.0], ids=["discharge", "charge"])
# State of charge, temperature, current before (A per cell).
STATES = [
    (0.5, 298.15, 0.0),
    (0.9, 308.15, 8.0),
    (0.3, 283.15, -4.0),
    (0.08, 298.15, 4.0),
    (0.85, 273.15, -2.0),
    (0.04, 268.15, 1.0),
]


@cache
def spec():
    return load_spec(find_path("surrogate", "lg_m50_oregan2022"))


@cache
def function():
    return power_limits(spec())


@cache
def plain():
    return pack_step_map(spec(), LAYOUT)


class State:
    """A pack after a minute of constant current."""

    def __init__(self, soc, temperature_K, cell_A):
        self.pack = plain()
        own = {"start_soc": soc, "start_temperature_K": temperature_K}
        ports = self.pack.interface.with_starts(
            own | {"coolant_temperature_K": temperature_K}
        )
        self.u = {v.name: v.start for v in ports.inputs}
        self.p = np.array([v.start for v in ports.parameters])
        self.memory, _ = self.pack.start(np.array(list(self.u.values())), self.p)
        request = {
            "control_mode": 0.0,
            "current_request_A": cell_A * LAYOUT.n_parallel,
        }
        for _ in range(30):
            self.memory, _ = self.step(self.memory, request)

    def step(self, memory, request):
        u = np.array(list((self.u | request).values()))
        memory, y, status = self.pack.advance(memory, 0.0, 2.0, u, self.p)
        assert status is StepStatus.OK
        return memory, dict(zip(self.pack.interface.output_names, y, strict=True))

    def limits_W(self, plating_V=0.0):
        """Return the powers by sign."""
        p = np.append(self.p, plating_V)
        values = function()(self.memory, np.array(list(self.u.values())), p)
        return {s: v.full().ravel() for s, v in zip((1.0, -1.0), values, strict=True)}

    def margin_V(self, sign, power_W, horizon_s, plating_V=0.0):
        """Hold a power in the pack and return the worst margin on the way."""
        memory, worst = self.memory, np.inf
        request = {"control_mode": 1.0, "power_request_W": sign * power_W}
        for _ in range(horizon_s // 2):
            memory, y = self.step(memory, request)
            if abs(y["power_W"] - sign * power_W) > 2e-3 * power_W:
                return -1.0  # the pack itself gives less
            room_A = MOST_A - sign * y["current_A"] / LAYOUT.n_parallel
            rooms = [START_SLOPE_OHM * room_A]
            if sign > 0.0:
                rooms.append(y["cell_voltage_min_V"] - LOW_V)
            else:
                rooms.append(HIGH_V - y["cell_voltage_max_V"])
                rooms.append(y["plating_potential_min_V"] - plating_V)
            worst = min(worst, *rooms)
        return worst


@SIDES
@pytest.mark.parametrize(
    "state", [STATES[0], *(pytest.param(s, marks=pytest.mark.slow) for s in STATES[1:])]
)
def test_a_held_limit_reaches_a_bound_and_passes_none(sign, state):
    pack = State(*state)
    limits_W = pack.limits_W()[sign]
    assert (np.diff(limits_W) <= 0.0).all()
    for horizon_s, power_W in zip(HORIZONS_S, limits_W, strict=True):
        if power_W == 0.0:
            continue
        # 1 % more passes the bound; the limit itself does not (to a rounding of mV).
        assert pack.margin_V(sign, power_W, horizon_s) >= -1e-5
        assert pack.margin_V(sign, 1.01 * power_W, horizon_s) < 0.0


@SIDES
@pytest.mark.parametrize(
    "state",
    [STATES[1], *(pytest.param(s, marks=pytest.mark.slow) for s in STATES[2:])],
)
def test_bisection_finds_the_same_limits(sign, state):
    pack = State(*state)
    for horizon_s, power_W in zip(HORIZONS_S, pack.limits_W()[sign], strict=True):
        low, high = 0.0, 4e5
        while high - low > 2e-3 * high:
            middle = 0.5 * (low + high)
            holds = pack.margin_V(sign, middle, horizon_s) >= 0.0
            low, high = (middle, high) if holds else (low, middle)
            if high < 1.0:
                break
        assert power_W == pytest.approx(low, rel=0.01, abs=2.0)


def test_a_plating_limit_costs_charge_power_only():
    pack = State(0.5, 283.15, 0.0)
    free, careful = pack.limits_W(-1.0), pack.limits_W(0.02)
    np.testing.assert_array_equal(free[1.0], careful[1.0])
    assert (careful[-1.0] < 0.9 * free[-1.0]).all()
    assert -1e-5 <= pack.margin_V(-1.0, careful[-1.0][1], 10, 0.02) <= 1e-3


def test_the_pack_says_its_limits_after_every_step_if_asked():
    pack = pack_step_map(spec(), LAYOUT, horizons_s=HORIZONS_S)
    u = np.array([v.start for v in pack.interface.inputs])
    p = np.array([v.start for v in pack.interface.parameters])
    u[pack.interface.input_names.index("power_request_W")] = 3e4
    memory, y = pack.start(u, p)
    for _ in range(2):
        wanted = [v.full().ravel() for v in function()(memory, u, p)]
        np.testing.assert_allclose(y[-6:], np.concatenate(wanted), rtol=1e-12)
        memory, y, _ = pack.advance(memory, 0.0, 1.0, u, p)
    names = pack.interface.output_names[-6:]
    assert names[0] == "discharge_power_limit_2s_W"
    assert names[-1] == "charge_power_limit_30s_W"
    assert plain().interface.output_names == pack.interface.output_names[:-6]
    assert plain().memory == pack.memory


@pytest.mark.parametrize("horizons_s", [(), (0,), (10, 2), (2, 2)])
def test_horizons_that_do_not_rise_are_refused(horizons_s):
    with pytest.raises(InterfaceError, match="whole seconds that rise"):
        power_limits(spec(), horizons_s)
