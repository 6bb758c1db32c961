"""A switched step map answers by the physics where its guard trips, at once."""

from __future__ import annotations

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.steppable import SteppableCode
from packtwin.twin.switched import Guard, Lift
from tests.twin.switched_models import BIAS, RATE, Reference, two_stores

pytestmark = pytest.mark.fmu
P = np.array([1.0])
IS_IN_DOMAIN, IS_PHYSICS = 3, 4


@pytest.fixture(scope="module")
def stores() -> CompiledSwitched:
    return CompiledSwitched(two_stores())


def follow(
    step_map: CompiledSwitched, rows: np.ndarray, h: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Step through rows of inputs; return the memory and the outputs of each."""
    memory, _ = step_map.start(np.zeros(2), P)
    seen = []
    for k, u in enumerate(rows):
        memory, y, status = step_map.advance(memory, k * h, h, u, P)
        assert status is StepStatus.OK
        seen.append(y)
    return memory, np.array(seen)


def scripted(distances: list[float], inflow: float = 0.5) -> np.ndarray:
    return np.column_stack([np.full(len(distances), inflow), distances])


def test_c_equals_the_python_reference(stores: CompiledSwitched) -> None:
    rng = np.random.default_rng(0)
    reference = Reference(switched=stores.switched)
    u = np.array([0.3, 0.2])
    memory, y = stores.start(u, P)
    np.testing.assert_allclose(y, reference.start(u, P), rtol=0, atol=1e-15)
    t, distance, refused, sides = 0.0, 0.0, 0, []
    for _ in range(600):
        distance = float(np.clip(distance + rng.normal(0.0, 0.4), 0.0, 1.6))
        u = np.array([rng.uniform(-1.0, 1.0), distance])
        if rng.random() < 0.05:
            u[0] = 6.0  # more than the exact part can follow
        h = float(10.0 ** rng.uniform(-1.0, 1.0))
        new, y, status = stores.advance(memory, t, h, u, P)
        wanted = reference.step(t, h, u, P)
        if wanted is None:
            assert status is StepStatus.REFUSED
            np.testing.assert_array_equal(new, memory)
            refused += 1
            continue
        assert status is StepStatus.OK
        np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(new[:2], reference.fast_memory, atol=1e-12)
        memory, t = new, t + h
        sides.append(y[IS_PHYSICS])
        if u[0] == 6.0:  # in domain: gone through by the fast part, not by the past
            reference = Reference(switched=stores.switched)
            memory, _ = stores.start(u * 0.0, P)
            reference.start(u * 0.0, P)
    assert refused > 5
    assert np.count_nonzero(np.diff(sides)) > 10


def test_a_lift_leaves_the_algebraic_states_consistent_under_constant_inputs() -> None:
    shifted = CompiledSwitched(two_stores(name="shifted", shift=0.5))
    rows = scripted([0.0] * 20, inflow=0.2)
    memory, _ = follow(shifted, rows)
    exact = shifted.lift(memory, 20.0, rows[-1], P)
    a, b, z = exact[:3]
    assert a + b == pytest.approx(1.0 + 20 * 0.2 + 2 * 0.5, rel=1e-9)
    assert np.exp(z) == pytest.approx(5.0 - 0.2 + a + b, rel=1e-6)
    _, y, status = shifted.advance(memory, 20.0, 1.0, np.array([0.2, 2.0]), P)
    assert status is StepStatus.OK
    assert y[IS_PHYSICS] == 1.0


def test_the_step_that_trips_is_answered_by_the_physics(
    stores: CompiledSwitched,
) -> None:
    _, y = follow(stores, scripted([0.5] * 20 + [1.2]))
    t = np.arange(1.0, 22.0)
    a = 0.5 * (1.0 + 0.5 * t + 0.5 / (2 * RATE) * (1.0 - np.exp(-2 * RATE * t)))
    np.testing.assert_allclose(y[:20, 0], a[:20] + BIAS, atol=1e-12)
    assert y[20, 0] == pytest.approx(a[20], abs=3e-5)
    assert y[:, IS_PHYSICS].tolist() == [0.0] * 20 + [1.0]
    assert y[:, IS_IN_DOMAIN].tolist() == [1.0] * 20 + [0.0]


def test_it_returns_below_the_lower_threshold_after_the_dwell() -> None:
    step_map = CompiledSwitched(two_stores(dwell_s=5.0, back=0.8, name="hysteresis"))
    distances = [0.9, 1.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.8, 0.9, 1.0, 1.01]
    _, y = follow(step_map, scripted(distances))
    #          trip  dwell of 5 s -------  above 0.8   back after 0.8    trip
    assert y[:, IS_PHYSICS].tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1]


def test_a_wild_guard_cannot_make_it_chatter(stores: CompiledSwitched) -> None:
    rng = np.random.default_rng(1)
    _, y = follow(stores, scripted(rng.choice([0.0, 2.0], 2000).tolist()))
    switches = np.flatnonzero(np.diff(y[:, IS_PHYSICS]) > 0)
    assert len(switches) > 50
    assert np.diff(switches).min() > stores.switched.guard.dwell_s


def test_lift_keeps_the_total_whatever_the_past_has_lost(
    stores: CompiledSwitched,
) -> None:
    rng = np.random.default_rng(2)
    inflow = rng.uniform(-1.0, 1.0, 3000)
    rows = np.column_stack([inflow, np.zeros(3000)])
    fine = CompiledSwitched(two_stores(n_knot=64, name="fine"))
    lost = []
    for step_map in (stores, fine):
        memory, _ = follow(step_map, rows)
        exact = step_map.lift(memory, 3000.0, np.zeros(2), P)
        assert memory[0] == pytest.approx(1.0 + inflow.sum(), abs=1e-11)
        assert exact[0] + exact[1] == pytest.approx(memory[0], abs=1e-12)
        lost.append(abs(exact[0] - exact[1] - memory[1]))
    assert lost[1] < 0.2 * lost[0]  # 64 knots know more of the past than 8


def test_lift_is_exact_where_the_past_fits_into_its_knots(
    stores: CompiledSwitched,
) -> None:
    inflow = np.repeat([0.5, -1.0, 0.2, 0.0, 0.7], 40)
    memory, _ = follow(stores, np.column_stack([inflow, np.zeros(200)]))
    exact = stores.lift(memory, 200.0, np.zeros(2), P)
    assert exact[0] - exact[1] == pytest.approx(memory[1], abs=1e-3)


def test_project_follows_the_physics_in_every_step(stores: CompiledSwitched) -> None:
    rng = np.random.default_rng(3)
    rows = np.column_stack([rng.uniform(-1.0, 1.0, 300), np.full(300, 2.0)])
    memory, _ = stores.start(np.zeros(2), P)
    for k, u in enumerate(rows):
        memory, _, _ = stores.advance(memory, float(k), 1.0, u, P)
        x = memory[stores.switched.at_exact :][:2]
        assert memory[0] == pytest.approx(x.sum(), abs=1e-12)
        assert memory[1] == pytest.approx(x[0] - x[1], abs=1e-12)


def test_there_and_back_keeps_the_total(stores: CompiledSwitched) -> None:
    rng = np.random.default_rng(4)
    distance = np.where(np.arange(2000) % 100 < 50, 0.5, 1.5)
    rows = np.column_stack([rng.uniform(-1.0, 1.0, 2000), distance])
    memory, y = follow(stores, rows)
    assert np.count_nonzero(np.diff(y[:, IS_PHYSICS]) > 0) == 20
    assert memory[0] == pytest.approx(1.0 + rows[:, 0].sum(), abs=1e-11)


def test_a_start_outside_is_a_start_of_the_physics(stores: CompiledSwitched) -> None:
    memory, y = stores.start(np.array([0.5, 3.0]), P)
    assert (y[0], y[IS_IN_DOMAIN], y[IS_PHYSICS]) == (0.5, 0.0, 1.0)
    _, y, _ = stores.advance(memory, 0.0, 1.0, np.array([0.5, 0.1]), P)
    assert y[IS_PHYSICS] == 1.0
    with pytest.raises(StepError, match="no consistent start"):
        stores.start(np.array([6.0, 3.0]), P)


@pytest.mark.parametrize("is_physics", [False, True])
def test_a_refused_step_changes_nothing_and_says_why(
    stores: CompiledSwitched, is_physics: bool
) -> None:
    rows = scripted([0.5] * 5 + [1.5 if is_physics else 0.5])
    memory, _ = follow(stores, rows)
    saved = memory.copy()
    bad, good = np.array([6.0, 1.5]), np.array([0.5, 1.5])
    new, y, status = stores.advance(memory, 6.0, 1.0, bad, P)
    assert status is StepStatus.REFUSED
    np.testing.assert_array_equal(new, saved)
    assert np.isnan(y).all()
    reason = str(stores.refusal(memory, 6.0, 1.0, bad, P))
    assert "`stores_exact` refused the step of 1 s from 6 s" in reason
    assert "`z[0]`" in reason
    _, y, status = stores.advance(new, 6.0, 1.0, good, P)
    assert status is StepStatus.OK
    assert y[IS_PHYSICS] == 1.0
    with pytest.raises(InterfaceError, match="is not refused"):
        stores.refusal(new, 6.0, 1.0, good, P)


def test_refusals_name_the_part_that_refused(stores: CompiledSwitched) -> None:
    memory, _ = follow(stores, scripted([0.5, 0.5]))
    bad = np.array([np.nan, 0.5])
    assert "`stores_fast` is not finite" in str(
        stores.refusal(memory, 2.0, 1.0, bad, P)
    )
    # The fast part went where the physics cannot: then there is no way to lift.
    memory, _, _ = stores.advance(memory, 2.0, 9.0, np.array([6.0, 0.5]), P)
    trips = np.array([0.5, 1.5])
    _, _, status = stores.advance(memory, 11.0, 1.0, trips, P)
    assert status is StepStatus.REFUSED
    reason = str(stores.refusal(memory, 11.0, 1.0, trips, P))
    assert "cannot follow the past inputs beyond 2 s" in reason
    with pytest.raises(StepError, match="cannot follow the past"):
        stores.lift(memory, 11.0, trips, P)


def test_a_component_reports_the_reason(stores: CompiledSwitched) -> None:
    component = StepMapComponent(stores)
    component.initialize(0, np.array([0.5, 2.0]))
    report = component.step(0, ticks(1.0), np.array([6.0, 2.0]))
    assert report.status is StepStatus.REFUSED
    assert "`stores_exact` refused the step" in report.message


def test_outputs_depend_on_what_either_part_depends_on(
    stores: CompiledSwitched,
) -> None:
    assert isinstance(stores.switched, SteppableCode)
    assert stores.feedthrough == {
        ("u[0]", "y[2]"),
        ("u[1]", "y[1]"),
        ("u[1]", "is_in_domain"),
        ("u[1]", "is_physics"),
    }
    assert "`is_physics` says" in stores.switched.remark


def test_parts_that_do_not_fit_are_refused() -> None:
    switched = two_stores()
    with pytest.raises(InterfaceError, match="three different names"):
        replace(switched, name="stores_fast")
    with pytest.raises(InterfaceError, match="`project` of `stores` takes sizes"):
        replace(switched, project=switched.answer)
    with pytest.raises(InterfaceError, match="scales 1 inputs in its past, expected 2"):
        replace(switched, lift=replace(switched.lift, scales=(1.0,)))
    other = two_stores(name="other").fast
    renamed = replace(other.interface.inputs[0], name="v[0]")
    ports = replace(other.interface, inputs=(renamed, *other.interface.inputs[1:]))
    with pytest.raises(InterfaceError, match="both need the same"):
        replace(switched, fast=replace(other, interface=ports))
    distance = ca.Function("distance", [ca.SX.sym("x")], [ca.SX(0.0)])
    with pytest.raises(InterfaceError, match="expected a distance of 0 to 1"):
        Guard(distance=distance, back=1.1)
    with pytest.raises(InterfaceError, match="dwell above 0 s"):
        Guard(distance=distance, dwell_s=0.0)
    with pytest.raises(InterfaceError, match="at least 3 knots"):
        Lift(correct=distance, scales=(1.0,), n_knot=2)


def test_vectors_of_the_wrong_size_are_refused(stores: CompiledSwitched) -> None:
    memory, _ = stores.start(np.zeros(2), P)
    with pytest.raises(InterfaceError, match="memory of `stores` have shape"):
        stores.advance(memory[1:], 0.0, 1.0, np.zeros(2), P)
    with pytest.raises(InterfaceError, match="inputs of `stores` have shape"):
        stores.start(np.zeros(1), P)
