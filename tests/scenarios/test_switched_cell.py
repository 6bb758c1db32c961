"""The hybrid cell with its physics behind it: totals, ports and heat agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pybamm
import pytest

from packtwin.pybamm_models.cells import Mesh, find_cell
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.switched_cell import cell_lift, switched_cell
from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.errors import InterfaceError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.surrogate_core import view_core
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec

pytestmark = pytest.mark.fmu


DWELL_S = 60.0
NAME = "lg_m50_oregan2022"
COARSE = Mesh(x_n=6, x_s=3, x_p=4, r_n=12, r_p=8, r_n_stretch=4.0, r_p_stretch=3.0)
# State of charge, temperature, capacity factor, further resistance.
P = np.array([0.6, 298.15, 1.0, 0.0])
WEAK = np.array([0.6, 298.15, 0.9, 5e-3])
MILD, STRONG = np.array([4.0, 293.15, 30.0]), np.array([16.0, 293.15, 30.0])


@pytest.fixture(scope="module")
def spec() -> SurrogateSpec:
    return load_spec(find_path("surrogate", NAME))


@pytest.fixture(scope="module")
def cell(spec: SurrogateSpec) -> CompiledSwitched:
    """The shipped cell before a coarse SPMe, which compiles in seconds."""
    body = replace(find_cell(NAME), mesh=COARSE)
    return CompiledSwitched(switched_cell(spec, body, family="SPMe", dwell_s=DWELL_S))


def run(
    cell: CompiledSwitched, rows: list[np.ndarray], p: np.ndarray = P
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Return the memories, the start's first, and the outputs by name."""
    memory, y = cell.start(rows[0], p)
    memories, seen = [memory], [y]
    for k, u in enumerate(rows):
        memory, y, status = cell.advance(memory, float(k), 1.0, u, p)
        assert status is StepStatus.OK
        memories.append(memory)
        seen.append(y)
    table = np.array(seen)
    return memories, {
        name: table[:, k] for k, name in enumerate(cell.interface.output_names)
    }


def totals(
    cell: CompiledSwitched, spec: SurrogateSpec, memory: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return both mean stoichiometries and the temperature of either part."""
    *core, heat_J = memory[: cell.switched.at_side]
    view = view_core(spec.constants, list(core))
    warm_K = float(spec.tables["temperature_K"].numpy(np.array(heat_J)))
    model = cell.switched.exact.model
    n_x, n_z = len(model.states), len(model.algebraic_states)
    own = memory[cell.switched.at_exact :]
    y = model.outputs(0.0, own[:n_x], own[n_x : n_x + n_z], MILD, P).full().ravel()
    names = model.interface.output_names
    wanted = ("stoichiometry_negative_mean", "stoichiometry_positive_mean")
    values = [y[names.index(name)] for name in (*wanted, "temperature_K")]
    return np.array([view.x, view.y, warm_K]), np.array(values)


def test_lift_and_project_keep_lithium_and_temperature(
    cell: CompiledSwitched, spec: SurrogateSpec
) -> None:
    rng = np.random.default_rng(0)
    rows = [np.array([c, 293.15, 30.0]) for c in rng.uniform(-4.0, 6.0, 200)]
    memories, y = run(cell, rows)
    assert not y["is_physics"].any()
    lifted = cell.lift(memories[-1], 200.0, MILD, P)
    at = cell.switched.at_exact
    fast, physics = totals(cell, spec, np.concatenate([memories[-1][:at], lifted]))
    np.testing.assert_allclose(physics, fast, rtol=1e-12)
    memory = memories[-1]
    for k in range(10):
        memory, _, _ = cell.advance(memory, 200.0 + k, 1.0, STRONG, P)
        fast, physics = totals(cell, spec, memory)
        np.testing.assert_allclose(fast, physics, rtol=1e-12)


def test_the_physics_after_a_switch_is_the_physics_from_the_start(
    cell: CompiledSwitched,
) -> None:
    rng = np.random.default_rng(2)
    rows = [np.array([c, 293.15, 30.0]) for c in rng.uniform(-6.0, 6.0, 40)]
    rows += [STRONG] * 19
    _, y = run(cell, rows)
    assert not y["is_physics"][:41].any()
    assert y["is_physics"][41:].all()
    # Started outside, the physics answers for the whole dwell.
    memory, _ = cell.start(STRONG, P)
    truth = []
    for k, u in enumerate(rows):
        memory, row, _ = cell.advance(memory, float(k), 1.0, u, P)
        truth.append(row)
    table = dict(zip(cell.interface.output_names, np.array(truth).T, strict=True))
    assert table["is_physics"].all()
    for name, bound in (
        ("voltage_V", "voltage_bound_V"),
        ("plating_potential_V", "plating_bound_V"),
    ):
        error = np.abs(y[name][41:] - table[name][40:]).max()
        learned = np.abs(y[name][1:41] - table[name][:40]).max()
        assert error < min(1e-3, y[bound][40], learned)


@pytest.mark.parametrize("p", [P, WEAK], ids=["certified", "weak"])
def test_heat_and_power_balance_in_both_parts(
    cell: CompiledSwitched, p: np.ndarray
) -> None:
    _, y = run(cell, [MILD] * 30 + [STRONG] * 40 + [MILD] * 40, p)
    assert 60 <= y["is_physics"].sum() < 80
    assert y["is_physics"][-1] == 0.0
    warming_W = np.diff(y["stored_heat_J"])
    kept_W = y["heat_generation_W"] - y["heat_cell_to_coolant_W"]
    np.testing.assert_allclose(warming_W, kept_W[1:], atol=1e-9)
    np.testing.assert_allclose(
        y["chemical_power_W"],
        y["electrical_power_W"] + y["heat_generation_W"],
        atol=1e-9,
    )
    # The physics' own heat, at the ends of steps, says the same as the balance.
    model, at = cell.switched.exact.model, y["is_physics"] > 0.0
    assert "heat_generation_W" in model.interface.output_names
    assert y["heat_generation_W"][at].min() > 0.4


def test_a_cell_of_other_capacity_is_the_same_cell_at_a_scaled_current(
    cell: CompiledSwitched,
) -> None:
    names = cell.interface.output_names
    voltage, heat = names.index("voltage_V"), names.index("heat_generation_W")
    u, small = (
        STRONG * [1.0, 1.0, 0.0],
        P * [1.0, 1.0, 0.8, 0.0] + [0.0, 0.0, 0.0, 0.01],
    )
    scaled = u * [0.8, 1.0, 1.0]
    (memory, y), (other, weak) = cell.start(u, P), cell.start(scaled, small)
    assert weak[voltage] == pytest.approx(y[voltage] - 0.01 * scaled[0], abs=1e-9)
    wanted_W = 0.8 * y[heat] + 0.01 * scaled[0] ** 2
    assert weak[heat] == pytest.approx(wanted_W, rel=1e-9)
    # All of it goes into the same body: nothing is cooled here.
    at = cell.switched.at_side - 1
    for state, inputs, p, heat_W in (
        (memory, u, P, y[heat]),
        (other, scaled, small, weak[heat]),
    ):
        new, _, _ = cell.advance(state, 0.0, 1e-3, inputs, p)
        assert (new[at] - state[at]) / 1e-3 == pytest.approx(heat_W, rel=1e-3)


def test_the_guard_knows_the_certified_ranges(cell: CompiledSwitched) -> None:
    names = cell.interface.output_names
    distance = names.index("domain_distance")
    for u, p, trips in (
        (MILD * 0.0 + [0.5, 298.15, 20.0], P, False),
        (np.array([13.5, 298.15, 20.0]), P, True),  # 2.7C
        (
            np.array([0.5, 298.15, 20.0]),
            P * [0.0, 1.0, 1.0, 1.0] + [0.02, 0, 0, 0],
            True,
        ),
        (np.array([0.5, 332.0, 20.0]), np.array([0.6, 332.0, 1.0, 0.0]), True),
        (np.array([4.0, 268.15, 20.0]), np.array([0.6, 268.15, 1.0, 0.0]), True),
        (np.array([0.5, 268.15, 20.0]), np.array([0.6, 268.15, 1.0, 0.0]), False),
    ):
        _, y = cell.start(u, p)
        assert y[names.index("is_in_domain")] == float(not trips)
        assert y[names.index("is_physics")] == float(trips)
        assert np.isfinite(y[distance])


def test_a_lift_needs_a_temperature(
    spec: SurrogateSpec, cell: CompiledSwitched
) -> None:
    switched = cell.switched
    model = switched.exact.model
    states = tuple(
        replace(v, name="other_K") if v.name.endswith("_K") else v for v in model.states
    )
    with pytest.raises(InterfaceError, match="needs a lumped temperature"):
        cell_lift(spec, switched.fast, replace(model, states=states))


@pytest.fixture(scope="module")
def shipped(spec: SurrogateSpec) -> CompiledSwitched:
    """The shipped cell before the DFN on its converged mesh: a minute to compile."""
    return CompiledSwitched(switched_cell(spec, find_cell(NAME)))


@pytest.mark.slow
def test_lift_keeps_the_salt(shipped: CompiledSwitched) -> None:
    model = shipped.switched.exact.model
    at = [k for k, v in enumerate(model.states) if "porosity_times" in v.name]
    assert at
    memories, _ = run(shipped, [MILD] * 100 + [-MILD * [1.0, -1.0, -1.0]] * 100)
    lifted = shipped.lift(memories[-1], 200.0, MILD, P)
    fresh = shipped.lift(memories[0], 0.0, MILD, P)
    mesh = find_cell(NAME).mesh
    parameters = pybamm.ParameterValues("ORegan2022")
    points = {"negative": mesh.x_n, "separator": mesh.x_s, "positive": mesh.x_p}
    keys = {"separator": "Separator thickness [m]"} | {
        side: f"{side.capitalize()} electrode thickness [m]"
        for side in ("negative", "positive")
    }
    domains = [model.states[k].name.split("_")[0] for k in at]
    widths = np.array([parameters[keys[d]] / points[d] for d in domains])
    assert np.ptp(lifted[at]) > 5.0
    assert widths @ lifted[at] == pytest.approx(widths @ fresh[at], rel=1e-12)


@pytest.mark.slow
def test_an_empty_cell_refuses_and_keeps_its_memory(shipped: CompiledSwitched) -> None:
    u, p = np.array([12.0, 298.15, 20.0]), np.array([0.06, 298.15, 1.0, 0.0])
    memory, _ = shipped.start(u, p)
    for k in range(1500):
        saved = memory.copy()
        memory, _, status = shipped.advance(memory, float(k), 1.0, u, p)
        if status is StepStatus.REFUSED:
            break
    assert status is StepStatus.REFUSED
    np.testing.assert_array_equal(memory, saved)
    reason = str(shipped.refusal(memory, float(k), 1.0, u, p))
    assert "refused the step" in reason
    _, _, status = shipped.advance(memory, float(k), 1.0, u * [0.0, 1.0, 1.0], p)
    assert status is StepStatus.OK


@pytest.mark.slow
def test_lithium_is_the_counted_charge_across_switches(
    shipped: CompiledSwitched, spec: SurrogateSpec
) -> None:
    rng, n = np.random.default_rng(0), 6000
    spread_A = np.where((np.arange(n) // 300) % 2 == 0, 2.0, 10.0)
    current_A = rng.normal(0.0, spread_A)
    current_A -= current_A.mean()
    memories, y = run(shipped, [np.array([c, 298.15, 50.0]) for c in current_A])
    assert np.count_nonzero(np.diff(y["is_physics"]) > 0) > 5
    first, last = (
        view_core(spec.constants, list(m[: shipped.switched.at_side - 1]))
        for m in (memories[0], memories[-1])
    )
    charge_Ah = current_A.sum() / 3600.0
    c = spec.constants
    gained_Ah = (last.x - first.x) * c.negative_capacity_Ah
    assert gained_Ah == pytest.approx(-charge_Ah, abs=5e-12 * c.nominal_capacity_Ah)
    gained_Ah = (last.y - first.y) * c.positive_capacity_Ah
    assert gained_Ah == pytest.approx(charge_Ah, abs=5e-12 * c.nominal_capacity_Ah)
