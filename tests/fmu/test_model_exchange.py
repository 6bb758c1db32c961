"""Model exchange: equations, events, loops and derivatives, in both versions."""

from __future__ import annotations

import ctypes
import xml.etree.ElementTree as ET
from dataclasses import replace

import casadi as ca
import fmpy
import numpy as np
import pytest

from packtwin.fmu.archive import extract
from packtwin.fmu.export import export_fmu
from packtwin.fmu.inspection import validate
from packtwin.fmu.source import render_source
from packtwin.twin.errors import InterfaceError
from packtwin.twin.implicit import implicit_source
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface, Variable
from tests.fmu.exchange_models import decay, divider
from tests.fmu.raw_fmu import RawFmu, at, description_of, made, vector

pytestmark = pytest.mark.fmu

VERSIONS = ("2.0", "3.0")


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    found = {}
    for version in VERSIONS:
        for model in (divider(), decay()):
            found[model.name, version] = made(model, folder, version, ("me",))
    return found


def drop(u, x):
    """The real root of z^3 + z = u - x (G. Cardano, 1545)."""
    c = u - x
    root = np.sqrt(0.25 * c * c + 1.0 / 27.0)
    return np.cbrt(0.5 * c + root) + np.cbrt(0.5 * c - root)


def vector_of(fmu, name, n):
    values = np.full(n, np.nan)
    status = fmu.call(name, at(values), ctypes.c_size_t(n))
    assert status == 0, fmu.log
    return values


def derivatives(fmu, n):
    name = "GetDerivatives" if fmu.major == 2 else "GetContinuousStateDerivatives"
    return vector_of(fmu, name, n)


def running(libraries, name, version):
    fmu = RawFmu(*libraries[name, version], kind="me").start().exit()
    assert fmu.call("EnterContinuousTimeMode") == 0, fmu.log
    return fmu


@pytest.mark.parametrize("version", VERSIONS)
def test_algebraic_states_are_solved_inside(libraries, version):
    fmu = running(libraries, "divider", version)
    x = vector_of(fmu, "GetContinuousStates", 2)
    np.testing.assert_array_equal(x, [0.1, 0.2])
    for x, u, t in (([0.1, 0.2], 1.0, 0.0), ([0.9, -1.0], -4.0, 3.0)):
        assert fmu.call("SetTime", ctypes.c_double(t)) == 0
        assert fmu.call("SetContinuousStates", at(vector(x)), ctypes.c_size_t(2)) == 0
        assert fmu.set("source_V", u) == 0
        z = drop(u, x[0])
        want = [2.0 * z, 0.5 * z + x[0] - x[1]]
        np.testing.assert_allclose(derivatives(fmu, 2), want, rtol=1e-12)
        got = fmu.get(["drop_V", "shown_V"])
        np.testing.assert_allclose(got, [z, x[1] + np.sin(t)], rtol=1e-12)
        indicator = vector_of(fmu, "GetEventIndicators", 1)
        assert indicator[0] == 0.8 - x[0]
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_derivatives_go_through_the_loop(libraries, version):
    fmu = running(libraries, "divider", version)
    names = [k for k in fmu.size if k.startswith("der(")]
    slope = 1.0 / (3.0 * drop(1.0, 0.1) ** 2 + 1.0)
    unknowns = [*names, "drop_V", "shown_V"]
    got = fmu.directional(unknowns, "source_V", 1.0)
    np.testing.assert_allclose(got, [2 * slope, 0.5 * slope, slope, 0.0], rtol=1e-12)
    got = fmu.directional(unknowns, "gain", 1.0)
    np.testing.assert_allclose(got, [drop(1.0, 0.1), 0, 0, 0], rtol=1e-12)
    states = [k for k in fmu.size if k.startswith("state.")]
    got = fmu.directional(unknowns, states, [1.0, 0.0])
    want = [-2 * slope, 1 - 0.5 * slope, -slope, 0.0]
    np.testing.assert_allclose(got, want, rtol=1e-12)
    if version == "3.0":
        knowns = [*states, "source_V", "gain"]
        forward = [fmu.directional(unknowns, knowns, row) for row in np.eye(4)]
        reverse = [fmu.directional(unknowns, knowns, row, True) for row in np.eye(4)]
        np.testing.assert_allclose(reverse, np.transpose(forward), rtol=1e-12)
        got = fmu.directional("indicator.full_V", states, [3.0, 1.0])
        assert got[0] == -3.0
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_derivatives_at_initialization_are_central_differences(libraries, version):
    fmu = RawFmu(*libraries["divider", version], kind="me").start()
    names = [k for k in fmu.size if k.startswith(("der(", "state."))]
    unknowns = [*names, "drop_V", "shown_V"]
    for known, value in (("source_V", 1.0), ("gain", 2.0)):
        ends = []
        for sign in (1.0, -1.0):
            fmu.set(known, value + sign * 1e-5)
            ends.append(fmu.get(unknowns))
        fmu.set(known, value)
        got = fmu.directional(unknowns, known, 1.0)
        want = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)
        if version == "3.0":
            rows = [fmu.directional(unknowns, known, e, True)[0] for e in np.eye(6)]
            np.testing.assert_allclose(rows, got, rtol=1e-12, atol=1e-15)
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_dependencies_are_exact(libraries, version):
    _, source = libraries["divider", version]
    root = ET.fromstring(source.model_description)
    names = {}
    for k, v in enumerate(root.find("ModelVariables")):
        key = str(k + 1) if version == "2.0" else v.get("valueReference")
        names[key] = v.get("name")
    tag = "Unknown" if version == "2.0" else "Output"
    path = (
        "ModelStructure/Outputs/Unknown"
        if tag == "Unknown"
        else ("ModelStructure/Output")
    )
    known = {
        names[u.get("index") or u.get("valueReference")]: {
            names[k] for k in u.get("dependencies").split()
        }
        for u in root.findall(path)
    }
    if version == "2.0":
        assert known["drop_V"] == {"source_V", "state.capacitor_1_V"}
        assert known["shown_V"] == {"state.capacitor_2_V"}
    else:  # neighbours numbered 1, 2 are one vector
        assert known["drop_V"] == {"source_V", "state.capacitor_V"}
        assert known["shown_V"] == {"state.capacitor_V"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "kinds", [("me",), pytest.param(("cs", "me"), marks=pytest.mark.slow)]
)
def test_cvode_follows_the_closed_form_and_the_file_is_valid(tmp_path, version, kinds):
    subject = decay() if kinds == ("me",) else integrate(decay())
    path = export_fmu(subject, tmp_path / "d.fmu", fmi_version=version, kinds=kinds)
    assert validate(path) == []
    result = fmpy.simulate_fmu(
        str(path),
        fmi_type="ModelExchange",
        stop_time=2.0,
        output_interval=0.1,
        relative_tolerance=1e-8,
        start_values={"rate_per_s": 500.0},
    )
    t = result["time"]
    fast = 1.0 / 500.0 + (2.0 - 1.0 / 500.0) * np.exp(-500.0 * t)
    want = fast + 300.0 * np.exp(-t)
    np.testing.assert_allclose(result["sum_K"], want, rtol=3e-7)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_is_found_and_nothing_jumps(tmp_path, version):
    path = export_fmu(divider(), tmp_path / "e.fmu", fmi_version=version, kinds=("me",))
    assert validate(path) == []
    found = []
    result = fmpy.simulate_fmu(
        str(path),
        fmi_type="ModelExchange",
        stop_time=3.0,
        relative_tolerance=1e-9,
        start_values={"source_V": 3.0},
        step_finished=lambda time, recorder: bool(found.append(time)) or True,
    )
    steady = simulated(3.0)
    np.testing.assert_allclose(result["drop_V"][-1], steady, rtol=1e-5)


def simulated(stop):
    """Drop of the divider at `stop` by classical Runge-Kutta, finely."""
    x, n = 0.3, 4000
    h = stop / n
    for _ in range(n):
        k1 = 2.0 * drop(3.0, x)
        k2 = 2.0 * drop(3.0, x + h / 2 * k1)
        k3 = 2.0 * drop(3.0, x + h / 2 * k2)
        k4 = 2.0 * drop(3.0, x + h * k3)
        x += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return drop(3.0, x)


@pytest.mark.parametrize("version", VERSIONS)
def test_nominals_and_kinds(libraries, version):
    fmu = running(libraries, "decay", version)
    np.testing.assert_array_equal(
        vector_of(fmu, "GetNominalsOfContinuousStates", 2), [2.0, 300.0]
    )
    if version == "3.0":
        assert fmu.step(0.0, 1.0) == 3
        assert "there are no steps" in fmu.log[-1]
    fmu.free()
    with pytest.raises(AssertionError, match="is for model exchange only"):
        RawFmu(*libraries["decay", version], kind="cs")


@pytest.mark.parametrize("version", VERSIONS)
def test_state_of_an_exchange_replays_bit_by_bit(libraries, version):
    fmu = running(libraries, "divider", version)
    fmu.set("source_V", 2.0)
    first = derivatives(fmu, 2)
    state = fmu.save()
    x = vector([5.0, -3.0])
    fmu.call("SetContinuousStates", at(x), ctypes.c_size_t(2))
    assert derivatives(fmu, 2)[0] != first[0]
    fmu.restore(state)
    np.testing.assert_array_equal(derivatives(fmu, 2), first)
    fmu.forget(state)
    fmu.free()


def test_a_dae_steps_and_exchanges_in_one_fmu(tmp_path):
    source = implicit_source(divider())
    path = export_fmu(
        source, tmp_path / "both.fmu", fmi_version="3.0", kinds=("cs", "me")
    )
    assert validate(path) == []
    options = {"stop_time": 1.0, "start_values": {"source_V": 3.0}}
    steps = fmpy.simulate_fmu(
        str(path), fmi_type="CoSimulation", output_interval=0.01, **options
    )
    exchanged = fmpy.simulate_fmu(
        str(path), fmi_type="ModelExchange", relative_tolerance=1e-8, **options
    )
    assert steps["drop_V"][-1] == pytest.approx(exchanged["drop_V"][-1], rel=1e-4)
    root = description_of(path)
    assert root.find("CoSimulation").get("providesDirectionalDerivatives") is None
    assert root.find("ModelExchange").get("providesAdjointDerivatives") == "true"


def algebraic_model(residual, start=0.5) -> Model:
    t, x, z, u, p = (
        ca.MX.sym(n, k) for n, k in (("t", 1), ("x", 1), ("z", 2), ("u", 1), ("p", 0))
    )
    arguments = [t, x, z, u, p]
    return Model(
        name="loop",
        interface=Interface(
            inputs=(Variable(name="u"),), outputs=(Variable(name="y"),)
        ),
        states=(Variable(name="x"),),
        rhs=ca.Function("f", arguments, [z[0]]),
        outputs=ca.Function("y", arguments, [z[1]]),
        initial=ca.Function("x0", [u, p], [ca.DM(1.0), ca.DM([start, start])]),
        algebraic_states=(Variable(name="good_V"), Variable(name="bad_V")),
        algebraic=ca.Function("g", arguments, [residual(x, z)]),
    )


@pytest.mark.parametrize(
    ("residual", "reason"),
    [
        (lambda x, z: ca.vertcat(z[0] - x, z[0] + x), "do not determine `bad_V`"),
        (lambda x, z: ca.vertcat(z[0] - x, z[1] ** 2 + 1.0), "no solution for `bad_V`"),
    ],
)
def test_an_unsolvable_loop_is_refused_by_name(residual, reason):
    with pytest.raises(InterfaceError, match=reason):
        render_source(algebraic_model(residual), kinds=("me",))


def test_a_start_that_is_not_a_number_is_refused_by_name():
    model = algebraic_model(lambda x, z: z - x, start=float("nan"))
    with pytest.raises(InterfaceError, match="`good_V` of model `loop` starts at nan"):
        render_source(model, kinds=("me",))


def test_a_model_takes_no_steps_and_a_step_map_may_have_no_equations():
    with pytest.raises(InterfaceError, match="takes no steps by itself"):
        render_source(decay(), kinds=("cs",))
    step_map = integrate(decay())
    with pytest.raises(InterfaceError, match="not made from equations"):
        render_source(replace(step_map, equations=None), kinds=("me",))


def test_steps_with_other_states_than_their_equations_are_refused():
    step_map = integrate(decay())
    other = replace(step_map, memory=step_map.memory[::-1])
    with pytest.raises(InterfaceError, match="does not begin with the states"):
        render_source(other, kinds=("cs", "me"))
    named = replace(step_map.interface, inputs=(Variable(name="other_K"),))
    with pytest.raises(InterfaceError, match="or their interfaces differ"):
        render_source(replace(step_map, interface=named), kinds=("me",))


@pytest.mark.parametrize("version", VERSIONS)
def test_casadi_imports_the_equations_with_exact_jacobians(tmp_path, version):
    path = export_fmu(decay(), tmp_path / "d.fmu", fmi_version=version, kinds=("me",))
    extract(path, tmp_path / "decay")
    imported = ca.DaeBuilder("decay", str(tmp_path / "decay"))
    function = imported.create("f", ["x", "u"], ["ode", "y"])
    rates, outputs = function([2.0, 300.0], 1.5)
    np.testing.assert_array_equal(rates.full().ravel(), [1.5 - 2000.0, -300.0])
    np.testing.assert_array_equal(outputs.full().ravel(), [302.0, 300.0])
    slopes = function.jacobian()([2.0, 300.0], 1.5, 0, 0)
    np.testing.assert_array_equal(slopes[0].full(), np.diag([-1000.0, -1.0]))
    np.testing.assert_array_equal(slopes[1].full().ravel(), [1.0, 0.0])


def test_vectors_can_be_left_apart():
    source = render_source(
        divider(), fmi_version="3.0", kinds=("me",), has_arrays=False
    )
    assert "Dimension" not in source.model_description
    assert 'name="state.capacitor_2_V"' in source.model_description
    assert (
        "Dimension"
        in render_source(divider(), fmi_version="3.0", kinds=("me",)).model_description
    )
