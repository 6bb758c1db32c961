"""`packtwin simulate` and `packtwin container` on files of FMUs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packtwin.cosim.result import read_parquet
from packtwin.scenarios.cli import app
from tests.cosim.ssp_documents import binding, component, connection, description
from tests.cosim.test_ssp_graph import connections, elements
from tests.fmu.conftest import build_vendor
from tests.scenarios.ssp_fmus import export_lump, write_package

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def lump(folder) -> Path:
    return export_lump(folder, "3.0")


@pytest.fixture(scope="module")
def package(folder, lump) -> Path:
    ports = "neighbour_K:input temperature_K:output"
    system = binding("hot.start_K=Real:400 hot.rate_per_s=Real:0") + elements(
        component("hot", ports), component("cold", ports)
    )
    links = connections(connection("hot.temperature_K", "cold.neighbour_K"))
    rest = '<ssd:DefaultExperiment stopTime="10"/>'
    content = description(system + links, rest)
    return write_package(folder / "p.ssp", content, hot=lump, cold=lump)


def call(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_package_is_run_and_recorded(package, tmp_path):
    out = tmp_path / "result.parquet"
    told = call("simulate", package, "--out", out, "--step-s", 2, "--record", "cold.*")
    assert told.exit_code == 0, told.output
    assert "completed at 10 s: 5 steps of 2 s with GaussSeidel" in told.output
    result = read_parquet(out)
    assert result.names == ("cold.temperature_K",)
    expected = 400.0 - 100.0 * math.exp(-1.0)
    assert result["cold.temperature_K"][-1] == pytest.approx(expected, abs=1e-9)
    assert f"{expected:.6g}" in told.output


@pytest.mark.parametrize("master", ["jacobi", "iterated", "adaptive"])
def test_masters_are_chosen_by_name(package, master):
    told = call("simulate", package, "--master", master, "--step-s", 5)
    assert told.exit_code == 0, told.output
    assert f"with {master.capitalize()}" in told.output


def test_one_fmu_is_run(lump):
    told = call("simulate", lump, "--stop-s", 1, "--step-s", 0.5)
    assert told.exit_code == 0, told.output
    assert "2 steps" in told.output
    assert "lump3_300.temperature_K" in told.output


def test_loop_is_told(folder, package):
    texts = build_vendor(folder, "Texts", "Texts.xml", "linux64")
    ports = "air_K:input seen_K:output"
    system = elements(component("a", ports), component("b", ports)) + connections(
        connection("a.seen_K", "b.air_K"), connection("b.seen_K", "a.air_K")
    )
    path = write_package(folder / "loop.ssp", description(system), a=texts, b=texts)
    told = call("simulate", path, "--stop-s", 1)
    assert told.exit_code == 0, told.output
    assert "`b.seen_K -> a.air_K` carries the value before the step" in told.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--master", "gauss"), "no master `gauss`; nearest: `gauss-seidel`"),
        (("--record", "cld.*"), "no output `cld.*`; nearest: `cold.temperature_K`"),
        (("--force",), "is a file of FMUs, which has no option `--force`"),
        (("--step-s", 0), "step"),
        (("--variant", "Other.ssd"), "contains no `Other.ssd`"),
    ],
)
def test_wrong_options_are_one_sentence(package, options, message):
    told = call("simulate", package, *options)
    assert told.exit_code == 1
    assert message in told.output
    assert told.output.startswith("Error: ")
    assert told.output.rstrip().endswith(".")
    assert "Traceback" not in told.output


def test_scenario_has_no_options_of_fmus():
    told = call("simulate", "ev_fast_charge_day", "--stop-s", 1)
    assert told.exit_code == 1
    assert "is a scenario, which has no option `--stop-s`" in told.output


def test_file_without_an_end_asks_for_one(lump):
    told = call("simulate", lump)
    assert told.exit_code == 1
    assert "give one with `--stop-s`" in told.output


def test_container_is_written_and_runs(package, tmp_path):
    pytest.importorskip("fmu_manipulation_toolbox")
    out = tmp_path / "one.fmu"
    asked = call("container", package, "--out", out)
    assert asked.exit_code == 1
    assert "proposes a step; give one with `--step-s`" in asked.output
    told = call("container", package, "--out", out, "--step-s", 0.5)
    assert told.exit_code == 0, told.output
    assert "2 FMUs stepped by 0.5 s" in told.output
    ran = call("simulate", out, "--stop-s", 10)
    assert ran.exit_code == 0, ran.output
    assert f"{400.0 - 100.0 * math.exp(-1.0):.6g}" in ran.output
