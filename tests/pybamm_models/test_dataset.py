from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from packtwin.pybamm_models import dataset
from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.dataset import fingerprint, generate, load
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import Run, read_run
from packtwin.twin.errors import ModelError, ScenarioError


def request(name: str, current_A: float = 2.0, soc: float = 0.5) -> Request:
    return Request(
        name=name,
        kind="test",
        time_s=np.array([0.0, 1.0, 60.0]),
        current_A=np.array([0.0, current_A, current_A]),
        start_soc=soc,
        start_temperature_K=298.15,
        coolant_temperature_K=np.full(3, 298.15),
        heat_transfer_coefficient_W_per_m2_K=10.0,
    )


def test_runs_come_back_as_they_were_made(coarse: Cell, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    outcomes = generate(
        coarse,
        [request("a"), request("b", -2.0)],
        tmp_path,
        description={"seed": 1},
        progress=lambda done, total, _: calls.append((done, total)),
    )
    assert [o.status for o in outcomes] == ["ok", "ok"]
    assert calls == [(1, 2), (2, 2)]
    runs = load(tmp_path)
    assert [run.name for run in runs] == ["a", "b"]
    assert runs[0].soc[-1] < 0.5 < runs[1].soc[-1]
    for run in runs:
        n = len(run.time_s)
        arrays = [getattr(run, f.name) for f in fields(Run)]
        assert all(len(a) == n for a in arrays if isinstance(a, np.ndarray))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["description"] == {"seed": 1}
    assert manifest["cell"]["mesh"]["r_n"] == coarse.mesh.r_n
    assert "pybamm" in manifest["versions"]


def test_whole_runs_are_skipped_and_cut_ones_made_again(
    coarse: Cell, tmp_path: Path
) -> None:
    wanted = [request("a"), request("b")]
    generate(coarse, wanted, tmp_path)
    cut = tmp_path / "b.npz"
    cut.write_bytes(cut.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"b\.npz"):
        read_run(cut)
    again = generate(coarse, wanted, tmp_path)
    assert [o.is_resumed for o in again] == [True, False]
    assert len(load(tmp_path)) == 2


@pytest.mark.parametrize(("period_s", "counts"), [(0.0, [1, 2, 3]), (1e9, [1, 1, 1])])
def test_manifest_is_written_once_a_period_and_at_the_end(
    period_s: float,
    counts: list[int],
    coarse: Cell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dataset, "MANIFEST_PERIOD_S", period_s)
    written: list[int] = []
    generate(
        coarse,
        [request(name) for name in "abc"],
        tmp_path,
        progress=lambda *_: written.append(len(load(tmp_path))),
    )
    assert written == counts
    assert [run.name for run in load(tmp_path)] == ["a", "b", "c"]


def test_interrupted_set_lists_its_runs_and_resumes(
    coarse: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, *_: object) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "MANIFEST_PERIOD_S", 1e9)
    wanted = [request(name) for name in "abcd"]
    with pytest.raises(KeyboardInterrupt):
        generate(coarse, wanted, tmp_path, progress=interrupt)
    assert [run.name for run in load(tmp_path)] == ["a", "b"]
    again = generate(coarse, wanted, tmp_path)
    assert [o.is_resumed for o in again[:2]] == [True, True]
    assert [run.name for run in load(tmp_path)] == list("abcd")


def test_killed_set_resumes_from_runs_that_the_manifest_lacks(
    coarse: Cell, tmp_path: Path
) -> None:
    generate(coarse, [request("a"), request("b")], tmp_path)
    manifest = tmp_path / "manifest.json"
    entries = json.loads(manifest.read_text())
    entries["runs"] = entries["runs"][:1]
    manifest.write_text(json.dumps(entries))
    again = generate(coarse, [request(name) for name in "abc"], tmp_path)
    assert [o.is_resumed for o in again] == [True, True, False]
    assert [run.name for run in load(tmp_path)] == ["a", "b", "c"]


def test_other_input_or_mesh_is_not_taken_for_the_same(
    coarse: Cell, tmp_path: Path
) -> None:
    generate(coarse, [request("a")], tmp_path)
    (changed,) = generate(coarse, [request("a", 3.0)], tmp_path)
    assert not changed.is_resumed
    finer = replace(coarse, mesh=replace(coarse.mesh, r_n=9))
    assert fingerprint(finer, request("a")) != fingerprint(coarse, request("a"))


def test_failed_run_is_recorded_with_its_reason(coarse: Cell, tmp_path: Path) -> None:
    bad = replace(request("bad", soc=0.99), current_A=np.full(3, -50.0))
    outcomes = generate(coarse, [bad, request("good")], tmp_path)
    assert [o.status for o in outcomes] == ["failed", "ok"]
    assert "`bad`" in outcomes[0].reason
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["runs"][0]["status"] == "failed"
    assert manifest["runs"][0]["reason"] == outcomes[0].reason
    assert [run.name for run in load(tmp_path)] == ["good"]


def test_limit_is_recorded_with_which_and_when(coarse: Cell, tmp_path: Path) -> None:
    (outcome,) = generate(coarse, [request("empty", 10.0, 0.02)], tmp_path)
    assert outcome.status == "limit"
    assert outcome.reason
    assert outcome.end_time_s is not None
    assert outcome.end_time_s < 60


def test_same_name_twice_is_refused(coarse: Cell, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="names must differ"):
        generate(coarse, [request("a"), request("a")], tmp_path)


def test_no_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="manifest"):
        load(tmp_path)


@pytest.mark.slow
def test_two_processes_give_the_same_numbers(coarse: Cell, tmp_path: Path) -> None:
    wanted = [request("a"), request("b", -2.0)]
    generate(coarse, wanted, tmp_path / "one")
    generate(coarse, wanted, tmp_path / "two", n_threads=2)
    for one, two in zip(load(tmp_path / "one"), load(tmp_path / "two"), strict=True):
        assert np.array_equal(one.voltage_V, two.voltage_V)
