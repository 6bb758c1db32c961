"""The thermal system: energy balance, limits, monotonicity, published exchangers."""

import numpy as np
import pytest

from packtwin.twin.cooling import (
    CoolingParameters,
    cooling_step_map,
    cross_flow_effectiveness,
)
from packtwin.twin.errors import InterfaceError
from packtwin.twin.step_map import StepMap, StepStatus

COOLING = cooling_step_map()


def run(
    seconds: float,
    step_map: StepMap = COOLING,
    **inputs: float,
) -> dict[str, float]:
    start = {v.name: v.start for v in step_map.interface.inputs}
    assert set(inputs) <= set(start)
    u = np.array(list({**start, **inputs}.values()))
    p = np.array([v.start for v in step_map.interface.parameters])
    memory, _ = step_map.start(u, p)
    _, y, status = step_map.advance(memory, 0.0, seconds, u, p)
    assert status is StepStatus.OK
    return dict(zip(step_map.interface.output_names, map(float, y), strict=True))


def test_stored_energy_is_the_integral_of_the_heat_flows() -> None:
    chosen = CoolingParameters()
    capacities = np.array(
        [chosen.plate_heat_capacity_J_per_K, chosen.reservoir_heat_capacity_J_per_K]
    )
    names = COOLING.interface.output_names
    p = np.array([v.start for v in COOLING.interface.parameters])
    memory, _ = COOLING.start(np.zeros(7) + 298.15, p)
    random = np.random.default_rng(3)
    for _ in range(200):
        u = np.array(
            [
                random.normal(0.0, 4e3),
                random.uniform(253.0, 318.0),
                random.uniform(0.0, 40.0),
                *random.uniform(-0.2, 1.2, 3),
                random.uniform(-1e3, 7e3),
            ]
        )
        h = float(random.choice([0.5, 1.0, 10.0, 33.3]))
        after, y, status = COOLING.advance(memory, 0.0, h, u, p)
        flow = dict(zip(names, y, strict=True))
        heats = [
            u[0],
            flow["heater_power_W"],
            flow["pump_power_W"],
            -flow["heat_coolant_to_ambient_W"],
            -flow["heat_coolant_to_refrigerant_W"],
        ]
        stored = float(capacities @ (after - memory))
        scale = float(np.sum(np.abs(heats))) * h + float(capacities @ memory)
        assert status is StepStatus.OK
        assert abs(stored - sum(heats) * h) < 1e-12 * scale
        assert abs(stored - sum(heats) * h) < 1e-9 * max(np.sum(np.abs(heats)) * h, 1e3)
        power = sum(
            flow[f"{part}_power_W"] for part in ("pump", "fan", "compressor", "heater")
        )
        assert flow["cooling_power_W"] == pytest.approx(power, rel=1e-12, abs=1e-9)
        assert 2.0 <= flow["heat_transfer_coefficient_W_per_m2K"] <= 300.0
        memory = after


@pytest.mark.parametrize(
    ("transfer_units", "ratio", "published", "tolerance"),
    [
        # Nellis and Klein's solution in EES: UA = 75, C = 50 and 30 W/K.
        (75.0 / 30.0, 30.0 / 50.0, 0.7632, 1e-4),
        # Incropera et al., 6th ed., example 11.4 (value read from a chart): gas
        # 1500 W/K, water 4197 W/K, UA = 4000 W/K.
        (4000.0 / 1500.0, 1500.0 / 4197.0, 0.82, 0.04),
    ],
)
def test_effectiveness_meets_published_cross_flow_exchangers(
    transfer_units: float, ratio: float, published: float, tolerance: float
) -> None:
    value = float(cross_flow_effectiveness(transfer_units, ratio))
    assert value == pytest.approx(published, rel=tolerance)


def test_radiator_heat_meets_a_published_operating_point() -> None:
    # S. K. Som, Introduction to Heat Transfer, example 10.7: hot air 10 kg/s at
    # 125 degC, water 7 kg/s at 20 degC, U A = 55 kW/K: 1.0 MW (given to two digits).
    # Here the coolant takes the hot air's place and our air the water's.
    chosen = CoolingParameters(
        initial_coolant_temperature_K=398.15,
        flow_max_kg_per_s=10.0,
        coolant_heat_capacity_J_per_kgK=1010.0,
        radiator_face_area_m2=7.0 * 4180.0 / (1.18 * 1007.0),
        ram_air_fraction=1.0,
        radiator_coolant_conductance_W_per_K=1e12,
        radiator_air_conductance_W_per_K=55e3,
        loop_loss_conductance_W_per_K=0.0,
    )
    got = run(
        1e-6,
        cooling_step_map(chosen),
        ambient_temperature_K=293.15,
        air_speed_m_per_s=1.0,
        pump_command=1.0,
    )
    assert got["heat_coolant_to_ambient_W"] == pytest.approx(1.0e6, rel=0.05)


def test_effectiveness_of_a_constant_temperature_side_is_exact() -> None:
    n = np.array([0.0, 1e-3, 0.5, 2.0, 10.0])
    for value in n:
        got = float(cross_flow_effectiveness(value, 0.0))
        assert got == pytest.approx(1.0 - np.exp(-value), rel=1e-6, abs=2e-9)


def test_zero_flow_heats_the_plate_alone() -> None:
    got = run(60.0, heat_cell_to_coolant_W=1000.0, air_speed_m_per_s=30.0)
    rise = got["coolant_temperature_K"] - 298.15
    assert rise == pytest.approx(1000.0 * 60.0 / 10300.0, rel=1e-12)
    assert got["reservoir_temperature_K"] == 298.15
    assert got["coolant_flow_kg_per_s"] == got["pump_power_W"] == 0.0
    assert got["heat_transfer_coefficient_W_per_m2K"] == 5.0


def test_flow_and_pump_power_follow_the_affinity_laws() -> None:
    full, half = run(1.0, pump_command=1.0), run(1.0, pump_command=0.5)
    assert full["coolant_flow_kg_per_s"] == 2.0 * half["coolant_flow_kg_per_s"]
    assert full["pump_power_W"] == pytest.approx(8.0 * half["pump_power_W"])
    assert full["pump_power_W"] == pytest.approx(0.35 / 1065.0 * 60e3 / 0.4)


def test_more_flow_and_more_air_carry_more_heat() -> None:
    chosen = cooling_step_map(CoolingParameters(initial_coolant_temperature_K=318.15))
    name = "heat_coolant_to_ambient_W"
    commands = np.linspace(0.05, 1.0, 12)
    by_flow = [run(1e-3, chosen, pump_command=c, fan_command=1.0) for c in commands]
    by_fan = [run(1e-3, chosen, pump_command=1.0, fan_command=c) for c in commands]
    by_ram = [
        run(1e-3, chosen, pump_command=1.0, air_speed_m_per_s=40.0 * c)
        for c in commands
    ]
    for rows in (by_flow, by_fan, by_ram):
        assert np.all(np.diff([row[name] for row in rows]) > 0.0)
    film = [row["heat_transfer_coefficient_W_per_m2K"] for row in by_flow]
    assert np.all(np.diff(film) > 0.0)


def test_hotter_coolant_gives_more_heat_to_radiator_and_chiller() -> None:
    rows = [
        run(
            1e-3,
            cooling_step_map(CoolingParameters(initial_coolant_temperature_K=t)),
            ambient_temperature_K=298.15,
            pump_command=1.0,
            fan_command=1.0,
            chiller_command=1.0,
        )
        for t in (298.15, 303.15, 313.15, 333.15)
    ]
    for name in ("heat_coolant_to_ambient_W", "heat_coolant_to_refrigerant_W"):
        assert np.all(np.diff([row[name] for row in rows]) > 0.0)


def test_bypass_keeps_the_radiator_from_heating_cold_coolant() -> None:
    lossless = CoolingParameters(
        initial_coolant_temperature_K=298.15, loop_loss_conductance_W_per_K=0.0
    )
    got = run(
        1e-3,
        cooling_step_map(lossless),
        ambient_temperature_K=313.15,
        pump_command=1.0,
        fan_command=1.0,
    )
    assert -1e-6 < got["heat_coolant_to_ambient_W"] <= 0.0


def test_chiller_gives_its_rating_and_stops_at_the_frost_limit() -> None:
    inputs = {
        "ambient_temperature_K": 308.15,
        "pump_command": 1.0,
        "chiller_command": 1.0,
    }
    rated = CoolingParameters(
        initial_coolant_temperature_K=293.15, chiller_conductance_W_per_K=1e6
    )
    got = run(1e-6, cooling_step_map(rated), **inputs)
    assert got["heat_coolant_to_refrigerant_W"] == pytest.approx(5000.0, rel=1e-3)
    cop = got["heat_coolant_to_refrigerant_W"] / got["compressor_power_W"]
    assert cop == pytest.approx(0.4 * 285.15 / 35.0, rel=1e-6)
    cold = CoolingParameters(initial_coolant_temperature_K=275.0)
    frozen = run(1e-6, cooling_step_map(cold), **inputs)
    assert frozen["heat_coolant_to_refrigerant_W"] == 0.0
    assert frozen["compressor_power_W"] == 0.0


def test_cop_stays_within_its_limits_and_falls_with_ambient() -> None:
    cops = []
    for ambient in (263.15, 283.15, 298.15, 308.15, 318.15, 353.15):
        got = run(
            1e-6,
            ambient_temperature_K=ambient,
            pump_command=1.0,
            chiller_command=0.5,
        )
        cops.append(got["heat_coolant_to_refrigerant_W"] / got["compressor_power_W"])
    assert np.all(np.diff(cops) <= 1e-9)
    assert cops[0] == pytest.approx(6.0)
    assert min(cops) >= 1.0


def test_heater_is_limited_in_power_and_temperature() -> None:
    got = run(1e-6, heater_power_request_W=9e3)
    assert got["heater_power_W"] == pytest.approx(5e3, rel=1e-9)
    assert run(1e-6, heater_power_request_W=-9e3)["heater_power_W"] == 0.0
    long = run(7200.0, heater_power_request_W=9e3, pump_command=1.0)
    assert 330.0 < long["coolant_temperature_K"] < 345.0


def test_all_outputs_stay_finite_at_the_corners() -> None:
    p = np.array([v.start for v in COOLING.interface.parameters])
    for corner in range(2**7):
        bits = [(corner >> k) & 1 for k in range(7)]
        low = np.array([-2e4, 233.15, 0.0, 0.0, 0.0, 0.0, 0.0])
        high = np.array([2e4, 333.15, 60.0, 1.0, 1.0, 1.0, 1e4])
        u = np.where(np.array(bits) == 1, high, low)
        for node in (233.15, 353.15):
            _, y, status = COOLING.advance(np.array([node, node]), 0.0, 10.0, u, p)
            assert status is StepStatus.OK
            assert np.isfinite(y).all()


def test_scheme_is_converged_at_one_second() -> None:
    inputs = {
        "heat_cell_to_coolant_W": 4e3,
        "pump_command": 0.7,
        "chiller_command": 0.6,
        "fan_command": 0.5,
    }
    u = np.array([inputs.get(v.name, v.start) for v in COOLING.interface.inputs])
    p = np.array([v.start for v in COOLING.interface.parameters])
    memory, _ = COOLING.start(u, p)
    coarse, _, _ = COOLING.advance(memory, 0.0, 100.0, u, p)
    fine = memory
    for k in range(1000):
        fine, _, _ = COOLING.advance(fine, 0.1 * k, 0.1, u, p)
    np.testing.assert_allclose(coarse, fine, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"flow_max_kg_per_s": 0.0}, "> 0"),
        ({"fan_power_max_W": float("nan")}, "finite"),
        ({"pump_efficiency": 1.5}, "(0, 1]"),
        ({"cop_max": 0.5}, "at least 1.0"),
        ({"plate_contact_coefficient_W_per_m2K": 400.0}, "<= 300"),
        ({"plate_floor_coefficient_W_per_m2K": 1.0}, "floor >= 2"),
    ],
)
def test_unusable_parameter_is_refused(change: dict[str, float], part: str) -> None:
    with pytest.raises(InterfaceError) as caught:
        CoolingParameters(**change)
    assert part in str(caught.value)
