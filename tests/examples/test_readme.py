"""What the README promises is executed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_quick_start_runs_and_prints_soc_and_voltage(capsys):
    code, *_ = blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    exec(compile(code, "README.md", "exec"), {})
    soc, voltage = capsys.readouterr().out.split(",")
    assert 0.8 < float(soc) < 0.9
    assert 3.0 < float(voltage.removesuffix(" V\n")) < 4.2


@pytest.mark.fmu
def test_physics_stops_at_its_lower_voltage_limit(capsys):
    pytest.importorskip("pybamm")
    _, code, _ = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    status, event, _, end_s, _, voltage, _ = capsys.readouterr().out.split()
    assert (status, event) == ("EVENT", "minimum_voltage")
    assert 1000.0 < float(end_s) < 3600.0
    assert float(voltage) == pytest.approx(2.5, abs=1e-3)


@pytest.mark.fmu
def test_physics_fmu_runs_and_prints_voltage_and_temperature(capsys):
    pytest.importorskip("pybamm")
    *_, code = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    voltage, temperature = capsys.readouterr().out.split(",")
    assert 3.3 < float(voltage.removesuffix(" V")) < 3.5
    assert 298.15 < float(temperature.removesuffix(" K\n")) < 310.0


def test_make_targets_of_the_readme_exist():
    (shell,) = blocks("sh")
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", shell, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


VERBS = "run generate train certify export simulate report list info bench converge"


@pytest.mark.parametrize("verb", VERBS.split())
def test_every_verb_of_the_readme_has_help(verb):
    assert f"`packtwin {verb}" in README or f"| {verb} " in README.replace("\\", "")
    done = subprocess.run(
        [sys.executable, "-m", "packtwin.scenarios.cli", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage" in done.stdout


def test_folders_of_the_readme_exist():
    for folder in re.findall(r"^\| `(\w+)/`", README, re.MULTILINE):
        assert (ROOT / folder).is_dir()
