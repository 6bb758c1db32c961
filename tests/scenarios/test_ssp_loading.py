"""Packages run as their descriptions say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from fmpy.ssp.simulation import simulate_ssp

from packtwin.cosim.masters import Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.ssp_file import SspFile
from packtwin.fmu.component import FmuComponent
from packtwin.scenarios.ssp_loading import Route, load_ssp
from packtwin.twin.errors import ScenarioError, WiringError
from tests.cosim.ssp_documents import (
    UNITS,
    binding,
    component,
    connection,
    connector_list,
    description,
)
from tests.cosim.test_ssp_graph import connections, elements, inner
from tests.fmu.conftest import build_vendor
from tests.scenarios.ssp_fmus import export_lump, write_package

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fmus")


@pytest.fixture(scope="module")
def lump(folder) -> Path:
    return export_lump(folder, "2.0")


@pytest.fixture(scope="module")
def texts(folder) -> Path:
    return build_vendor(folder, "Texts", "Texts.xml", "linux64")


@pytest.fixture(scope="module")
def sizes(folder) -> Path:
    return build_vendor(folder, "Sizes", "Sizes.xml", "x86_64-linux")


LUMP = "neighbour_K:input temperature_K:output"
TEXTS = "air_K:input:K warm:output:degC seen_K:output:K"
KELVIN = f"<ssd:Units>{UNITS}</ssd:Units>"


def at_start(path: Path) -> dict[str, float]:
    """Outputs by name at the start of a package."""
    with load_ssp(path) as loaded:
        result = simulate(loaded.system, stop_s=0.1, step_s=0.1)
    return {name: float(result[name][0]) for name in result.names}


def pair(more: str = "", start: str = "a.temperature_K", **parts: str) -> bytes:
    """Two lumps that warm each other."""
    listed = elements(
        component("a", LUMP, parts.get("a", "")),
        component("b", LUMP, parts.get("b", "")),
    )
    links = connections(
        connection(start, "b.neighbour_K"),
        connection("b.temperature_K", "a.neighbour_K"),
    )
    rest = KELVIN + '<ssd:DefaultExperiment startTime="0.5" stopTime="20.5"/>'
    return description(more + listed + links, rest)


def test_coupled_lumps_meet_as_the_closed_form_says(lump, tmp_path):
    bound = binding("a.start_K=Real:320 b.start_K=Real:280 a.rate_per_s=Real:0.2")
    path = write_package(tmp_path / "p.ssp", pair(bound), a=lump, b=lump)
    with load_ssp(path) as loaded:
        assert (loaded.start_s, loaded.stop_s, loaded.delayed) == (0.5, 20.5, ())
        result = simulate(
            loaded.system,
            start_s=0.5,
            stop_s=20.5,
            step_s=0.1,
            master=Iterated(),
        )
    # The difference falls with rate 0.3, and 0.1 a + 0.2 b is constant.
    difference = 40.0 * np.exp(-0.3 * (result.time_s - 0.5))
    mean = (0.1 * 320.0 + 0.2 * 280.0) / 0.3
    found = result["a.temperature_K"]
    assert np.abs(found - (mean + difference * 2.0 / 3.0)).max() < 2e-5


def test_degrees_celsius_arrive_as_kelvin(texts, tmp_path):
    links = connections(connection("a.warm", "b.air_K"))
    system = elements(component("a", TEXTS), component("b", TEXTS)) + links
    path = write_package(
        tmp_path / "p.ssp", description(system, KELVIN), a=texts, b=texts
    )
    assert at_start(path)["b.seen_K"] == 298.15


@pytest.mark.parametrize(
    ("more", "inside", "expected"),
    [
        ("", '<ssc:LinearTransformation factor="2" offset="1"/>', 2 * 298.15 + 1),
        ('suppressUnitConversion="true"', "", 25.0),
        (
            'suppressUnitConversion="true"',
            '<ssc:LinearTransformation factor="2" offset="1"/>',
            51.0,
        ),
    ],
)
def test_transformation_follows_the_units(texts, tmp_path, more, inside, expected):
    links = connections(connection("a.warm", "b.air_K", more, inside))
    system = elements(component("a", TEXTS), component("b", TEXTS)) + links
    path = write_package(
        tmp_path / "p.ssp", description(system, KELVIN), a=texts, b=texts
    )
    assert at_start(path)["b.seen_K"] == pytest.approx(expected, abs=1e-12)


def test_units_of_connectors_on_the_way_do_not_matter(texts, tmp_path):
    giver = inner(
        "giver",
        "warm:output:K",
        elements(component("a", TEXTS)),
        connections(connection("a.warm", "warm")),
    )
    taker = inner(
        "taker",
        "T:input:degC",
        elements(component("b", TEXTS)),
        connections(connection("T", "b.air_K")),
    )
    links = connections(connection("giver.warm", "taker.T"))
    path = write_package(
        tmp_path / "p.ssp",
        description(elements(giver, taker) + links, KELVIN),
        a=texts,
        b=texts,
    )
    assert at_start(path)["taker/b.seen_K"] == pytest.approx(298.15, abs=1e-12)


def test_parameters_of_every_type_reach_the_fmu(texts, sizes, tmp_path):
    values = binding(
        "a.label=String:seven a.choice=Enumeration:third a.warm=Real:300:K "
        "a.air_K=Real:20:degC b.blob=Binary:00FF10"
    )
    path = write_package(
        tmp_path / "p.ssp",
        description(values + elements(component("a", TEXTS), component("b")), KELVIN),
        a=texts,
        b=sizes,
    )
    found = at_start(path)
    assert (found["a.length"], found["a.chosen"]) == (5.0, 3.0)
    assert found["a.warm_K"] == pytest.approx(300.0, abs=1e-12)
    assert found["a.seen_K"] == pytest.approx(293.15, abs=1e-12)
    assert found["b.bytes"] == 3.0


def test_value_of_a_system_connector_is_converted_on_its_way(texts, tmp_path):
    root = connector_list("air:input:degC") + binding("air=Real:10:degC")
    links = connections(connection("air", "a.air_K"))
    path = write_package(
        tmp_path / "p.ssp",
        description(root + elements(component("a", TEXTS)) + links, KELVIN),
        a=texts,
    )
    assert at_start(path)["a.seen_K"] == pytest.approx(283.15, abs=1e-12)
    with load_ssp(path) as loaded:
        assert loaded.inputs == {"air": (Route(port="a.air_K", line=(1.0, 273.15)),)}


def test_arrays_are_connected_whole_and_by_element(sizes, tmp_path):
    ports = "u:input echo:output total:output"
    links = connections(
        connection("a.echo", "b.u"),
        connection("b.echo", "c.u", 'startIndices="2" endIndices="1"'),
    )
    rows = elements(*(component(name, ports) for name in "abc"))
    root = connector_list("sum:output")
    links = links.replace("</ssd:Connections>", connection("c.total", "sum")) + (
        "</ssd:Connections>"
    )
    path = write_package(
        tmp_path / "p.ssp", description(root + rows + links), a=sizes, b=sizes, c=sizes
    )
    package = SspFile.read(path)
    with load_ssp(package) as loaded:
        names = loaded.system.constants
        assert loaded.outputs == {"sum": Route(port="c.total", line=(1.0, 0.0))}
    assert set(names) == {"a.u[1]", "a.u[2]", "c.u[2]"}
    values = (
        "<ssd:ParameterBindings><ssd:ParameterBinding><ssd:ParameterValues>"
        '<ssv:ParameterSet version="2.0" name="v"><ssv:Parameters>'
        '<ssv:Parameter name="a.u"><ssv:Float64 value="3 5"/>'
        '<ssc:Dimension size="2"/></ssv:Parameter></ssv:Parameters>'
        "</ssv:ParameterSet></ssd:ParameterValues></ssd:ParameterBinding>"
        "</ssd:ParameterBindings>"
    )
    path = write_package(
        tmp_path / "q.ssp",
        description(root + values + rows + links),
        a=sizes,
        b=sizes,
        c=sizes,
    )
    found = at_start(path)
    assert (found["b.total"], found["c.total"]) == (8.0, 5.0)


def test_size_of_an_array_is_a_parameter(sizes, tmp_path):
    values = binding("a.n=UInt64:3")
    path = write_package(
        tmp_path / "p.ssp", description(values + elements(component("a"))), a=sizes
    )
    found = at_start(path)
    assert {name for name in found if "echo" in name} == {
        "a.echo[1]",
        "a.echo[2]",
        "a.echo[3]",
    }


def test_package_inside_a_package_runs_with_the_parameters_of_both(lump, tmp_path):
    inside = write_package(
        tmp_path / "inner.ssp",
        description(
            connector_list("T:output")
            + binding("a.start_K=Real:310 a.rate_per_s=Real:0.0")
            + elements(component("a", LUMP))
            + connections(connection("a.temperature_K", "T"))
        ),
        a=lump,
    )
    use = (
        '<ssd:Component name="pack" type="application/x-ssp-package" '
        f'source="resources/inner.ssp">{connector_list("T:output")}'
        f"{binding('a.start_K=Real:350')}</ssd:Component>"
    )
    system = elements(use, component("b", LUMP)) + connections(
        connection("pack.T", "b.neighbour_K")
    )
    path = write_package(tmp_path / "outer.ssp", description(system), b=lump)
    members = dict(SspFile.read(path).members)
    members["resources/inner.ssp"] = inside.read_bytes()
    package = SspFile.of_members(path, members)
    with load_ssp(package) as loaded:
        result = simulate(loaded.system, stop_s=10.0, step_s=10.0)
    assert result["pack/a.temperature_K"].tolist() == [350.0, 350.0]
    expected = 350.0 - 50.0 * math.exp(-1.0)
    assert result["b.temperature_K"][-1] == pytest.approx(expected, abs=1e-9)


def test_jacobi_gives_what_fmpy_gives_one_row_later(folder, tmp_path):
    # FMPy feeds zeros in the first step, so all outputs begin there.
    cold = export_lump(folder, "2.0", start_K=0.0)
    system = elements(
        component("a", LUMP),
        component("b", LUMP),
        component("c", "temperature_K:output"),
    ) + connections(
        connection("c.temperature_K", "a.neighbour_K"),
        connection("a.temperature_K", "b.neighbour_K"),
    )
    path = write_package(
        tmp_path / "p.ssp", description(system, version="1.0"), a=cold, b=cold, c=cold
    )
    theirs = simulate_ssp(str(path), stop_time=5.0, step_size=0.5)
    with load_ssp(path) as loaded:
        ours = simulate(loaded.system, stop_s=5.0, step_s=0.5, master=Jacobi())
    for name in ("a.temperature_K", "b.temperature_K", "c.temperature_K"):
        assert np.abs(ours[name][1:] - theirs[name]).max() < 1e-12
    assert theirs["time"][0] == 0.0  # what FMPy stamps the end of the first step


def test_fmu_is_extracted_once_and_all_is_removed(lump, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    path = write_package(tmp_path / "p.ssp", pair(), a=lump, b=lump)
    with load_ssp(path) as loaded:
        a, b = loaded.system.components
        assert isinstance(a, FmuComponent)
        assert isinstance(b, FmuComponent)
        assert a.file is b.file
        assert list(temporary.iterdir())
    assert list(temporary.iterdir()) == []
    loaded.close()
    bad = binding("a.start_k=Real:1")
    path = write_package(tmp_path / "q.ssp", pair(bad), a=lump, b=lump)
    with pytest.raises(ScenarioError, match=r"`start_k`, which .* nearest: `start_K`"):
        load_ssp(path)
    assert list(temporary.iterdir()) == []
    load_ssp(path, ignores_unknown=True).close()


def test_loops_are_delayed_or_left_to_the_master(texts, tmp_path):
    ports = "air_K:input seen_K:output"
    links = connections(
        connection("a.seen_K", "b.air_K"), connection("b.seen_K", "a.air_K")
    )
    system = elements(component("a", ports), component("b", ports)) + links
    path = write_package(tmp_path / "p.ssp", description(system), a=texts, b=texts)
    with load_ssp(path) as loaded:
        assert [str(c) for c in loaded.delayed] == ["b.seen_K -> a.air_K"]
        assert loaded.system.loop_cuts == ()
    with load_ssp(path, loops="solve") as loaded:
        assert loaded.delayed == ()
        assert len(loaded.system.loop_cuts) == 1


@pytest.mark.parametrize(
    ("system", "error", "message"),
    [
        (
            elements(component("a", "air_K:input:degC")),
            WiringError,
            r"connector `air_K` of `a` is in `degC`, but its FMU says `K`",
        ),
        (
            elements(component("a", "air_K:input:Kelvin")),
            WiringError,
            r"uses the unit `Kelvin`, which the description does not define",
        ),
        (
            elements(component("a", "air_Q:input:K warm:output:degC"))
            + connections(connection("a.warm", "a.air_Q")),
            ScenarioError,
            r"applied to `air_Q`, which `resources/a\.fmu` does not have; nearest",
        ),
        (
            elements(component("a", "label:parameter warm:output:degC"))
            + connections(connection("a.warm", "a.label")),
            WiringError,
            r"`a\.label` is a parameter of type String; expected an input",
        ),
        ("", WiringError, "has no FMUs"),
        (elements('<ssd:Component name="p"/>'), WiringError, "`p` has no source"),
        (
            elements(component("z", "")),
            ScenarioError,
            r"no `resources/z\.fmu`, which the component `z` refers to; nearest: `r",
        ),
    ],
)
def test_wrong_package_is_refused_by_name(texts, tmp_path, system, error, message):
    path = write_package(tmp_path / "p.ssp", description(system, KELVIN), a=texts)
    with pytest.raises(error, match=message):
        load_ssp(path)
