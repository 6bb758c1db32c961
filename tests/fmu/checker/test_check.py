"""`check_fmu`: silent on good FMUs, finds planted faults, never raises on damage."""

from __future__ import annotations

import json
import random
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.problem import CheckReport, problem
from packtwin.fmu.checker.rules import RULES
from packtwin.fmu.export import export_fmu
from packtwin.fmu.source import FmiVersion
from packtwin.scenarios.bench_check_faults import NO_FAULTS, RUN_MUTANTS
from packtwin.scenarios.bench_check_model import good_step_map
from packtwin.scenarios.bench_check_mutants import (
    STATIC_MUTANTS,
    StaticMutant,
    read_members,
    write_static_mutant,
)
from packtwin.scenarios.bench_check_shim import RunMutant, write_run_mutant
from packtwin.twin.errors import FmuError

FAST = (
    "3.0 an adjoint derivative is wrong",
    "3.0 inputs set inside steps are thrown away",
    "3.0 a saved state lacks the history",
    "3.0 the binary has another number of states",
    "2.0 an output reads memory that was never set",
    "2.0 instances share static state",
    "2.0 a serialized state is a pointer",
    "2.0 a step crashes",
)
MUTANTS = {f"{v} {m.name}": (v, m) for m in RUN_MUTANTS for v in m.versions}


@pytest.fixture(scope="module")
def good_fmu(fmu_folder: Path) -> Path:
    return export_fmu(good_step_map(), fmu_folder / "good.fmu")


@pytest.mark.fmu
@pytest.mark.parametrize("name", ["rc", "heat", "network", "root"])
def test_own_exports_have_no_problem(name: str, request: pytest.FixtureRequest) -> None:
    report = check_fmu(request.getfixturevalue(f"{name}_fmu"), budget_s=0.3)
    assert report.problems == ()
    assert report.not_run == ""
    assert len(report.probes) > 25
    assert set(report.probes.values()) == {"passed"}


@pytest.mark.fmu
@pytest.mark.parametrize("mutant", STATIC_MUTANTS, ids=lambda m: m.name)
def test_static_mutant_is_found_by_its_rule(
    good_fmu: Path, tmp_path: Path, mutant: StaticMutant
) -> None:
    path = write_static_mutant(good_fmu, mutant, tmp_path / "mutant.fmu")
    report = check_fmu(path, is_run=False)
    allowed = {mutant.rule} | (
        {"zip-version"} if mutant.rule == "zip-method" else set()
    )
    assert mutant.rule in report.rules()
    assert set(report.rules()) <= allowed
    assert report.n_errors > 0
    json.dumps(report.as_document(), allow_nan=False)


def check_mutant(version: FmiVersion, mutant: RunMutant, folder: Path) -> CheckReport:
    path = write_run_mutant(version, mutant, folder / "mutant.fmu")
    return check_fmu(path, time_limit_s=2.0, budget_s=0.3)


@pytest.mark.fmu
@pytest.mark.parametrize("name", FAST)
def test_run_time_mutant_is_found_by_its_rule(name: str, tmp_path: Path) -> None:
    version, mutant = MUTANTS[name]
    assert set(mutant.rules) & set(check_mutant(version, mutant, tmp_path).rules())


def is_clean(version: FmiVersion, layer: RunMutant, folder: Path) -> bool:
    report = check_mutant(version, layer, folder)
    is_run = not report.not_run and set(report.probes.values()) == {"passed"}
    return is_run and report.is_clean


@pytest.mark.fmu
def test_layer_without_fault_is_clean(tmp_path: Path) -> None:
    assert is_clean("2.0", NO_FAULTS[0], tmp_path)
    assert is_clean("3.0", NO_FAULTS[-1], tmp_path)


@pytest.mark.fmu
@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize("layer", NO_FAULTS, ids=lambda layer: layer.name)
def test_every_layer_without_fault_is_clean(
    version: FmiVersion, layer: RunMutant, tmp_path: Path
) -> None:
    assert is_clean(version, layer, tmp_path)


@pytest.mark.fmu
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MUTANTS) - set(FAST)))
def test_every_other_run_time_mutant_is_found_by_its_rule(
    name: str, tmp_path: Path
) -> None:
    version, mutant = MUTANTS[name]
    assert set(mutant.rules) & set(check_mutant(version, mutant, tmp_path).rules())


def test_enough_mutants_of_each_version() -> None:
    counts = Counter(version for version, _ in MUTANTS.values())
    assert counts["2.0"] >= 40
    assert counts["3.0"] >= 50


@pytest.mark.fmu
def test_problem_says_where_what_and_remedy(good_fmu: Path, tmp_path: Path) -> None:
    mutant = next(m for m in STATIC_MUTANTS if m.rule == "start-range")
    report = check_fmu(write_static_mutant(good_fmu, mutant, tmp_path / "m.fmu"))
    (found,) = (p for p in report.problems if p.rule == "start-range")
    assert found.file == "modelDescription.xml"
    assert found.variable == "resistance_Ohm"
    text = read_members(tmp_path / "m.fmu")[found.file].decode().splitlines()
    assert 'name="resistance_Ohm"' in text[found.line - 1]
    assert found.section == "FMI 2.0.5, 2.2.7"
    assert found.message == "The start value is 0, expected 1e-06 to 1e+06."
    assert found.where == f"modelDescription.xml:{found.line} resistance_Ohm"
    assert found.remedy.endswith(".")


@pytest.mark.fmu
def test_damaged_files_are_reported_and_never_raise(
    good_fmu: Path, tmp_path: Path
) -> None:
    content = good_fmu.read_bytes()
    draw = random.Random(1)
    n_found = 0
    for i in range(60):
        spoilt = bytearray(content)
        if i % 3 == 0:
            del spoilt[draw.randrange(len(spoilt)) :]
        for _ in range(draw.randrange(1, 30)):
            if spoilt:
                spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
        path = tmp_path / "damaged.fmu"
        path.write_bytes(bytes(spoilt))
        n_found += not check_fmu(path, is_run=False).is_clean
    assert n_found >= 55  # a few changes hit only dates and attributes


@pytest.mark.fmu
def test_damaged_descriptions_are_reported_and_never_raise(
    good_fmu: Path, tmp_path: Path
) -> None:
    members = read_members(good_fmu)
    text = members["modelDescription.xml"].decode()
    words = sorted({w for w in text.replace('"', " ").replace(">", " ").split() if w})
    draw = random.Random(2)
    for _ in range(60):
        old, new = draw.sample([*words, "", "-1", "nan", "1e999", "é", "0 0 0"], 2)
        changed = text.replace(old, new, 1) if old else text + new
        members["modelDescription.xml"] = changed.encode()
        write_archive(tmp_path / "x.fmu", members)
        check_fmu(tmp_path / "x.fmu", is_run=False)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FmuError, match="There is no FMU file"):
        check_fmu(tmp_path / "absent.fmu")


def test_folder_inside_the_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.fmu"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/modelDescription.xml", "<a/>")
    report = check_fmu(path)
    assert set(report.rules()) == {"description-missing"}
    assert report.not_run == "the file is too damaged"


def test_every_rule_is_complete() -> None:
    for name, rule in RULES.items():
        found = problem(name, "2.0", "Got.")
        assert found.severity == rule.severity
        assert rule.remedy.endswith(".")
        assert rule.section_of("3.0").startswith(("FMI 3.0.2, ", "good practice"))
