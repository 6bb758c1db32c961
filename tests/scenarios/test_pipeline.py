"""Stages are skipped exactly when nothing they depend on has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from packtwin.scenarios import fingerprints, stage_clock
from packtwin.scenarios.fingerprints import STAGES, stage_fingerprint
from packtwin.scenarios.loading import parse_scenario
from packtwin.scenarios.pipeline import (
    Pipeline,
    Progress,
    Stage,
    read_manifest,
    write_text,
)
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.errors import ScenarioError

SCENARIO = """
[scenario]
name = "day"
[cell]
name = "lg_m50_oregan2022"
surrogate = "cell.npz"
[vehicle]
name = "tesla_model_3_rwd_epa"
[drive]
cycles = ["hop.csv"]
[certification]
cycles = ["us06"]
"""


def writer(name: str, log: list[str]) -> Callable[[Path, Progress], Sequence[Path]]:
    def work(folder: Path, progress: Progress) -> Sequence[Path]:
        log.append(name)
        progress(0.5, "half")
        path = folder / f"{name}.txt"
        write_text(path, f"{name} {len(log)}")
        return [path]

    return work


def pipeline(folder: Path, log: list[str], first: str = "1") -> Pipeline:
    return Pipeline(
        folder=folder,
        stages=(
            Stage(name="a", fingerprint=f"a{first}", work=writer("a", log), seed=4),
            Stage(name="b", fingerprint="b1", upstream="a", work=writer("b", log)),
            Stage(name="c", fingerprint="c1", upstream="b", work=writer("c", log)),
        ),
    )


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    log: list[str] = []
    first = pipeline(tmp_path, log).run()
    second = pipeline(tmp_path, log).run()
    assert log == ["a", "b", "c"]
    assert [item.status for item in first] == ["run"] * 3
    assert [item.status for item in second] == ["up to date"] * 3


def test_the_manifest_says_inputs_seed_versions_and_outputs(tmp_path: Path) -> None:
    pipeline(tmp_path, []).run()
    manifest = read_manifest(tmp_path, "a")
    assert manifest is not None
    assert (manifest.fingerprint, manifest.seed) == ("a1", 4)
    assert manifest.versions["packtwin"]
    # sha256 of the text "a 1"
    assert manifest.outputs == {
        "a.txt": "042a5f2e7634c4c80a75691b6b89dfe4e1758558ce99e7346b5297b68fa95d11"
    }


def test_a_changed_input_runs_the_stage_and_what_reads_it(tmp_path: Path) -> None:
    log: list[str] = []
    pipeline(tmp_path, log).run()
    outcomes = pipeline(tmp_path, log, first="2").run()
    assert log == ["a", "b", "c", "a", "b", "c"]
    assert outcomes[0].reason == "its inputs have changed"
    assert outcomes[1].reason == "stage `a` was done again"


@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_an_output_that_is_not_whole_is_made_again(tmp_path: Path, damage: str) -> None:
    log: list[str] = []
    pipeline(tmp_path, log).run()
    path = tmp_path / "b.txt"
    if damage == "missing":
        path.unlink()
    else:
        path.write_text("b" if damage == "cut" else "")
    outcomes = pipeline(tmp_path, log).run()
    assert log[3] == "b"
    assert outcomes[0].status == "up to date"
    assert "`b.txt` is" in outcomes[1].reason
    assert path.read_text() == "b 4"


def test_a_killed_stage_runs_again_and_the_finished_ones_do_not(tmp_path: Path) -> None:
    log: list[str] = []

    def killed(folder: Path, progress: Progress) -> Sequence[Path]:
        (folder / "b.txt").write_text("half a f")
        raise KeyboardInterrupt

    whole = pipeline(tmp_path, log)
    a, _, c = whole.stages
    broken = Stage(name="b", fingerprint="b1", upstream="a", work=killed)
    with pytest.raises(KeyboardInterrupt):
        Pipeline(folder=tmp_path, stages=(a, broken, c)).run()
    assert read_manifest(tmp_path, "b") is None
    whole.run()
    assert log == ["a", "b", "c"]
    assert (tmp_path / "b.txt").read_text() == "b 2"


def test_a_stage_killed_in_a_rerun_is_not_taken_for_whole(tmp_path: Path) -> None:
    log: list[str] = []
    pipeline(tmp_path, log).run()

    def killed(folder: Path, progress: Progress) -> Sequence[Path]:
        raise KeyboardInterrupt

    a, _, c = pipeline(tmp_path, log).stages
    broken = Stage(name="b", fingerprint="b1", upstream="a", work=killed)
    again = Pipeline(folder=tmp_path, stages=(a, broken, c))
    with pytest.raises(KeyboardInterrupt):
        again.run(forced=frozenset({"b"}))
    # Nothing of b has changed on disk, and still it counts as not done.
    assert again.staleness("b") == "it has not been completed here"


@pytest.mark.parametrize("content", ["", '{"stage": "a"', "[]", '{"stage": "a"}'])
def test_a_half_written_manifest_counts_as_none(tmp_path: Path, content: str) -> None:
    log: list[str] = []
    pipeline(tmp_path, log).run()
    (tmp_path / "stages" / "a.json").write_text(content)
    pipeline(tmp_path, log).run()
    assert log[3] == "a"


def test_a_stage_needs_its_upstream_and_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        pipeline(tmp_path, []).run_stage("b")
    message = str(caught.value)
    assert message.startswith("Stage `b` needs stage `a`, but in")
    assert "it has not been completed here; run `packtwin a`" in message


def test_force_runs_a_stage_that_is_up_to_date(tmp_path: Path) -> None:
    log: list[str] = []
    pipeline(tmp_path, log).run()
    assert pipeline(tmp_path, log).run_stage("c", is_forced=True).status == "run"
    assert log == ["a", "b", "c", "c"]


def test_text_is_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Scenario]:
    (tmp_path / "hop.csv").write_text("time_s,speed_m_per_s\n0,0\n9,5\n20,0\n")
    (tmp_path / "cell.npz").write_bytes(b"weights")

    def load(extra: str = "") -> Scenario:
        return parse_scenario(SCENARIO + extra, source="day.toml", folder=tmp_path)

    return load


def prints(scenario: Scenario, *, is_retrained: bool = True) -> dict[str, str]:
    return {
        name: stage_fingerprint(scenario, name, is_retrained=is_retrained)
        for name in STAGES
    }


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name in STAGES if before[name] != after[name]]


@pytest.mark.parametrize(
    ("extra", "first"),
    [
        ("[dataset]\nn_run = 5\n", "generate"),
        ("[pack]\nn_parallel = 40\n", "generate"),
        ("[training]\niterations = 5\n", "train"),
        ("[certification.targets]\nvoltage_rms_V = 0.1\n", "certify"),
        ("[pack]\nstart_soc = 0.5\n", "export"),
        ("[cooling]\npump_efficiency = 0.3\n", "export"),
        ("[charge]\ntarget_soc = 0.7\n", "simulate"),
        ("[charge.baseline]\nc_rate = 0.7\n", "simulate"),
        ("[simulation]\nstep_s = 2.0\n", "simulate"),
        ("[dataset]\nn_thread = 7\n", None),
    ],
)
def test_a_setting_changes_its_stage_and_all_after_it(
    job: Callable[..., Scenario], extra: str, first: str | None
) -> None:
    expected = list(STAGES[STAGES.index(first) :]) if first else []  # type: ignore[arg-type]
    assert changed(prints(job()), prints(job(extra))) == expected


def test_the_seed_changes_everything_the_description_only_the_report(
    job: Callable[..., Scenario],
) -> None:
    before = job()
    seeded = before.header.model_copy(update={"seed": 9})
    told = before.header.model_copy(update={"description": "hot"})
    after = before.model_copy(update={"header": seeded})
    assert changed(prints(before), prints(after)) == list(STAGES)
    after = before.model_copy(update={"header": told})
    assert changed(prints(before), prints(after)) == ["report"]


def test_the_content_of_a_cycle_counts_not_its_place(
    job: Callable[..., Scenario], tmp_path: Path
) -> None:
    before = job()
    moved = tmp_path / "moved.csv"
    moved.write_bytes((tmp_path / "hop.csv").read_bytes())
    drive = before.drive.model_copy(update={"cycles": (str(moved),)})
    other = before.model_copy(update={"drive": drive})
    assert changed(prints(before), prints(other)) == []
    old = prints(before)
    (tmp_path / "hop.csv").write_text("time_s,speed_m_per_s\n0,0\n9,6\n20,0\n")
    assert changed(old, prints(before)) == ["simulate", "report"]


def test_the_shipped_surrogate_is_an_input_only_without_retraining(
    job: Callable[..., Scenario], tmp_path: Path
) -> None:
    scenario = job()
    shipped, own = prints(scenario, is_retrained=False), prints(scenario)
    (tmp_path / "cell.npz").write_bytes(b"other weights")
    after = prints(scenario, is_retrained=False)
    assert changed(shipped, after) == ["export", "simulate", "report"]
    assert prints(scenario) == own


def test_changed_code_redoes_the_quick_stages_only(
    job: Callable[..., Scenario], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints(job())
    monkeypatch.setattr(fingerprints, "_code_digest", lambda folder: f"new {folder}")
    assert changed(before, prints(job())) == ["export", "simulate", "report"]


def test_installing_pybamm_redoes_the_simulation(
    job: Callable[..., Scenario], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints(job())
    now = fingerprints.has_physics()
    monkeypatch.setattr(fingerprints, "has_physics", lambda: not now)
    assert changed(before, prints(job())) == ["simulate", "report"]


def test_the_manifest_is_plain_json(tmp_path: Path) -> None:
    pipeline(tmp_path, []).run()
    document = json.loads((tmp_path / "stages" / "b.json").read_text())
    assert set(document) == {
        *("stage", "fingerprint", "upstream", "seed", "versions", "seconds"),
        *("outputs", "processor_s"),
    }


def test_the_time_of_a_killed_attempt_counts(tmp_path: Path) -> None:
    left = tmp_path / "stages" / "b.unfinished"
    write_text(left, '{"fingerprint": "b1", "wall_s": 1000.0, "processor_s": 1500.0}\n')
    outcomes = pipeline(tmp_path, []).run()
    assert 1000.0 <= outcomes[1].spent.wall_s < 1010.0
    assert 1500.0 <= outcomes[1].spent.processor_s < 1510.0
    assert not left.exists()
    manifest = read_manifest(tmp_path, "b")
    assert manifest is not None
    assert manifest.spent == outcomes[1].spent


@pytest.mark.parametrize(
    "left",
    [
        '{"fingerprint": "b0", "wall_s": 1000.0, "processor_s": 1500.0}',
        '{"fingerprint": "b1", "wall_s": 10',
        "[]",
    ],
)
def test_the_time_of_other_work_does_not_count(tmp_path: Path, left: str) -> None:
    write_text(tmp_path / "stages" / "b.unfinished", left)
    assert pipeline(tmp_path, []).run()[1].spent.wall_s < 10.0


def test_a_stage_keeps_its_time_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_clock, "_SAVE_EVERY_S", 0.0)

    def killed(folder: Path, progress: Progress) -> Sequence[Path]:
        progress(0.5, "half")
        raise KeyboardInterrupt

    stage = Stage(name="a", fingerprint="a1", work=killed)
    with pytest.raises(KeyboardInterrupt):
        Pipeline(folder=tmp_path, stages=(stage,)).run()
    kept = json.loads((tmp_path / "stages" / "a.unfinished").read_text())
    assert kept["fingerprint"] == "a1"
    assert 0.0 < kept["wall_s"] < 10.0
