"""The vehicle against FASTSim and EPA: every target that is claimed."""

import numpy as np
import pytest

from packtwin.scenarios.vehicle_study import (
    WallAssumptions,
    compare_with_epa,
    compare_with_fastsim,
    library_path,
    simulate_cycle,
)
from packtwin.twin.cycle import DriveCycle
from packtwin.twin.errors import ScenarioError
from packtwin.twin.vehicle import load_vehicle


def test_every_energy_is_close_to_fastsim() -> None:
    rows = compare_with_fastsim()
    assert len(rows) == 12
    for row in rows:
        assert abs(row.battery_error) < 0.07
        assert abs(row.stored_error) < 0.07
        assert abs(row.traction_error) < 0.10
        assert abs(row.regenerated_error) < 0.10
        assert abs(row.auxiliary_error) < 0.10


def test_wall_energy_is_within_10_percent_of_epa_for_the_three_cars() -> None:
    chosen = {"Chevrolet BOLT EUV", "Nissan LEAF", "Tesla Model 3 RWD"}
    rows = [row for row in compare_with_epa() if row.vehicle in chosen]
    assert {row.vehicle for row in rows} == chosen
    assert {row.cycle for row in rows} == {"udds", "hwfet"}
    for row in rows:
        assert abs(row.error) < 0.10


def test_epa_study_shows_its_outlier_and_scales_with_the_charger() -> None:
    rows = compare_with_epa()
    assert [row.vehicle for row in rows if row.is_outlier] == ["Chevrolet BOLT EV"]
    better = compare_with_epa(WallAssumptions(charger_efficiency=1.0))
    for row, other in zip(rows, better, strict=True):
        assert other.predicted_Wh_per_mi == pytest.approx(0.9 * row.predicted_Wh_per_mi)


def test_epa_vehicle_files_match_the_shipped_test_list() -> None:
    table = library_path("epa_2022_dynamometer.csv").read_text(encoding="utf-8")
    for path in library_path(".").glob("vehicle_*_epa.toml"):
        car = load_vehicle(path)
        figures = (car.mass_kg, car.road_load_a_N, car.road_load_b_Ns_per_m)
        power = f"{car.motor_power_max_W:.0f}"
        assert f",{power},{','.join(f'{v:g}' for v in figures)}," in table


def test_cycle_without_distance_is_refused() -> None:
    parked = DriveCycle(
        name="parked", time_s=np.array([0.0, 1.0]), speed_m_per_s=np.zeros(2)
    )
    car = load_vehicle(library_path("vehicle_chevrolet_bolt.toml"))
    with pytest.raises(ScenarioError, match="0\\.0 m"):
        simulate_cycle(car, parked)
