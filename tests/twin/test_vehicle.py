"""The vehicle: exact energy ledger, closed forms, limits and refusals."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from packtwin.twin.cycle import load_cycle
from packtwin.twin.errors import ScenarioError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.vehicle import (
    VehicleParameters,
    load_vehicle,
    road_load_from_drag,
    vehicle_step_map,
)

LIBRARY = Path(str(resources.files("packtwin.scenarios.library")))

CAR = VehicleParameters(
    name="test car",
    mass_kg=1700.0,
    rotating_mass_fraction=0.02,
    road_load_a_N=120.0,
    road_load_b_Ns_per_m=1.5,
    road_load_c_Ns2_per_m2=0.45,
    motor_power_max_W=100e3,
)


def step(car: VehicleParameters, h: float = 1.0, **inputs: float) -> dict[str, float]:
    step_map = vehicle_step_map(car)
    start = {v.name: v.start for v in step_map.interface.inputs}
    assert set(inputs) <= set(start)
    u = np.array(list({**start, **inputs}.values()))
    p = np.array([v.start for v in step_map.interface.parameters])
    memory, _ = step_map.start(u, p)
    _, y, status = step_map.advance(memory, 0.0, h, u, p)
    assert status is StepStatus.OK
    return dict(zip(step_map.interface.output_names, map(float, y), strict=True))


def test_ledger_closes_to_rounding_for_any_inputs() -> None:
    step_map = vehicle_step_map(CAR)
    names = step_map.interface.output_names
    p = np.array([v.start for v in step_map.interface.parameters])
    random = np.random.default_rng(7)
    for _ in range(500):
        u = np.array(
            [
                random.uniform(0.0, 50.0),
                random.normal(0.0, 2.5),
                float(random.random() < 0.9),
                random.uniform(0.0, 6e3),
                random.choice([0.0, 1e3, 3e4, 1e6]),
                random.choice([0.0, 1e3, 3e4, 1e6]),
            ]
        )
        _, y, status = step_map.advance(np.zeros(1), 0.0, 1.0, u, p)
        flow = dict(zip(names, y, strict=True))
        balance = (
            flow["wheel_power_W"]
            + flow["friction_brake_power_W"]
            + flow["motor_loss_W"]
            + flow["auxiliary_power_W"]
            + u[3]
            - flow["unmet_power_W"]
        )
        throughput = sum(abs(value) for value in y) + u[3]
        assert status is StepStatus.OK
        assert abs(flow["power_request_W"] - balance) <= 1e-12 * throughput
        assert -u[5] - 1e-9 <= flow["power_request_W"] <= u[4] + 1e-9
        for name in (
            "traction_power_W",
            "regenerated_power_W",
            "friction_brake_power_W",
            "motor_loss_W",
            "unmet_power_W",
        ):
            assert flow[name] >= -1e-9


@pytest.mark.parametrize(("speed", "slope"), [(20.0, 0.7), (20.0, -2.0), (6.0, 1.5)])
def test_wheel_power_is_the_exact_mean_for_a_linear_speed(
    speed: float, slope: float
) -> None:
    h = 4.0
    got = step(CAR, h, speed_m_per_s=speed, acceleration_m_per_s2=slope)
    # Three-point Gauss quadrature is exact for the polynomial force times speed.
    nodes, weights = np.polynomial.legendre.leggauss(3)
    v = speed + slope * h / 2.0 * nodes
    force = 1700.0 * 1.02 * slope + 120.0 + 1.5 * v + 0.45 * v**2
    mean = np.sum(weights * force * v) / 2.0
    assert got["wheel_power_W"] == pytest.approx(mean, rel=1e-13)
    assert got["distance_m"] == pytest.approx(speed * h, rel=1e-15)


def test_kinetic_energy_over_a_stop_to_stop_trip_is_zero() -> None:
    car = VehicleParameters(
        name="lossless road",
        mass_kg=1500.0,
        road_load_a_N=0.0,
        road_load_b_Ns_per_m=0.0,
        road_load_c_Ns2_per_m2=0.0,
        motor_power_max_W=1e6,
    )
    cycle = load_cycle(LIBRARY / "cycle_udds.csv")
    total = sum(
        step(car, speed_m_per_s=v, acceleration_m_per_s2=a)["wheel_power_W"]
        for v, a in zip(*(part[:130] for part in cycle.step_means(1.0)), strict=True)
    )
    v_end = cycle.speed_m_per_s[130]
    assert total == pytest.approx(0.5 * 1500.0 * v_end**2, abs=1e-6)


def test_standing_car_draws_auxiliaries_and_cooling_only() -> None:
    got = step(CAR, is_driving=0.0, speed_m_per_s=30.0, cooling_power_W=800.0)
    assert got["power_request_W"] == 1050.0
    assert got["wheel_power_W"] == got["distance_m"] == got["motor_loss_W"] == 0.0


def test_motor_map_matches_its_knots_in_both_directions() -> None:
    knots = zip(CAR.motor_power_fractions, CAR.motor_efficiencies, strict=True)
    for fraction, efficiency in list(knots)[1:]:
        wheel = fraction * 100e3 * 0.98
        drive = step(CAR, **_inputs_for(wheel))
        assert drive["traction_power_W"] == pytest.approx(fraction * 1e5 / efficiency)
        brake = step(CAR, **_inputs_for(-wheel))
        motor = 0.98 * wheel * 0.98  # regeneration fraction and transmission
        assert brake["regenerated_power_W"] == pytest.approx(
            np.interp(
                motor / 1e5,
                CAR.motor_power_fractions,
                np.array(CAR.motor_power_fractions) * np.array(CAR.motor_efficiencies),
            )
            * 1e5
        )


def _inputs_for(wheel_W: float) -> dict[str, float]:
    """Return inputs at 25 m/s with this mean wheel power in a vanishing step."""
    v = 25.0
    road = 120.0 + 1.5 * v + 0.45 * v**2
    slope = (wheel_W / v - road) / (1700.0 * 1.02)
    correction = (1.5 * slope**2 / 12.0 + 0.45 * v * slope**2 / 4.0) / v
    return {
        "speed_m_per_s": v,
        "acceleration_m_per_s2": slope - correction / (1700.0 * 1.02),
    }


def test_discharge_limit_is_met_exactly_and_the_shortfall_reported() -> None:
    free = step(CAR, speed_m_per_s=25.0, acceleration_m_per_s2=1.0)
    held = step(
        CAR,
        speed_m_per_s=25.0,
        acceleration_m_per_s2=1.0,
        discharge_power_limit_W=20e3,
    )
    assert free["unmet_power_W"] == 0.0
    assert held["power_request_W"] == pytest.approx(20e3, rel=1e-14)
    assert held["wheel_power_W"] == free["wheel_power_W"]
    delivered = held["wheel_power_W"] - held["unmet_power_W"]
    assert 0.85 * 19750.0 < delivered < 0.98 * 19750.0


def test_no_discharge_power_sheds_the_auxiliaries_too() -> None:
    got = step(CAR, cooling_power_W=500.0, discharge_power_limit_W=0.0)
    assert got["power_request_W"] == 0.0
    assert got["unmet_power_W"] == 750.0


def test_charge_limit_sends_the_rest_to_the_friction_brakes() -> None:
    inputs = {"speed_m_per_s": 20.0, "acceleration_m_per_s2": -2.0}
    free = step(CAR, **inputs)
    held = step(CAR, **inputs, charge_power_limit_W=5e3)
    assert held["power_request_W"] == pytest.approx(-5e3, rel=1e-14)
    assert held["unmet_power_W"] == 0.0
    assert held["friction_brake_power_W"] > free["friction_brake_power_W"] + 1e4


def test_motor_peak_power_limits_traction() -> None:
    got = step(CAR, speed_m_per_s=30.0, acceleration_m_per_s2=4.0)
    assert got["traction_power_W"] == pytest.approx(100e3 / 0.93)
    assert got["unmet_power_W"] == pytest.approx(got["wheel_power_W"] - 98e3)


@pytest.mark.parametrize("speed_mph", [0.5, 2.0, 5.28, 8.0, 30.0])
def test_regeneration_fades_as_in_fastsim(speed_mph: float) -> None:
    speed = speed_mph * 0.44704
    inputs = {"speed_m_per_s": speed, "acceleration_m_per_s2": -1.0}
    got = step(CAR, 1e-6, **inputs)
    braking = -got["wheel_power_W"]
    share = 1.0 - got["friction_brake_power_W"] / braking
    expected = 0.98 / (1.0 + 500.0 * np.exp(-0.99 * (speed_mph + 1.0)))
    assert share == pytest.approx(expected, rel=1e-12)


def test_drag_area_and_rolling_resistance_are_one_road_load() -> None:
    load = road_load_from_drag(
        mass_kg=1000.0,
        drag_coefficient=0.3,
        frontal_area_m2=2.0,
        rolling_resistance_coefficient=0.01,
    )
    assert load["road_load_a_N"] == pytest.approx(98.1)
    assert load["road_load_b_Ns_per_m"] == 0.0
    assert load["road_load_c_Ns2_per_m2"] == pytest.approx(0.36)


@pytest.mark.parametrize(
    "path", sorted(LIBRARY.glob("vehicle_*.toml")), ids=lambda p: p.stem
)
def test_every_shipped_vehicle_loads_and_names_its_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# source: ")
    assert "licence: " in text.splitlines()[0]
    assert load_vehicle(path).mass_kg > 1000.0


GOOD = """
name = "x"
mass_kg = 1500.0
road_load_a_N = 100.0
road_load_b_Ns_per_m = 0.0
road_load_c_Ns2_per_m2 = 0.4
motor_power_max_W = 1e5
"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (GOOD + "mass = 3.0\n", ["unknown key `mass`", "`mass_kg`"]),
        (GOOD + "drag_coefficient = 0.3\n", ["road load twice", "keep one set"]),
        (GOOD.replace("mass_kg = 1500.0", ""), ["lacks `mass_kg`"]),
        (GOOD.replace("1500.0", "'heavy'"), ["`mass_kg` is 'heavy'", "a number"]),
        (GOOD.replace("1500.0", "true"), ["`mass_kg` is True", "a number"]),
        (GOOD.replace("1500.0", "-1"), ["`mass_kg` is -1.0", "> 0"]),
        (GOOD.replace("1500.0", "nan"), ["`mass_kg` is nan", "finite"]),
        (GOOD.replace('"x"', "3"), ["`name` is 3", "a text"]),
        (GOOD + "transmission_efficiency = 1.2\n", ["1.2", "(0, 1]"]),
        (GOOD + "auxiliary_power_W = -5\n", ["-5.0", ">= 0"]),
        (GOOD + "motor_efficiencies = [0.9]\n", ["knots from 0 to 1"]),
        (GOOD + "motor_efficiencies = 0.9\n", ["a list of numbers"]),
        (
            GOOD + "motor_power_fractions = [0, 0.5, 1]\n"
            "motor_efficiencies = [0.9, 0.9, 0.4]\n",
            ["returned power rise"],
        ),
        ("name = ", ["Cannot read", "TOML"]),
    ],
)
def test_wrong_vehicle_file_is_refused(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    path = tmp_path / "vehicle.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_vehicle(path)
    message = str(caught.value)
    assert message.endswith(".")
    for part in parts:
        assert part in message
