from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from packtwin.pybamm_models import stepping
from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.stepping import replay
from packtwin.twin.compiled import CompiledStepMap
from packtwin.twin.errors import ModelError, ScenarioError


def test_run_records_beyond_the_window(coarse: Cell) -> None:
    run = replay(
        coarse,
        np.array([0.0, 1.0, 3600.0]),
        np.array([0.0, -5.0, -5.0]),
        0.7,
        298.15,
        298.15,
        30.0,
    )
    assert run.status == "limit"
    assert "voltage" in run.limit
    assert 0 < run.first_limit_s < run.end_time_s
    outside = ~run.is_in_window
    assert outside.any()
    assert run.time_s[outside][0] == np.ceil(run.first_limit_s)
    assert run.voltage_V.max() == pytest.approx(coarse.stop_voltage_max_V, abs=0.01)
    assert np.all(np.diff(run.time_s) == 1.0)


def test_short_pulses_are_not_stepped_over(coarse: Cell) -> None:
    time_s = np.array([0.0, 1800.0, 1801.0, 1802.0, 1803.0, 3600.0])
    current_A = np.array([0.0, 0.0, 10.0, 10.0, 0.0, 0.0])
    run = replay(coarse, time_s, current_A, 0.5, 298.15, 298.15, 30.0)
    assert run.current_A[1801] == 10.0
    assert run.voltage_V[1802] < run.voltage_V[1800] - 0.1


def test_coolant_may_change_with_time(coarse: Cell) -> None:
    time_s = np.array([0.0, 600.0])
    warm = replay(
        coarse, time_s, np.zeros(2), 0.5, 290.0, np.array([290.0, 320.0]), 1e3
    )
    assert warm.coolant_temperature_K[300] == pytest.approx(305.0)
    assert warm.temperature_K[0] == pytest.approx(290.0, abs=1e-3)
    assert 310.0 < warm.temperature_K[-1] < 320.0


def test_failed_solve_names_cell_and_start(coarse: Cell) -> None:
    with pytest.raises(ModelError, match=r"lg_m50_chen2020.*start SOC 0\.990"):
        replay(
            coarse,
            np.array([0.0, 60.0]),
            np.array([-50.0, -50.0]),
            0.99,
            263.15,
            263.15,
            30.0,
        )


@pytest.mark.parametrize(
    "change",
    [
        {"time_s": np.array([1.0, 2.0])},
        {"current_A": np.zeros(3)},
        {"coolant_temperature_K": np.zeros(1)},
        {"current_A": np.array([0.0, np.nan])},
    ],
)
def test_bad_request_names_itself(change: dict[str, np.ndarray]) -> None:
    good = Request(
        name="good",
        kind="test",
        time_s=np.array([0.0, 1.0]),
        current_A=np.zeros(2),
        start_soc=0.5,
        start_temperature_K=300.0,
        coolant_temperature_K=np.full(2, 300.0),
        heat_transfer_coefficient_W_per_m2_K=10.0,
    )
    with pytest.raises(ScenarioError, match="`good`"):
        replace(good, **change)


def test_threads_that_ask_at_once_share_one_stepper(
    coarse: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # CasADi crashes when two threads build functions.
    stepper, at_once = stepping.cell_stepper(coarse), []

    def build(_model: object) -> CompiledStepMap:
        at_once.append(1)
        time.sleep(0.02)
        assert at_once == [1]
        at_once.pop()
        return stepper

    monkeypatch.setattr(stepping, "physics_model", lambda _physics: None)
    monkeypatch.setattr(stepping, "integrate_implicitly", build)
    cells = [replace(coarse, name=f"cell_{k % 2}") for k in range(8)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(stepping.cell_stepper, cells))
    assert set(map(id, made)) == {id(stepper)}
