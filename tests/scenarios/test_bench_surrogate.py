"""`packtwin bench surrogate` in a small size; its figures judged exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pybamm")
pytest.importorskip("torch")

from packtwin.pybamm_models.cells import find_cell
from packtwin.scenarios.bench import BenchOptions, run_bench
from packtwin.scenarios.bench_surrogate_accuracy import accuracy_rows
from packtwin.scenarios.bench_surrogate_alternatives import error_rows
from packtwin.scenarios.bench_surrogate_cases import (
    HEAT_TRANSFERS_W_per_m2K,
    hour_requests,
    strong_charges,
)
from packtwin.scenarios.bench_surrogate_table import alternatives_listing
from packtwin.twin.alternative import PredictorError
from packtwin.twin.certificate_target import RunError

MODELS = ("hybrid", "spme", "circuit", "gru", "neural_ode", "pinn")


def run_error(
    name: str, rms_mV: float, start_K: float = 298.15, **labels: Any
) -> RunError:
    rms = {"voltage_V": 1e-3 * rms_mV, "plating_potential_V": 2e-3 * rms_mV}
    return RunError(
        name=name,
        labels={"c_rate": None, **labels},
        duration_s=30.0 if "short" in name else 600.0,
        start_temperature_K=start_K,
        rms=rms,
        p99={key: 3.0 * value for key, value in rms.items()},
    )


ERRORS = [
    run_error("cycle", 1.0, kind="cycle"),
    run_error("charge", 3.0, kind="constant_charge", c_rate=1.0),
    run_error("cold_cycle", 4.0, 263.15, kind="cycle"),
    run_error("cold", 10.0, 263.15, kind="constant_charge", c_rate=1.0),
    run_error("cold_fast", 20.0, 263.15, kind="constant_charge", c_rate=2.0),
    run_error("short_cold", 99.0, 263.15, kind="constant_charge", c_rate=2.0),
    run_error("fast", 5.0, kind="constant_charge", c_rate=3.0),
]


def test_errors_are_judged_by_group() -> None:
    rows = {row.id: row for row in accuracy_rows(ERRORS, ERRORS[-1:])}
    wanted = {
        "voltage.warm.mean": (2.0, True),
        "voltage.warm.worst": (3.0, True),
        "voltage.warm.p99": (9.0, True),
        "voltage.cold.mean": (7.0, False),
        "voltage.cold_constant.mean": (10.0, True),
        "voltage.cold_all.mean": (34.0 / 3.0, True),
        "voltage.3C.mean": (5.0, True),
        "plating.charges.mean": (2.0 * 38.0 / 4.0, False),
        "plating.charges.worst": (40.0, False),
        "short.voltage_V.worst": (99.0, True),
    }
    for key, (value, met) in wanted.items():
        assert rows[key].value == pytest.approx(value)
        assert rows[key].met is met
    assert rows["voltage.warm.mean"].target == "<= 2"
    assert rows["voltage.cold_all.mean"].target == ""
    assert "(cold_fast)" in rows["plating.charges.worst"].what


def test_a_group_without_runs_is_not_met() -> None:
    rows = {row.id: row for row in accuracy_rows(ERRORS[:1], [])}
    assert not rows["voltage.3C"].met
    assert "no such run" in rows["voltage.3C"].what


def test_short_runs_and_silence_are_left_out_of_the_mean() -> None:
    def error(run: str, duration_s: float, rms: dict[str, float]) -> PredictorError:
        return PredictorError(
            run=run,
            duration_s=duration_s,
            start_temperature_K=298.15,
            rms=rms,
            answered={"voltage_V": 1.0 if rms else 0.0},
        )

    errors = [
        error("a", 600.0, {"voltage_V": 0.002}),
        error("b", 600.0, {"voltage_V": 0.004}),
        error("silent", 600.0, {}),
        error("short", 10.0, {"voltage_V": 1.0}),
    ]
    rows = {row.id: row.value for row in error_rows("k", "runs", errors)}
    assert rows == {
        "k.voltage_V.mean": pytest.approx(3.0),
        "k.voltage_V.worst": pytest.approx(4.0),
        "k.answered": pytest.approx(200.0 / 3.0),
    }


def test_the_table_has_a_model_per_column() -> None:
    figures = {
        "alternative.gru.in.voltage_V.mean": 12.3,
        "alternative.gru.in.voltage_V.worst": 456.7,
        "alternative.gru.data_50": 33.0,
        "alternative.spme.step_c": 80.0,
        "step.c": 1.0,
    }
    document = {"rows": [{"id": k, "value": v} for k, v in figures.items()]}
    listing = alternatives_listing(document)
    assert listing is not None
    assert listing.columns == ("figure", "gru", "spme")
    rows = {row[0]: row[1:] for row in listing.rows}
    assert rows["V in, mean, mV"] == ("12.3", "-")
    assert rows["V in, worst, mV"] == ("457", "-")
    assert rows["V in from 50 runs, mV"] == ("33", "-")
    assert rows["step in C, µs"] == ("-", "80")
    assert alternatives_listing({"rows": []}) is None


def test_extra_runs_are_what_the_targets_speak_about() -> None:
    cell = find_cell("lg_m50_oregan2022")
    strong = strong_charges(cell)
    assert [round(r.start_temperature_K - 273.15) for r in strong] == [15, 25, 35, 45]
    assert all(r.current_A.min() == -15.0 for r in strong)
    hours = hour_requests(cell, 3600)
    assert len({r.name for r in hours}) == len(hours)
    assert {r.heat_transfer_coefficient_W_per_m2_K for r in hours} == {
        *HEAT_TRANSFERS_W_per_m2K
    }


@pytest.mark.fmu
@pytest.mark.slow
def test_the_bench_measures_every_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = run_bench("surrogate", options=BenchOptions(is_quick=True))
    rows = {row["id"]: row for row in document["rows"]}
    assert document["seeds"]["designed_held_out"] == 1001
    assert rows["step.c"]["target"] == "<= 2"
    assert rows["lithium.total"]["met"]
    assert rows["equal.torch_casadi"]["met"]
    assert not any(key.endswith(".failed") for key in rows)
    for model in MODELS:
        assert rows[f"alternative.{model}.out.voltage_V.mean"]["value"] > 0.0
        assert rows[f"alternative.{model}.step_python"]["value"] > 0.0
    assert "alternative.circuit.out.plating_potential_V.mean" not in rows
    assert "alternative.pinn.step_c" not in rows
    assert (tmp_path / "runs" / "bench" / "surrogate_quick" / "designed").is_dir()
