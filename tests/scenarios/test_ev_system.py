"""The EV system: what is driven, what is connected, and that nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.ev_system import (
    build_ev_system,
    cccv_charger,
    charge_limits,
    cooling_rules,
    drive_plan,
    mpc_charger,
)
from packtwin.scenarios.ledger import charge_balance, energy_balances
from packtwin.scenarios.loading import parse_scenario
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.cooling import CoolingParameters, cooling_step_map
from packtwin.twin.cycle import DriveCycle
from packtwin.twin.errors import ScenarioError
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.vehicle import VehicleParameters, vehicle_step_map

HOP = DriveCycle(
    name="hop",
    time_s=np.array([0.0, 10.0, 30.0, 50.0, 60.0]),
    speed_m_per_s=np.array([0.0, 8.0, 14.0, 14.0, 0.0]),
)
CAR = VehicleParameters(
    name="car",
    mass_kg=1900.0,
    road_load_a_N=160.0,
    road_load_b_Ns_per_m=0.5,
    road_load_c_Ns2_per_m2=0.32,
    motor_power_max_W=190e3,
)


def scenario(extra: str = "") -> Scenario:
    return parse_scenario(
        '[scenario]\nname = "day"\n[cell]\nname = "lg_m50_oregan2022"\n'
        '[vehicle]\nname = "tesla_model_3_rwd_epa"\n[drive]\ncycles = ["us06"]\n'
        + extra,
        source="day.toml",
        folder=Path(),
    )


def ev_system(spec: SurrogateSpec) -> System:
    plan = drive_plan([HOP], rest_s=10.0, step_s=1.0)
    layout = PackLayout(start_soc=0.5, start_temperature_K=308.15)
    coolant = CoolingParameters(initial_coolant_temperature_K=308.15)
    return build_ev_system(
        cycle=plan.source(308.15),
        vehicle=StepMapComponent(vehicle_step_map(CAR), name="vehicle"),
        pack=StepMapComponent(pack_step_map(spec, layout), name="pack"),
        cooling=StepMapComponent(cooling_step_map(coolant), name="cooling"),
        charger=cccv_charger(scenario(), spec, c_rate=1.0),
        cooling_controller=cooling_rules(scenario()),
    )


@pytest.fixture(scope="module")
def day(synthetic_spec: SurrogateSpec) -> Result:
    return simulate(ev_system(synthetic_spec), stop_s=200.0, step_s=1.0)


@pytest.mark.slow
@pytest.mark.fmu
def test_the_loop_in_c_calls_no_python_and_gives_the_same_bits(
    synthetic_spec: SurrogateSpec, day: Result
) -> None:
    fast = simulate(
        ev_system(synthetic_spec),
        stop_s=200.0,
        step_s=1.0,
        master=GaussSeidel(is_compiled=True),
    )
    called = fast.provenance["loop"].partition(": ")[2].split(", ")
    assert sorted(called) == sorted(
        ["cycle", "charger", "cooling_controller", "vehicle", "pack", "cooling"]
    )
    np.testing.assert_array_equal(fast.values, day.values)


def test_a_drive_is_the_cycles_with_rests(day: Result) -> None:
    plan = drive_plan([HOP, HOP], rest_s=10.0, step_s=1.0)
    assert plan.duration_s == 140.0
    distance = np.trapezoid(plan.speed_m_per_s, plan.time_s)
    assert distance == pytest.approx(2 * HOP.distance_m)
    assert day["vehicle.distance_m"][-1] == pytest.approx(HOP.distance_m, rel=1e-12)


def test_a_cycle_that_does_not_end_at_rest_gets_ramps_and_a_whole_step() -> None:
    open_end = DriveCycle(
        name="cruise", time_s=np.array([0.0, 5.0]), speed_m_per_s=np.array([4.0, 4.0])
    )
    plan = drive_plan([open_end], rest_s=0.0, step_s=1.0)
    assert plan.speed_m_per_s[[0, -1]].tolist() == [0.0, 0.0]
    slopes = np.diff(plan.speed_m_per_s) / np.diff(plan.time_s)
    assert np.abs(slopes).max() <= 1.5 + 1e-9
    assert plan.duration_s == 11.0


def test_the_source_gives_means_that_telescope() -> None:
    source = drive_plan([HOP], rest_s=10.0, step_s=1.0).source(300.0)
    names = source.interface.output_names
    source.initialize(0, np.zeros(0))
    rows = np.array(
        [
            source.step(ticks(t), ticks(t + 1.0), np.zeros(0)).outputs
            for t in np.arange(80.0)
        ]
    )
    speed = rows[:, names.index("speed_m_per_s")]
    slope = rows[:, names.index("acceleration_m_per_s2")]
    driving = rows[:, names.index("is_driving")]
    assert speed.sum() == pytest.approx(HOP.distance_m, rel=1e-12)
    # Half the square of the speed, summed from its steps, comes back to zero.
    assert np.cumsum(speed * slope)[-1] == pytest.approx(0.0, abs=1e-10)
    assert np.cumsum(speed * slope)[29] == pytest.approx(14.0**2 / 2)
    # The last step of the drive still drives, the next one is plugged in.
    assert driving[:70].tolist() == [1.0] * 70
    assert driving[70:].tolist() == [0.0] * 10


def test_charging_starts_with_the_step_after_the_drive(day: Result) -> None:
    current = day["pack.current_A"]
    charging = day["charger.is_charging"]
    assert charging[:71].max() == 0.0
    assert charging[71:].min() == 1.0
    assert current[71:].max() < 0.0
    # 1 C of a 31p pack of 5 Ah cells.
    assert current[100] == pytest.approx(-155.0)


def test_every_subsystem_closes_to_rounding(day: Result) -> None:
    p = CoolingParameters()
    balances = {
        b.name: b
        for b in energy_balances(
            day,
            plate_J_per_K=p.plate_heat_capacity_J_per_K,
            reservoir_J_per_K=p.reservoir_heat_capacity_J_per_K,
        )
    }
    for name in ("pack", "cooling", "vehicle"):
        assert balances[name].residual_fraction < 1e-12
    # Only the cooling power's delay and the root iteration are left.
    assert balances["system"].residual_fraction < 1e-3
    assert balances["pack"].figures("x")["x.pack.residual_J"] == pytest.approx(
        0.0, abs=1e-4
    )


def test_a_wrong_flow_shows_as_the_residual(day: Result) -> None:
    values = np.array(day.values)
    column = day.names.index("pack.heat_cell_to_coolant_W")
    values[1:, column] += 5.0
    wrong = replace(day, values=values)
    p = CoolingParameters()
    pack, cooling, *_ = energy_balances(
        wrong,
        plate_J_per_K=p.plate_heat_capacity_J_per_K,
        reservoir_J_per_K=p.reservoir_heat_capacity_J_per_K,
    )
    assert pack.residual_J == pytest.approx(-5.0 * 200.0)
    assert cooling.residual_J == pytest.approx(5.0 * 200.0)


def test_the_summed_current_is_the_change_of_lithium(day: Result) -> None:
    balance = charge_balance(day)
    assert balance.current_Ah < 0.0
    assert balance.negative_Ah == pytest.approx(balance.current_Ah, rel=1e-9)
    assert balance.positive_Ah == pytest.approx(balance.current_Ah, rel=1e-9)
    assert balance.residual_fraction < 1e-9


def test_a_lost_ampere_second_shows_in_the_charge_balance(day: Result) -> None:
    values = np.array(day.values)
    values[5, day.names.index("pack.current_A")] += 3.6
    balance = charge_balance(replace(day, values=values))
    assert balance.residual_fraction == pytest.approx(0.001 / balance.throughput_Ah)


def test_the_controller_keeps_the_certificates_bound(
    synthetic_spec: SurrogateSpec,
) -> None:
    assert charge_limits(scenario(), synthetic_spec).plating_margin_V == 0.009
    wider = scenario("[charge]\nplating_margin_V = 0.02\n")
    assert charge_limits(wider, synthetic_spec).plating_margin_V == 0.02


def test_an_uncertified_surrogate_needs_a_margin(synthetic_spec: SurrogateSpec) -> None:
    bare = replace(synthetic_spec, certificate={})
    with pytest.raises(ScenarioError, match="has no certificate, so scenario `day`"):
        charge_limits(scenario(), bare)
    given = scenario("[charge]\nplating_margin_V = 0.001\n")
    assert charge_limits(given, bare).plating_margin_V == 0.001


def test_the_mpc_fits_the_charger_ports(synthetic_spec: SurrogateSpec) -> None:
    system = ev_system(synthetic_spec)
    components = {c.name: c for c in system.components}
    charger = mpc_charger(scenario(), synthetic_spec)
    built = build_ev_system(**{**components, "charger": charger})
    assert built.connections == system.connections
