"""One FMU gives what the package gives."""

from __future__ import annotations

import sys
from pathlib import Path

import fmpy
import numpy as np
import pytest

from packtwin.cosim.connection import Connection, LinearMap
from packtwin.cosim.masters import GaussSeidel, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.ssp_container import write_container
from packtwin.scenarios.ssp_loading import load_ssp
from packtwin.scenarios.ssp_writing import write_ssp
from packtwin.twin.errors import FmuError, ScenarioError, WiringError
from tests.cosim.ssp_documents import (
    UNITS,
    binding,
    component,
    connection,
    connector_list,
    description,
)
from tests.cosim.test_ssp_graph import connections, elements
from tests.fmu.conftest import build_vendor
from tests.scenarios.ssp_fmus import echo_map, export_lump, write_package

pytestmark = pytest.mark.fmu
pytest.importorskip("fmu_manipulation_toolbox")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fmus")


@pytest.fixture(scope="module")
def lump(folder) -> FmuFile:
    return FmuFile(export_lump(folder, "2.0"))


@pytest.fixture(scope="module")
def texts(folder) -> Path:
    return build_vendor(folder, "Texts", "Texts.xml", "linux64")


def package_of(
    lump: FmuFile, path: Path, linear: LinearMap | None, is_delayed: bool = False
) -> Path:
    system = System(
        [
            FmuComponent(lump, name="a", parameters={"start_K": 320.0}),
            FmuComponent(lump, name="b", starts={"start_K": 280.0}),
            FmuComponent(lump, name="free"),
        ],
        [
            Connection("b.temperature_K", "a.neighbour_K", is_delayed),
            Connection("a.temperature_K", "b.neighbour_K", linear=linear),
        ],
        constants={"free.neighbour_K": 350.0},
    )
    write_ssp(system, path, stop_s=10.0)
    return path


@pytest.mark.parametrize(
    ("master", "order", "linear", "fmi_version"),
    [
        (GaussSeidel(), "gauss-seidel", None, "3.0"),
        (GaussSeidel(), "gauss-seidel", LinearMap(0.9, 27.0), "2.0"),
        (Jacobi(), "jacobi", None, "2.0"),
    ],
)
def test_container_in_fmpy_gives_our_results(
    lump, tmp_path, master, order, linear, fmi_version
):
    path = package_of(lump, tmp_path / "p.ssp", linear)
    with load_ssp(path) as loaded:
        one = write_container(
            loaded,
            tmp_path / "one.fmu",
            step_s=0.5,
            order=order,
            fmi_version=fmi_version,
        )
        ours = simulate(loaded.system, stop_s=10.0, step_s=0.5, master=master)
    theirs = fmpy.simulate_fmu(str(one), stop_time=10.0, output_interval=0.5)
    for name in ours.names:
        found = theirs[name.replace(".", "_")]
        assert np.abs(found - ours[name]).max() < 1e-10


def test_container_has_the_connectors_of_the_package_in_their_units(tmp_path):
    echo = export_fmu(echo_map(), tmp_path / "echo.fmu")
    ports = "air_K:input:K seen_K:output:K"
    root = connector_list("outside:input:degC inside:output:degC")
    links = connections(
        connection("outside", "a.air_K"), connection("a.seen_K", "inside")
    )
    path = write_package(
        tmp_path / "p.ssp",
        description(
            root + elements(component("a", ports)) + links,
            f"<ssd:Units>{UNITS}</ssd:Units>",
        ),
        a=echo,
    )
    with load_ssp(path) as loaded:
        one = write_container(loaded, tmp_path / "one.fmu", step_s=1.0)
        with pytest.raises(WiringError, match="take the order gauss-seidel"):
            write_container(loaded, tmp_path / "q.fmu", step_s=1.0, order="jacobi")
    names = {v.name for v in fmpy.read_model_description(str(one)).modelVariables}
    assert {"outside", "inside"} <= names
    found = fmpy.simulate_fmu(
        str(one),
        stop_time=3.0,
        output_interval=1.0,
        start_values={"outside": 21.5},
        output=["inside"],
    )
    assert found["inside"][-1] == pytest.approx(21.5, abs=1e-10)


def test_container_has_no_fault_that_can_be_read(lump, tmp_path):
    path = package_of(lump, tmp_path / "p.ssp", LinearMap(0.9, 27.0))
    with load_ssp(path) as loaded:
        one = write_container(loaded, tmp_path / "one.fmu", step_s=0.5)
    assert check_fmu(one, is_run=False).n_errors == 0


def test_what_a_container_cannot_do_is_refused(lump, texts, tmp_path):
    path = package_of(lump, tmp_path / "p.ssp", None, is_delayed=True)
    with load_ssp(path) as loaded:
        write_container(loaded, tmp_path / "one.fmu", step_s=0.5)
    bound = binding("a.label=String:two_words")
    spaced = description(
        bound.replace("two_words", "two words") + elements(component("a"))
    )
    path = write_package(tmp_path / "q.ssp", spaced, a=texts)
    with load_ssp(path) as loaded, pytest.raises(FmuError, match="cannot be written"):
        write_container(loaded, tmp_path / "two.fmu", step_s=0.5)
    assert not (tmp_path / "two.fmu").exists()


def test_missing_toolbox_is_named(lump, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fmu_manipulation_toolbox.container", None)
    path = package_of(lump, tmp_path / "p.ssp", None)
    message = r"install `packtwin\[container\]`"
    with load_ssp(path) as loaded, pytest.raises(ScenarioError, match=message):
        write_container(loaded, tmp_path / "one.fmu", step_s=0.5)
