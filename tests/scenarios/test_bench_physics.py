"""`packtwin bench physics` in a size of seconds; its figures judged exactly."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from packtwin.pybamm_models.peers import PeerSteps, PeerTime
from packtwin.scenarios import bench_physics
from packtwin.scenarios.bench import BenchOptions, BenchRow, not_measured, run_bench
from packtwin.scenarios.bench_physics import PARTS
from packtwin.scenarios.bench_physics_accuracy import Errors, error_rows
from packtwin.scenarios.bench_physics_cases import quick_size, random_current_A
from packtwin.scenarios.bench_physics_peers import (
    OwnTime,
    own_rows,
    peer_rows,
    speed_ups,
)
from packtwin.scenarios.bench_physics_robustness import random_segments, random_starts
from packtwin.scenarios.cli import app
from packtwin.twin.errors import ScenarioError

CASE = quick_size().speed[0]
MEASURED = ("accuracy", "counts", "speed", "robustness", "build")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "physics.json"
    arguments = ["bench", "physics", "--quick", "--only", ",".join(MEASURED)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTWIN_CACHE", str(path.parent / "cache"))
        done = CliRunner().invoke(app, [*arguments, "--json", str(path)])
    assert done.exit_code == 0, done.output
    assert not (path.parent / "cache").exists()
    whole: dict[str, Any] = json.loads(path.read_text())
    return whole


@pytest.fixture
def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in document["rows"]}


@pytest.mark.fmu
@pytest.mark.slow
def test_figures_say_how_they_were_made(document: dict[str, Any]) -> None:
    assert document["bench"] == "physics"
    assert document["seeds"]["random_current"] == 1
    assert {"python", "machine", "pybamm", "casadi"} <= set(document["versions"])


@pytest.mark.fmu
@pytest.mark.slow
def test_every_part_has_its_rows(rows: dict[str, dict[str, Any]]) -> None:
    assert {key.split(".")[0] for key in rows} == {
        *("accuracy", "counts", "speed", "peer", "speedup", "robust", "build", "bench")
    }


@pytest.mark.fmu
@pytest.mark.slow
def test_the_c_map_equals_pybamm(rows: dict[str, dict[str, Any]]) -> None:
    key = f"accuracy.{CASE.name}"
    assert rows[f"{key}.voltage_rms"]["target"] == "<= 0.05"
    assert all(rows[f"{key}.{name}"]["met"] for name in ("voltage_rms", "voltage_max"))
    assert rows[f"{key}.temperature_max"]["met"]
    worst = [rows[f"accuracy.worst.c_{tol}.voltage_rms"] for tol in ("0.001", "1e-05")]
    assert worst[1]["value"] < worst[0]["value"]
    assert rows["accuracy.worst.pybamm.voltage_max"]["value"] < 0.01


@pytest.mark.fmu
@pytest.mark.slow
def test_a_smooth_step_takes_one_jacobian(rows: dict[str, dict[str, Any]]) -> None:
    counted = {
        name: rows[f"counts.{CASE.name}.{name}"]["value"]
        for name in ("rhs", "jacobian", "factorisation")
    }
    assert counted == {"rhs": 3.0, "jacobian": 1.0, "factorisation": 1.0}


@pytest.mark.fmu
@pytest.mark.slow
def test_peers_ran_in_the_same_call(rows: dict[str, dict[str, Any]]) -> None:
    for peer in ("default", "best", "step"):
        ratio = rows[f"speedup.{CASE.name}.{peer}"]
        assert rows[f"peer.{CASE.name}.{peer}"]["value"] > 0.0
        assert ratio["value"] > 1.0
        assert ratio["target"] == ""


@pytest.mark.fmu
@pytest.mark.slow
def test_no_seed_fails(rows: dict[str, dict[str, Any]]) -> None:
    for name in ("failures", "nan"):
        assert rows[f"robust.{CASE.name}.{name}"]["value"] == 0.0


def test_errors_are_root_mean_square_and_largest() -> None:
    zeros = PeerSteps(voltage_V=np.zeros(5), temperature_K=np.full(5, 298.0))
    found = PeerSteps(
        voltage_V=np.array([0.003, -0.004]), temperature_K=np.array([298.0, 298.25])
    )
    errors = Errors.between(found, zeros)
    assert errors.voltage_rms == pytest.approx(np.sqrt(12.5))
    assert errors.voltage_max == pytest.approx(4.0)
    assert errors.temperature_max == 0.25


def test_a_missed_target_is_shown_as_missed() -> None:
    errors = Errors(voltage_rms=0.049, voltage_max=0.51, temperature_max=0.005)
    judged = {row.id: row for row in error_rows("k", "case", errors)}
    assert {key: row.met for key, row in judged.items()} == {
        "k.voltage_rms": True,
        "k.voltage_max": False,
        "k.temperature_max": True,
    }
    slow = OwnTime(loop_s=41e-6, drive_s=1e-6, call_s=1e-6)
    loop = next(iter(own_rows(CASE, slow)))
    assert (loop.value, loop.target, loop.met) == (pytest.approx(41.0), "<= 40", False)


def test_what_was_not_measured_is_a_missed_row_that_says_why() -> None:
    row = not_measured("part.failed", "part `part` ended early: reason")
    assert row == BenchRow(
        id="part.failed",
        what="part `part` ended early: reason",
        value=0.0,
        unit="1",
        target="measured",
        met=False,
    )


def test_without_pybamm_the_one_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_physics, "has_physics", lambda: False)
    (row,) = bench_physics.rows(lambda *_: None, BenchOptions())
    assert (row.id, row.target, row.met) == ("missing.pybamm", "installed", False)
    assert "PyBaMM is not installed" in row.what


def test_speed_ups_divide_the_same_work() -> None:
    own = OwnTime(loop_s=1.0, drive_s=2e-6, call_s=4e-6)
    times = [
        PeerTime(id="best", name="best call", step_s=200e-6),
        PeerTime(id="step", name="Simulation.step", step_s=200e-6),
        PeerTime(id="pydiffsol", name="pydiffsol", reason="it is not installed"),
    ]
    ratios = {row.id: row.value for row in speed_ups("case", times, own)}
    assert ratios == {
        "speedup.case.best": pytest.approx(100.0),
        "speedup.case.step": pytest.approx(50.0),
    }


def test_a_peer_that_did_not_run_says_why() -> None:
    peer = PeerTime(id="pydiffsol", name="pydiffsol", reason="it is not installed")
    (row,) = peer_rows(CASE, [peer])
    assert "no figure: it is not installed" in row.what
    assert row.value == 0.0


def test_random_current_repeats_and_rests() -> None:
    current_A = random_current_A(600, 5.0)
    assert np.array_equal(current_A, random_current_A(600, 5.0))
    assert np.abs(current_A).max() <= 5.0
    assert 30 < np.sum(current_A == 0.0) < 90


@pytest.mark.parametrize("seed", range(5))
def test_segments_fill_the_time_within_2C(seed: int) -> None:
    segments = random_segments(seed, 1000, 5.0)
    assert sum(duration_s for duration_s, _ in segments) == 1000.0
    assert segments[0][1] == 0.0
    assert all(abs(level_A) <= 10.0 for _, level_A in segments)
    starts = random_starts(seed)
    assert 0.1 <= starts["soc_start"] <= 0.9
    assert 263.15 <= starts["temperature_start_K"] <= 318.15
    assert starts["ambient_temperature_K"] == starts["temperature_start_K"]


def test_unknown_part_names_the_nearest() -> None:
    with pytest.raises(ScenarioError, match=r"no part `sped`.*`?speed"):
        run_bench("physics", options=BenchOptions(only=("sped",)))


def test_a_bench_without_parts_refuses_options() -> None:
    with pytest.raises(ScenarioError, match="`demo` has no parts"):
        run_bench("demo", options=BenchOptions(is_quick=True))


def test_the_shares_of_the_parts_sum_to_one() -> None:
    assert sum(share for *_, share in PARTS.values()) == pytest.approx(1.0)
