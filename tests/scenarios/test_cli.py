"""Every verb of the command line, on a job shrunk to seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from packtwin.cosim.result import read_parquet
from packtwin.scenarios import bench as bench_module
from packtwin.scenarios import retraining
from packtwin.scenarios.cli import app
from packtwin.scenarios.ledger import charge_balance
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec, save_spec

VERBS = (
    *("run", "generate", "train", "certify", "export", "simulate", "report"),
    *("list", "info", "bench", "check", "converge"),
)
TRAINED = 'surrogate = "cell.npz"\n'
SCENARIO = """
[scenario]
name = "hop"
description = "A hop and a sip."
[cell]
name = "lg_m50_chen2020"
{surrogate}
[dataset]
n_run = 3
n_deep = 0
n_whole = 0
n_pulse = 0
duration_s = 90
temperature_minimum_K = 293.15
[trust]
n_usual_run = 2
n_hot_run = 1
n_wide_run = 0
n_spread_run = 0
[training]
hidden = [8]
iterations = 30
rollout_iterations = 2
rollout_window_s = 30.0
batch_size = 256
[certification]
cycles = ["hop.csv"]
temperatures_K = [298.15]
c_rates = [1.0]
constant_duration_s = 90
n_calibration_run = 1
[pack]
start_soc = 0.5
[vehicle]
name = "tesla_model_3_rwd_epa"
[drive]
cycles = ["hop.csv"]
rest_s = 10.0
[charge]
target_soc = 0.51
n_interval = 3
{margin}
[charge.baseline]
c_rate = 0.5
[simulation]
charge_timeout_s = 240.0
replay_lead_s = 30.0
has_replay = {replay}
"""
CYCLE = "time_s,speed_m_per_s\n0,0\n10,8\n30,14\n50,14\n60,0\n"


def write_job(folder: Path, **values: str) -> Path:
    filled = {"surrogate": TRAINED, "margin": "", "replay": "false", **values}
    (folder / "hop.csv").write_text(CYCLE)
    path = folder / "hop.toml"
    path.write_text(SCENARIO.format(**filled))
    return path


def packtwin(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(
        app, [str(item) for item in arguments], env={"COLUMNS": "200"}
    )
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture(scope="module")
def job(
    tmp_path_factory: pytest.TempPathFactory, synthetic_spec: SurrogateSpec
) -> Path:
    folder = tmp_path_factory.mktemp("job")
    save_spec(synthetic_spec, folder / "cell.npz")
    return write_job(folder)


@pytest.fixture(scope="module")
def done(job: Path) -> tuple[Path, Result]:
    """The run folder of the whole job and what the command said."""
    out = job.parent / "run"
    return out, packtwin("run", job, "--out", out)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_by_an_example(verb: str) -> None:
    text = packtwin(verb, "--help").output
    assert f"packtwin {verb}" in text
    assert "Example" in text


def test_the_bare_command_shows_the_verbs() -> None:
    text = CliRunner().invoke(app, []).output
    for verb in VERBS:
        assert verb in text


def test_version() -> None:
    assert packtwin("--version").output.startswith("packtwin ")


def test_list_shows_every_kind() -> None:
    text = packtwin("list").output
    for name in (
        *("ev_fast_charge_day", "lg_m50_oregan2022", "tesla_model_3_rwd_epa"),
        *("wltc_class3b", "ORegan2022", "23.3 km", "1928 kg"),
    ):
        assert name in text


@pytest.mark.fmu
def test_run_ends_with_ten_lines_and_the_reports_path(
    done: tuple[Path, Result],
) -> None:
    out, result = done
    *lines, gap, last = result.stdout.splitlines()
    assert (gap, last) == ("", f"Report: {out / 'report.html'}")
    assert len(lines[lines.index("") + 1 :]) == 10
    assert "the surrogate is an input" in lines[0]
    assert (out / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.fmu
def test_a_run_closes_its_balances_and_reaches_the_target(
    done: tuple[Path, Result],
) -> None:
    out, _ = done
    summary = json.loads((out / "summary.json").read_text())
    for name in ("mpc", "cccv"):
        result = read_parquet(out / f"result_{name}.parquet")
        assert result["pack.soc"][-1] >= 0.51
        assert charge_balance(result).residual_fraction < 1e-9
        for part in ("pack", "cooling", "vehicle"):
            assert summary[f"ledger.{name}.{part}.residual_fraction"] < 1e-9
        # The only loss: the vehicle sees the cooling power one step late.
        cooling = result["cooling.cooling_power_W"]
        late = float(np.sum(cooling[:-1]) - np.sum(cooling[1:]))
        unmet = result["vehicle.power_request_W"] - result["pack.power_W"]
        driving = result["cycle.is_driving"] > 0.5
        missed = float(np.sum(unmet[driving][1:]))
        residual = summary[f"ledger.{name}.system.residual_J"]
        assert residual == pytest.approx(late - missed, abs=1e-3)
        assert summary[f"{name}_charge_time_s"] > 0.0
    assert summary["drive_distance_m"] == pytest.approx(610.0)
    main = read_parquet(out / "result.parquet")
    assert main.names == read_parquet(out / "result_mpc.parquet").names
    assert main.unit("pack.current_A") == "A"


@pytest.mark.fmu
def test_the_resolved_scenario_in_the_run_folder_is_the_same_job(
    done: tuple[Path, Result],
) -> None:
    out, _ = done
    again = packtwin("run", out / "scenario.toml", "--out", out)
    for stage in ("export", "simulate", "report"):
        assert f"{stage:<9} up to date" in again.stdout


@pytest.mark.fmu
def test_single_stages_are_skipped_unless_forced(
    job: Path, done: tuple[Path, Result]
) -> None:
    out, _ = done
    for verb in ("export", "simulate", "report"):
        assert "up to date" in packtwin(verb, job, "--out", out).stdout
    assert "forced" in packtwin("report", job, "--out", out, "--force").stdout


@pytest.mark.fmu
def test_a_cut_result_is_made_again_and_never_taken_for_whole(
    job: Path, done: tuple[Path, Result], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(done[0], out)
    whole = (out / "result_cccv.parquet").read_bytes()
    (out / "result_cccv.parquet").write_bytes(whole[: len(whole) // 2])
    refused = packtwin("report", job, "--out", out, code=1)
    assert "`result_cccv.parquet` is not what the stage had written" in refused.stderr
    again = packtwin("run", job, "--out", out)
    assert "export    up to date" in again.stdout
    assert "simulate  run" in again.stdout
    assert read_parquet(out / "result_cccv.parquet")["pack.soc"][-1] >= 0.51


@pytest.mark.fmu
def test_info_reads_fmu_surrogate_result_and_scenario(
    job: Path, done: tuple[Path, Result]
) -> None:
    out, _ = done
    fmu = packtwin("info", out / "fmu" / "pack.fmu").output
    for part in ("96s31p pack", "no problems found", "current_request_A", "linux64"):
        assert part in fmu
    spec = packtwin("info", job.parent / "cell.npz").output
    assert "synthetic_cell" in spec
    assert "Certified domain" in spec
    result = packtwin("info", out / "result.parquet").output
    assert "target_reached" in result
    assert "pack.plating_potential_min_V" in result
    assert "charge.target_soc" in packtwin("info", job).output


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("x.fmu", b"PK\x03\x04 cut", "x.fmu"),
        ("x.npz", b"PK\x03\x04 cut", "is not a readable surrogate spec"),
        ("x.parquet", b"PAR1 cut", "is cut off, damaged or no Parquet file"),
        ("x.txt", b"", "is of no kind that packtwin knows"),
        ("x.toml", b"a = ", "this is not valid TOML"),
    ],
)
def test_info_on_a_damaged_file_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, part: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = packtwin("info", tmp_path / name, code=1)
    assert part in result.stderr
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


def test_info_on_no_file_names_it() -> None:
    assert "There is no file `no.fmu`" in packtwin("info", "no.fmu", code=1).stderr


def test_an_error_is_one_sentence_and_a_traceback_only_with_debug() -> None:
    plain = packtwin("run", "no_such_day", code=1)
    assert plain.stderr.count("\n") == 1
    assert plain.stderr.startswith("Error: Unknown scenario `no_such_day`; nearest:")
    debug = packtwin("run", "no_such_day", "--debug", code=1)
    assert "Traceback" in debug.stderr
    assert debug.stderr.endswith(plain.stderr)


def test_an_unwritable_run_folder_is_one_sentence(job: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    result = packtwin("run", job, "--out", tmp_path / "taken" / "run", code=1)
    assert "taken" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_scenario_without_surrogate_says_how_to_train_one(tmp_path: Path) -> None:
    path = write_job(tmp_path, surrogate='surrogate = "mine"')
    result = packtwin("run", path, "--out", tmp_path / "run", code=1)
    assert "no trained surrogate `mine`" in result.stderr
    assert "--retrain" in result.stderr


@pytest.mark.fmu
def test_a_margin_below_the_certificate_is_refused(
    job: Path, done: tuple[Path, Result], tmp_path: Path
) -> None:
    shutil.copy(job.parent / "cell.npz", tmp_path)
    path = write_job(tmp_path, margin="plating_margin_V = 0.001")
    shutil.copytree(done[0], tmp_path / "run")
    result = packtwin("simulate", path, "--out", tmp_path / "run", code=1)
    assert "`charge.plating_margin_V` is 0.001 V" in result.stderr
    assert "bound 0.009 V" in result.stderr


@pytest.mark.parametrize(
    ("verb", "upstream"),
    [("train", "generate"), ("certify", "train"), ("simulate", "export")],
)
def test_a_stage_without_its_upstream_says_what_to_run_first(
    job: Path, tmp_path: Path, verb: str, upstream: str
) -> None:
    result = packtwin(verb, job, "--out", tmp_path / "run", code=1)
    assert f"Stage `{verb}` needs stage `{upstream}`" in result.stderr
    assert f"run `packtwin {upstream}`" in result.stderr


def test_without_pybamm_a_stage_names_the_extra_to_install(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "find_spec", lambda name: None)
    result = packtwin("generate", job, "--out", tmp_path / "run", code=1)
    assert result.stderr.endswith(
        "Error: Stage `generate` needs `pybamm`, which is not installed; run "
        '`pip install "packtwin[physics]"`.\n'
    )


@pytest.mark.fmu
def test_a_run_needs_neither_pybamm_nor_torch_and_leaves_the_replay_out(
    done: tuple[Path, Result], job: Path, tmp_path: Path
) -> None:
    shutil.copy(job.parent / "cell.npz", tmp_path)
    path = write_job(tmp_path, replay="true")
    out = tmp_path / "run"
    shutil.copytree(done[0], out)
    script = (
        "import sys\n"
        "for name in ('pybamm', 'torch', 'torchdiffeq', 'scipy'):\n"
        "    sys.modules[name] = None\n"
        "from packtwin.scenarios.cli import app\n"
        f"app(['run', {str(path)!r}, '--out', {str(out)!r}])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "simulate  run" in ran.stdout
    assert "on the DFN   MPC not computed" in ran.stdout
    assert not (out / "replay_mpc.parquet").exists()


def test_without_a_compiler_export_says_what_to_do(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no_such_compiler")
    result = packtwin("export", job, "--out", tmp_path / "run", code=1)
    assert "`CC` names `no_such_compiler`" in result.stderr
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("packtwin.fmu.cross.cross_version", lambda: "")
    result = packtwin("export", job, "--out", tmp_path / "run", code=1)
    assert "No C compiler found" in result.stderr
    assert "apt-get install gcc" in result.stderr
    assert not (tmp_path / "run" / "stages" / "export.json").exists()


def test_bench_prints_a_table_and_passes_the_file_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": "r", "what": "speed", "value": 2.5, "unit": "s", "target": "<= 3"}

    def fake(
        name: str, json_path: Path | None, progress: object, options: object
    ) -> object:
        assert json_path == tmp_path / "x.json"
        assert options == bench_module.BenchOptions()
        return {"bench": name, "rows": [{**row, "met": True}]}

    monkeypatch.setattr(bench_module, "run_bench", fake)
    text = packtwin("bench", "demo", "--json", tmp_path / "x.json").output
    for part in ("Bench demo", "speed", "2.5", "<= 3", "yes"):
        assert part in text


def test_an_unknown_bench_lists_the_known_ones() -> None:
    assert "`demo`" in packtwin("bench", "nothing", code=1).stderr


def test_telemetry_is_off_before_pybamm_can_be_imported() -> None:
    script = (
        "import os, sys; import packtwin.scenarios.cli; "
        "print(os.environ['PYBAMM_DISABLE_TELEMETRY'], "
        "'pybamm' in sys.modules, 'torch' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if "PYBAMM" not in k}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.split() == ["true", "False", "False"]


@pytest.mark.slow
@pytest.mark.fmu
def test_retraining_goes_from_nothing_to_a_report_and_resumes(tmp_path: Path) -> None:
    pytest.importorskip("pybamm")
    pytest.importorskip("torch")
    path = write_job(
        tmp_path,
        surrogate='surrogate = "not_there_yet"',
        margin="plating_margin_V = 0.4",
        replay="true",
    )
    out = tmp_path / "run"
    assert "generate  run" in packtwin("generate", path, "--out", out).stdout
    # As a kill in the middle of the generation would leave it.
    (out / "stages" / "generate.json").unlink()
    lost = sorted((out / "dataset").glob("*.npz"))[0]
    kept = sorted(p for p in (out / "dataset").glob("*.npz") if p != lost)
    lost.unlink()
    before = [p.stat().st_mtime_ns for p in kept]
    packtwin("generate", path, "--out", out)
    assert [p.stat().st_mtime_ns for p in kept] == before
    assert lost.is_file()
    packtwin("train", path, "--out", out)
    packtwin("certify", path, "--out", out)
    spec = load_spec(out / "surrogate" / "certified.npz")
    assert spec.certificate["held_out_runs"] == 4
    spent = spec.certificate["spent"]
    assert sorted(spent) == ["generate", "train"]
    assert all(min(part.values()) > 0.0 for part in spent.values())
    assert spec.certificate == json.loads((out / "certificate.json").read_text())
    # Killed after the training: it is kept, and one command does the rest.
    result = packtwin("run", path, "--out", out, "--retrain", "--until", "report")
    assert "train     up to date" in result.stdout
    assert "certify   up to date" in result.stdout
    assert "export    run" in result.stdout
    # Completed: the next retraining starts over.
    result = packtwin("run", path, "--out", out, "--retrain")
    for stage in ("generate", "train", "certify", "export", "simulate", "report"):
        assert f"{stage:<9} run" in result.stdout
    replay = read_parquet(out / "replay_mpc.parquet")
    assert np.isfinite(replay["dfn.plating_potential_V"]).all()
    assert (out / "report.html").is_file()


def test_a_job_cannot_end_with_an_unknown_stage(job: Path, tmp_path: Path) -> None:
    result = packtwin("run", job, "--out", tmp_path / "run", "--until", "tea", code=1)
    assert "cannot end with stage `tea`; its stages are `export`" in result.stderr
    assert not (tmp_path / "run").exists()
