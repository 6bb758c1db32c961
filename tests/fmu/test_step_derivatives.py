"""Derivatives of FMUs' steps: exact, forward and reverse, and polynomial inputs."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.input_polynomial import shifted, value_at
from packtwin.twin.integrate import integrate
from packtwin.twin.step_map import StepMap
from tests.fmu.raw_fmu import RawFmu, made
from tests.fmu.test_versions import shipped
from tests.twin.test_input_polynomial import ROWS, closed_form, relaxation

pytestmark = pytest.mark.fmu

VERSIONS = ("2.0", "3.0")
ORDERS = (0, 1, 3)


@pytest.fixture(scope="module")
def subjects(network_step_map: StepMap) -> dict[str, StepMap]:
    return {
        "network": network_step_map,
        **{
            f"relaxation_{k}": integrate(relaxation(), "rk4", input_order=k)
            for k in ORDERS
        },
    }


@pytest.fixture(scope="module")
def libraries(subjects, tmp_path_factory):
    folder = tmp_path_factory.mktemp("derivatives")
    found = {}
    for name, subject in subjects.items():
        for version in VERSIONS:
            inner = folder / f"{name}{version[0]}"
            inner.mkdir()
            found[name, version] = made(subject, inner, version)
    return found


def stepped(libraries, subjects, name, version, seed=0):
    """An instance after two steps with random inputs, and its step map's memory."""
    step_map = subjects[name]
    rng = np.random.default_rng(seed)
    fmu = RawFmu(*libraries[name, version]).start().exit()
    inputs = step_map.interface.input_names
    t = 0.0
    for h in (0.3, 0.17):
        u = rng.normal(size=len(inputs))
        assert fmu.set(inputs, u) == 0
        assert fmu.step(t, h) == 0
        t += h
    return fmu, t


def following(libraries, order, version, rows):
    """A started instance; in FMI 3 it asks for the polynomial inside its steps."""

    def update(env, time, sets, gets, done, can, early, when):
        if sets:
            fmu.set(["u", "v"], value_at(list(rows), time))

    is_asking = version == "3.0"
    library = libraries[f"relaxation_{order}", version]
    fmu = RawFmu(*library, update=update if is_asking else None)
    return fmu.start().exit()


def perturbed(fmu, state, t, h, changes):
    """Outputs and states after a step from a saved state with other inputs."""
    fmu.restore(state)
    for name, value in changes.items():
        assert fmu.set(name, value) == 0, fmu.log
    assert fmu.step(t, h) == 0
    return fmu


@pytest.mark.parametrize("version", VERSIONS)
def test_step_sensitivities_are_central_differences(libraries, subjects, version):
    fmu, t = stepped(libraries, subjects, "network", version)
    state, h = fmu.save(), 0.23  # five substeps of 0.05 s
    means = ["power_W", "rate"]
    states = [f"state.x{i}" for i in range(3)]
    base = {"current_A": 0.4, "gain": 0.6}
    for known in ("current_A", "gain"):
        ends = []
        for sign in (1.0, -1.0):
            changed = base | {known: base[known] + sign * 1e-5}
            perturbed(fmu, state, t, h, changed)
            ends.append(fmu.get([*means, *states]))
        want = (ends[0] - ends[1]) / 2e-5
        perturbed(fmu, state, t, h, base)
        got = fmu.directional([*means, *states], known, 1.0)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)
    fmu.free()


def test_memory_before_the_step_is_a_known(libraries, subjects):
    step_map = subjects["network"]
    fmu, t = stepped(libraries, subjects, "network", "3.0")
    states = [f"state.x{i}" for i in range(3)]
    before = fmu.get(states)
    assert fmu.set(["current_A", "gain"], [0.4, 0.6]) == 0
    assert fmu.step(t, 0.23) == 0
    u, p = np.array([0.4]), np.array([0.6])
    for k in range(3):
        move = 1e-5 * np.eye(3)[k]
        ends = [
            step_map.advance(before + sign * move, t, 0.23, u, p)
            for sign in (1.0, -1.0)
        ]
        want = [(a - b) / 2e-5 for a, b in zip(ends[0][:2], ends[1][:2], strict=True)]
        got = fmu.directional([*states, "power_W", "rate"], states, np.eye(3)[k])
        np.testing.assert_allclose(got[:3], want[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(got[3:], want[1][[0, 2]], rtol=1e-6, atol=1e-9)
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_outputs_at_the_end_are_differentiated_at_the_point(
    libraries, subjects, version
):
    fmu, t = stepped(libraries, subjects, "relaxation_0", version)
    fmu.set(["u", "v"], [0.7, -0.2])
    fmu.step(t, 0.1)
    states = ["state.x", "state.w"]
    assert fmu.directional("through", ["u", "v"], [3.0, 5.0])[0] == 5.0
    assert fmu.directional("through", states, [2.0, 7.0])[0] == 2.0
    fmu.free()


@pytest.mark.parametrize("name", ["network", "relaxation_0", "relaxation_3"])
@pytest.mark.parametrize("phase", ["initialization", "stepping"])
def test_adjoints_are_the_transposed_tangents(libraries, subjects, name, phase):
    step_map = subjects[name]
    if phase == "stepping":
        fmu, t = stepped(libraries, subjects, name, "3.0")
        fmu.set(
            step_map.interface.input_names,
            0.3 * np.ones(len(step_map.interface.inputs)),
        )
        fmu.step(t, 0.23)
    else:
        fmu = RawFmu(*libraries[name, "3.0"]).start()
    table = fmu.size
    states = [k for k in table if k.startswith("state.")]
    unknowns = [*step_map.interface.output_names, *states]
    if "state[3]" in unknowns:
        unknowns.remove("state[3]")
    knowns = [*step_map.interface.input_names, *step_map.interface.parameter_names]
    if phase == "stepping":
        knowns += states
    n_u = sum(table[k] for k in unknowns)
    n_k = sum(table[k] for k in knowns)
    forward = np.stack(
        [fmu.directional(unknowns, knowns, row) for row in np.eye(n_k)], axis=1
    )
    reverse = np.stack(
        [fmu.directional(unknowns, knowns, row, adjoint=True) for row in np.eye(n_u)]
    )
    np.testing.assert_allclose(reverse, forward, rtol=1e-12, atol=1e-14)
    assert np.abs(forward).max() >= 0.1
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ORDERS)
def test_output_slopes_follow_the_inputs(libraries, subjects, version, order):
    fmu = following(libraries, order, version, ROWS[:2])
    if version == "2.0":
        fmu.set(["u", "v"], ROWS[0])
        assert fmu.set_slopes(["u", "v"], 1, ROWS[1]) == 0
    assert fmu.step(0.0, 0.5) == 0
    status, slope = fmu.output_slopes("through")
    # d(x + v)/dt = -x + u + v + dv/dt
    u, v = value_at(list(ROWS[:2]), 0.5)
    want = -fmu.get("state.x")[0] + u + v + ROWS[1, 1]
    assert status == 0
    assert slope[0] == pytest.approx(want, rel=1e-12)
    status, _ = fmu.output_slopes("flow")
    assert status == 3
    assert "`flow` is not provided" in fmu.log[-1]
    fmu.free()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("version", VERSIONS)
def test_steps_follow_cubic_inputs_as_the_step_map_does(
    libraries, subjects, version, order
):
    step_map = subjects[f"relaxation_{order}"]
    fmu = following(libraries, order, version, ROWS)
    memory, p, t = np.array([0.5, 0.0]), np.zeros(0), 0.0
    for h in (0.4, 0.1, 0.25):
        rows = shifted(ROWS, t)
        if version == "2.0":
            fmu.set(["u", "v"], rows[0])
            for k in (1, 2, 3):
                assert fmu.set_slopes(["u", "v"], k, rows[k]) == 0
        assert fmu.step(t, h) == 0
        memory, y, _ = step_map.advance(memory, t, h, rows, p)
        np.testing.assert_allclose(fmu.get(["through", "flow"]), y, rtol=1e-11)
        t += h
    exact = closed_form(1.0, 3.0 * ROWS[:, 0], 0.5, t)
    bound = {0: 2e-2, 1: 1e-3, 3: 1e-3}[order]
    assert fmu.get("state.x")[0] == pytest.approx(exact, abs=bound)
    fmu.free()


def test_a_derivative_that_does_not_exist_is_refused_by_name(libraries, subjects):
    fmu, _ = stepped(libraries, subjects, "network", "3.0")
    with pytest.raises(AssertionError, match="`current_A` cannot be the unknown"):
        fmu.directional("current_A", "gain", 1.0)
    with pytest.raises(AssertionError, match="2 values were given"):
        fmu.directional("energy_J", "gain", [1.0, 2.0])
    fmu.free()


def test_derivatives_of_the_start_are_those_of_initialize(heat_step_map, tmp_path):
    for version in VERSIONS:
        fmu = RawFmu(*made(heat_step_map, tmp_path, version)).start()
        one = fmu.directional("temperature_K", "start_temperature_K", 1.0)
        assert one[0] == 1.0
        assert fmu.directional("temperature_K", "heat_W", 1.0)[0] == 0.0
        fmu.free()


def test_without_derivatives_the_flag_is_absent(rc_step_map, tmp_path):
    library, source = made(rc_step_map, tmp_path, "3.0", has_derivatives=False)
    assert "providesDirectionalDerivatives" not in source.model_description
    assert "state." not in source.model_description
    fmu = RawFmu(library, source).start().exit()
    with pytest.raises(AssertionError, match="is not provided"):
        fmu.directional("capacitor_voltage_V", "source_voltage_V", 1.0)
    fmu.free()
    assert isinstance(rc_step_map.step, ca.Function)


WORKING_POINTS = {
    "cell": [4.0, 300.0, 20.0],
    "vehicle": [15.0, 0.3, 1.0, 500.0, 80e3, 60e3],
    "cooling": [500.0, 303.0, 12.0, 0.6, 0.4, 0.3, 100.0],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WORKING_POINTS))
def test_derivatives_of_shipped_models_are_differences_of_fourth_order(name, tmp_path):
    step_map = shipped(name)
    fmu = RawFmu(*made(step_map, tmp_path, "3.0")).start().exit()
    inputs, u = step_map.interface.input_names, np.array(WORKING_POINTS[name])
    for k in range(3):
        fmu.set(inputs, u * (1.0 + 0.01 * k))
        assert fmu.step(float(k), 1.0) == 0
    state, h = fmu.save(), 3.7
    unknowns = [v.name for v in step_map.interface.outputs if v.sampling == "mean"]
    unknowns += [k for k in fmu.size if k.startswith("state.")]
    perturbed(fmu, state, 3.0, h, dict(zip(inputs, u, strict=True)))
    tangents = [fmu.directional(unknowns, known, 1.0) for known in inputs]
    for i, known in enumerate(inputs):
        size = 1e-4 * max(abs(u[i]), 1e-2)
        ends = []
        for shift in (2, 1, -1, -2):
            moved = u + shift * size * np.eye(len(u))[i]
            perturbed(fmu, state, 3.0, h, dict(zip(inputs, moved, strict=True)))
            ends.append(fmu.get(unknowns))
        want = (8.0 * (ends[1] - ends[2]) - (ends[0] - ends[3])) / (12.0 * size)
        noise = 3e-14 * np.maximum(np.abs(ends[0]), 1e-3) / size
        bound = 1e-6 * np.maximum(np.abs(want), np.abs(tangents[i])) + noise
        assert (np.abs(want - tangents[i]) <= bound).all(), known
    fmu.free()
