from __future__ import annotations

import math

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.differentiable_run import DifferentiableRun
from packtwin.cosim.function_component import PeriodicComponent
from packtwin.cosim.masters import AbstractExplicitMaster, GaussSeidel, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.component import StepMapComponent
from packtwin.twin.errors import StepError, WiringError
from packtwin.twin.variable import Interface, Variable
from tests.cosim.coupled_lumps import (
    OUTPUTS,
    PARAMETERS,
    cell_step_map,
    cooler_step_map,
    coupled,
)
from tests.cosim.test_masters import mass
from tests.fakes import Fake

MASTERS = [GaussSeidel(), Jacobi()]


def run_of(system: System | None = None, **options) -> DifferentiableRun:
    given = {
        "parameters": PARAMETERS,
        "outputs": OUTPUTS,
        "stop_s": 10.0,
        "step_s": 0.5,
    }
    return DifferentiableRun(system or coupled(), **given | options)


def weights_of(run: DifferentiableRun) -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.normal(size=(len(run.times_s), len(run.outputs)))


def differences(run: DifferentiableRun, weights: np.ndarray) -> np.ndarray:
    """Central differences of fourth order of whole runs."""
    found = []
    for i, value in enumerate(run.start):
        move = 1e-3 * value * np.eye(len(run.start))[i]
        losses = [
            float(np.sum(weights * run.values(run.start + k * move)))
            for k in (2, 1, -1, -2)
        ]
        near, far = losses[1] - losses[2], losses[0] - losses[3]
        found.append((8.0 * near - far) / (12.0 * 1e-3 * value))
    return np.array(found)


class Opaque:
    """A component whose derivatives nobody knows."""

    def __init__(self, inner: StepMapComponent, lies: bool = False) -> None:
        self.inner, self.lies = inner, lies

    def __getattr__(self, name):
        if name == "sensitivities":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def restore(self, state):
        if not self.lies:
            self.inner.restore(state)


def opaque_cell() -> Opaque:
    return Opaque(StepMapComponent(cell_step_map(), name="cell"))


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: m.name)
@pytest.mark.parametrize("method", ["adjoint", "tangent"])
def test_gradients_are_differences_of_whole_runs(
    master: AbstractExplicitMaster, method
) -> None:
    run = run_of(master=master, method=method)
    weights = weights_of(run)
    found = run.gradient(run.start, weights)
    np.testing.assert_allclose(found, differences(run, weights), rtol=2e-8)
    assert run.provenance["gradient"] == method
    assert run.provenance["by differences"] == "none"


def test_the_adjoint_is_the_transposed_tangent() -> None:
    weights = weights_of(run_of())
    found = [
        run_of(method=method).gradient(run_of().start, weights)
        for method in ("adjoint", "tangent")
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-11)


def test_values_are_those_of_simulate() -> None:
    run = run_of()
    result = simulate(coupled(), stop_s=10.0, step_s=0.5)
    found = run.values(run.start)
    for k, name in enumerate(OUTPUTS):
        np.testing.assert_array_equal(found[:, k], result[name])
    np.testing.assert_array_equal(run.times_s, result.time_s)


def test_other_parameters_change_the_run_and_their_own_bring_it_back() -> None:
    run = run_of()
    first = run.values(run.start)
    assert np.abs(run.values(1.1 * run.start) - first).max() >= 1.0
    np.testing.assert_array_equal(run.values(run.start), first)


def test_through_an_opaque_component_tangents_are_differences_and_said_so() -> None:
    run = run_of(coupled(cell=opaque_cell()))
    weights = weights_of(run)
    found = run.gradient(run.start, weights)
    exact = run_of().gradient(run.start, weights)
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    assert run.provenance["gradient"] == "tangent"
    assert run.provenance["by differences"] == "cell"


def test_an_adjoint_through_an_opaque_component_is_refused_by_name() -> None:
    run = run_of(coupled(cell=opaque_cell()), method="adjoint")
    with pytest.raises(WiringError, match=r"`cell` cannot tell .* method `tangent`"):
        run.gradient(run.start, weights_of(run))


def test_gradients_of_two_masses_are_those_of_the_discrete_equations() -> None:
    """The scheme is linear in the start, so a gradient is a column of its matrix."""
    system = System(
        [mass("left", 1.0), mass("right", 0.0)],
        [
            Connection("left.displacement_m", "right.neighbour_m"),
            Connection("right.displacement_m", "left.neighbour_m"),
        ],
    )
    run = DifferentiableRun(
        system,
        parameters=["left.start_m", "right.start_m"],
        outputs=["right.displacement_m"],
        stop_s=20.0,
        step_s=0.1,
    )
    weights = np.zeros((201, 1))
    weights[-1] = 1.0
    by_hand = [run.values(unit)[-1, 0] for unit in np.eye(2)]
    np.testing.assert_allclose(
        run.gradient(np.array([0.3, -0.7]), weights), by_hand, rtol=1e-12
    )


def test_only_the_square_root_of_all_states_is_kept() -> None:
    cell = StepMapComponent(cell_step_map(), name="cell")
    alive, most = [], []

    class Counting(Opaque):
        def save(self):
            class State(list):
                def __del__(self):
                    alive.pop()

            alive.append(None)
            most.append(len(alive))
            return State([self.inner.save()])

        def restore(self, state):
            self.inner.restore(state[0])

        def sensitivities(self):
            return None

    n = 400
    run = run_of(coupled(cell=Counting(cell)), stop_s=n * 0.05, step_s=0.05)
    run.values(run.start)
    assert max(most) <= math.isqrt(n) + 2


def test_the_adjoint_keeps_two_square_roots_of_states() -> None:
    n, counts = 100, []
    component = StepMapComponent(cell_step_map(), name="cell")
    run = run_of(coupled(cell=component), stop_s=n * 0.05, step_s=0.05)
    weights = weights_of(run)
    run.values(run.start)
    replay = run._tape._replay
    run._tape._replay = lambda a, b: (counts.append(b - a), replay(a, b))[1]
    run.gradient(run.start, weights)
    assert max(counts) == math.isqrt(n)
    assert len(counts) == math.isqrt(n)


def test_a_component_that_cannot_go_back_as_it_says_is_found() -> None:
    cell = StepMapComponent(cell_step_map(), name="cell")
    run = run_of(coupled(cell=Opaque(cell, lies=True)))
    with pytest.raises(StepError, match="does not repeat a step after going back"):
        run.gradient(run.start, weights_of(run))


def test_a_component_that_cannot_rewind_is_refused_by_name() -> None:
    system = System([Fake("a")])
    with pytest.raises(WiringError, match="`a` cannot rewind"):
        DifferentiableRun(system, parameters=(), outputs=(), stop_s=1.0, step_s=0.1)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("cell.resistance", r"nearest: `cell\.resistance_Ohm`"),
        ("cell.current_A", "neither a parameter .* nor a constant"),
        ("cel.resistance_Ohm", "no component `cel`; nearest: `cell`"),
    ],
)
def test_unknown_parameters_offer_the_nearest(parameter: str, words: str) -> None:
    with pytest.raises(WiringError, match=words):
        run_of(parameters=[parameter])


def test_an_unknown_output_offers_the_nearest() -> None:
    with pytest.raises(WiringError, match="temperature_K"):
        run_of(outputs=["cell.temperature"])


def test_a_sampled_controller_is_differentiated_by_differences() -> None:
    """A smooth function of its input, sampled every second step."""
    controller = PeriodicComponent(
        "controller",
        Interface(
            inputs=(Variable(name="temperature_K", start=300.0),),
            outputs=(Variable(name="derating", start=1.0),),
        ),
        1.0,
        lambda t, u, memory: ([1.0 / (1.0 + np.exp((u[0] - 330.0) / 15.0))], memory),
    )
    parts = [*coupled().components, controller]
    system = System(
        parts,
        [
            Connection("load.current_A", "cell.current_A"),
            Connection("cell.heat_W", "cooler.heat_W"),
            Connection("cooler.coolant_degC", "cell.coolant_K"),
            Connection("cell.temperature_K", "controller.temperature_K"),
            Connection("controller.derating", "cell.derating", is_delayed=True),
        ],
        constants={"cooler.ambient_K": 293.0},
    )
    run = run_of(system)
    weights = weights_of(run)
    found = run.gradient(run.start, weights)
    np.testing.assert_allclose(found, differences(run, weights), rtol=1e-6)
    assert run.provenance["by differences"] == "controller"


def test_derivatives_of_steps_are_the_same_after_more_than_one_substep() -> None:
    component = StepMapComponent(cooler_step_map(), name="cooler")
    run = run_of(coupled(cooler=component), step_s=2.5)
    weights = weights_of(run)
    np.testing.assert_allclose(
        run.gradient(run.start, weights), differences(run, weights), rtol=2e-8
    )
