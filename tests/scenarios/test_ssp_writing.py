"""Systems become packages that give the same results."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtwin.cosim.connection import Connection, LinearMap
from packtwin.cosim.masters import GaussSeidel, Iterated, Jacobi
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.ssp_file import MAIN, SspFile, read_document
from packtwin.cosim.ssp_parameters import ParameterSet
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.ssp_loading import load_ssp
from packtwin.scenarios.ssp_writing import write_ssp
from packtwin.twin.component import StepMapComponent
from packtwin.twin.errors import ScenarioError, WiringError
from tests.cosim import ssp_documents as documents
from tests.fmu.conftest import build_vendor
from tests.scenarios.ssp_fmus import export_lump, lump_map

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fmus")


@pytest.fixture(scope="module")
def lumps(folder) -> dict[str, FmuFile]:
    return {v: FmuFile(export_lump(folder, v)) for v in ("2.0", "3.0")}


@pytest.fixture(scope="module")
def texts(folder) -> FmuFile:
    return FmuFile(build_vendor(folder, "Texts", "Texts.xml", "linux64"))


@pytest.fixture(scope="module")
def sizes(folder) -> FmuFile:
    return FmuFile(build_vendor(folder, "Sizes", "Sizes.xml", "x86_64-linux"))


def run(system: System, master) -> Result:
    return simulate(system, stop_s=4.0, step_s=0.25, master=master)


def reloaded(path: Path, master) -> Result:
    with load_ssp(path) as loaded:
        return run(loaded.system, master)


def check_schemas(package: SspFile, version: str) -> None:
    for name in (MAIN, "resources/parameters.ssv"):
        assert documents.schema_errors(package.members[name], version) == []


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    ("fmi", "kind", "masters"),
    [
        ("2.0", "co-simulation", (GaussSeidel(), Jacobi(), Iterated())),
        ("3.0", "co-simulation", (GaussSeidel(), Jacobi(), Iterated())),
        ("2.0", "model-exchange", (GaussSeidel(), Jacobi())),
    ],
)
def test_results_are_the_same_after_a_round_trip(
    lumps, tmp_path, version, fmi, kind, masters
):
    file = lumps[fmi]
    system = System(
        [
            FmuComponent(file, name="a", parameters={"start_K": 320.0}, kind=kind),
            FmuComponent(file, name="b", starts={"start_K": 280.0}, kind=kind),
            FmuComponent(file, name="free", kind=kind),
        ],
        [
            Connection("a.temperature_K", "b.neighbour_K", linear=LinearMap(0.9, 30.0)),
            Connection("b.temperature_K", "a.neighbour_K", True),
        ],
        constants={"free.neighbour_K": 273.15},
    )
    path = tmp_path / "p.ssp"
    package = write_ssp(system, path, version=version, stop_s=4.0)
    check_schemas(package, version)
    for master in masters:
        ours, again = run(system, master), reloaded(path, master)
        assert ours.names == again.names
        assert np.abs(ours.values - again.values).max() <= 1e-12
    with load_ssp(path) as loaded:
        assert loaded.stop_s == 4.0
        write_ssp(loaded.system, tmp_path / "q.ssp", version=version, name="p")
    first, second = SspFile.read(path), SspFile.read(tmp_path / "q.ssp")
    assert first.structure.system == second.structure.system


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_wiring_gives_the_same_results(lumps, tmp_path, data):
    numbers = st.floats(200.0, 400.0)
    names = ["a", "b", "c"]
    starts = [data.draw(numbers) for _ in names]
    lines: list[Connection] = []
    plan = [
        (data.draw(st.sampled_from([None, *names])), data.draw(st.booleans()), target)
        for target in names
    ]
    factors = [data.draw(st.sampled_from((None, 0.5, -1.5))) for _ in names]
    for (source, is_delayed, target), factor in zip(plan, factors, strict=True):
        if source is not None:
            linear = None if factor is None else LinearMap(factor, 1.0 / 3.0)
            lines.append(
                Connection(
                    f"{source}.temperature_K",
                    f"{target}.neighbour_K",
                    is_delayed,
                    linear=linear,
                )
            )
    fed = {str(line.target) for line in lines}
    constants = {
        f"{name}.neighbour_K": value
        for name, value in zip(names, starts, strict=True)
        if f"{name}.neighbour_K" not in fed
    }
    files = itertools.cycle(lumps.values())
    system = System(
        [
            FmuComponent(next(files), name=name, parameters={"start_K": start})
            for name, start in zip(names, reversed(starts), strict=True)
        ],
        lines,
        constants=constants,
    )
    path = tmp_path / "p.ssp"
    check_schemas(write_ssp(system, path), "2.0")
    ours, again = run(system, GaussSeidel()), reloaded(path, GaussSeidel())
    scale = np.abs(ours.values).max()
    assert np.abs(ours.values - again.values).max() <= 1e-12 * scale


def test_other_units_texts_and_items_survive(texts, tmp_path):
    system = System(
        [
            FmuComponent(texts, name="a", starts={"label": "a b", "choice": "third"}),
            FmuComponent(texts, name="b", starts={"warm": 12.5}),
        ],
        [Connection("a.warm_K", "b.air_K")],
        constants={"a.air_K": 290.5},
    )
    package = write_ssp(system, tmp_path / "p.ssp", version="1.0")
    check_schemas(package, "1.0")
    source = "resources/parameters.ssv"
    values = read_document(ParameterSet, package.members[source], source)
    defined = {unit.name for unit in values.units}
    assert (
        {p.value.unit for p in values.parameters} - {None} == {"K", "degC"} == defined
    )
    again = reloaded(tmp_path / "p.ssp", GaussSeidel())
    assert np.abs(run(system, GaussSeidel()).values - again.values).max() <= 1e-12
    assert again["a.length"][0] == 3.0
    assert again["a.chosen"][0] == 3.0
    assert again["b.seen_K"][-1] == 298.15


def test_arrays_survive_in_version_2_only(sizes, tmp_path):
    system = System(
        [
            FmuComponent(sizes, name="a", starts={"n": 3, "gain": [1.0, 2.0, 3.0]}),
            FmuComponent(sizes, name="b", starts={"words": ["x y", ""]}),
        ],
        [Connection("a.echo[3]", "b.u[1]")],
        constants={"a.u[1]": 1.0, "a.u[2]": 2.0, "a.u[3]": 4.0, "b.u[2]": 0.5},
    )
    with pytest.raises(ScenarioError, match=r"says SSP 1\.0 but has an array"):
        write_ssp(system, tmp_path / "p.ssp", version="1.0")
    package = write_ssp(system, tmp_path / "p.ssp")
    check_schemas(package, "2.0")
    again = reloaded(tmp_path / "p.ssp", GaussSeidel())
    assert again["a.total"][0] == 1.0 + 4.0 + 12.0
    assert again["b.total"][-1] == 4.5
    assert again["b.letters"][0] == 3.0


def test_component_that_is_no_fmu_is_named(tmp_path):
    component = StepMapComponent(lump_map(), name="own")
    system = System([component], constants={"own.neighbour_K": 300.0})
    with pytest.raises(WiringError, match=r"`own` is a `StepMapComponent`, but an SSP"):
        write_ssp(system, tmp_path / "p.ssp")
    assert list(tmp_path.iterdir()) == []
