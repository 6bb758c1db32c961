from __future__ import annotations

import math

import casadi as ca
import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import AbstractMaster, GaussSeidel, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.component import StepMapComponent
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.variable import Interface, Variable
from tests.fakes import Clock, Fake, Gain

STIFFNESS, DAMPING, COUPLING, DURATION_S = 2.0, 0.1, 1.0, 20.0


def mass(name: str, displacement_m: float) -> StepMapComponent:
    """x'' = -2 x - 0.1 x' + u of a unit mass; u is the other's displacement."""
    interface = Interface(
        inputs=(Variable(name="neighbour_m"),),
        outputs=(Variable(name="displacement_m"),),
        parameters=(Variable(name="start_m"),),
    )
    states = (Variable(name="x_m"), Variable(name="v_m_per_s"))
    t = ca.SX.sym("t")
    x, at = names_to_symbols(states, "x")
    u, by = names_to_symbols(interface.inputs, "u")
    p, of = names_to_symbols(interface.parameters, "p")
    force = -STIFFNESS * at["x_m"] - DAMPING * at["v_m_per_s"]
    model = model_from_expressions(
        name,
        interface,
        states,
        symbols=(t, x, u, p),
        rhs={
            "x_m": at["v_m_per_s"],
            "v_m_per_s": force + COUPLING * by["neighbour_m"],
        },
        outputs={"displacement_m": at["x_m"]},
        initial={"x_m": of["start_m"], "v_m_per_s": ca.SX(0)},
    )
    step_map = integrate(model, "rk4", symbol=ca.SX)
    return StepMapComponent(step_map, parameters={"start_m": displacement_m})


def two_masses() -> System:
    return System(
        [mass("left", 1.0), mass("right", 0.0)],
        [
            Connection("left.displacement_m", "right.neighbour_m"),
            Connection("right.displacement_m", "left.neighbour_m"),
        ],
    )


def exact_displacements(time_s: np.ndarray) -> np.ndarray:
    """Matrix exponential of the coupled system by its eigenvectors."""
    k, d, c = STIFFNESS, DAMPING, COUPLING
    a = np.array([[0, 1, 0, 0], [-k, -d, c, 0], [0, 0, 0, 1], [c, 0, -k, -d]])
    rates, modes = np.linalg.eig(a)
    weights = np.linalg.solve(modes, np.array([1.0, 0.0, 0.0, 0.0]))
    states = (modes * weights) @ np.exp(np.outer(rates, time_s))
    return states.real[[0, 2]].T


def rms_m(master: AbstractMaster, step_s: float) -> float:
    result = simulate(two_masses(), stop_s=DURATION_S, step_s=step_s, master=master)
    error = result.values - exact_displacements(result.time_s)
    return float(np.sqrt(np.mean(error**2)))


# Zero-order hold of the same oscillator by three published tools and by hand.
@pytest.mark.parametrize(
    ("master", "anchor_m"), [(Jacobi(), 7.45e-2), (GaussSeidel(), 2.10e-2)]
)
def test_error_at_a_step_of_a_tenth_equals_that_of_other_masters(master, anchor_m):
    assert rms_m(master, 0.1) == pytest.approx(anchor_m, rel=0.05)


@pytest.mark.parametrize("master", [Jacobi(), GaussSeidel()])
def test_masters_are_of_first_order(master):
    order = math.log2(rms_m(master, 0.04) / rms_m(master, 0.02))
    assert order == pytest.approx(1.0, abs=0.1)


def reservoir(name: str, *, is_driver: bool) -> StepMapComponent:
    """A capacitor of 2 Ah/V; the driver sets the current to its neighbour."""
    interface = Interface(
        inputs=(Variable(name="voltage_V" if is_driver else "current_A"),),
        outputs=(
            Variable(name="charge_Ah"),
            Variable(name="level_V"),
            *([Variable(name="flow_A", sampling="mean")] if is_driver else []),
        ),
        parameters=(Variable(name="start_Ah", start=8.0 if is_driver else 1.0),),
    )
    states = (Variable(name="q_Ah"),)
    t = ca.SX.sym("t")
    x, at = names_to_symbols(states, "x")
    u, _ = names_to_symbols(interface.inputs, "u")
    p, _ = names_to_symbols(interface.parameters, "p")
    level = at["q_Ah"] / 2.0
    gain = -(level - u[0]) / 0.01 if is_driver else u[0]
    outputs = {"charge_Ah": at["q_Ah"], "level_V": level}
    model = model_from_expressions(
        name,
        interface,
        states,
        symbols=(t, x, u, p),
        rhs={"q_Ah": gain / 3600.0},
        outputs=outputs | ({"flow_A": -gain} if is_driver else {}),
        initial={"q_Ah": p[0]},
    )
    return StepMapComponent(integrate(model, "exponential", symbol=ca.SX))


def two_reservoirs(master: AbstractMaster):
    system = System(
        [reservoir("high", is_driver=True), reservoir("low", is_driver=False)],
        [
            Connection("high.flow_A", "low.current_A"),
            Connection("low.level_V", "high.voltage_V"),
        ],
    )
    result = simulate(system, stop_s=200.0, step_s=0.5, master=master)
    total_Ah = result["high.charge_Ah"] + result["low.charge_Ah"]
    assert result["high.charge_Ah"][-1] < 5.0  # something flowed
    return result, total_Ah


def test_gauss_seidel_conserves_charge_through_a_mean_flow():
    _, total_Ah = two_reservoirs(GaussSeidel())
    assert np.abs(total_Ah / 9.0 - 1.0).max() < 1e-12


def test_jacobi_leaves_the_flow_of_one_step_under_way():
    result, total_Ah = two_reservoirs(Jacobi())
    flow_A = result["high.flow_A"]
    under_way_Ah = (flow_A - flow_A[0]) * 0.5 / 3600.0
    np.testing.assert_allclose(total_Ah + under_way_Ah, 9.0, rtol=1e-12)


def test_jacobi_takes_the_declared_order_and_lags_everything():
    system = two_masses()
    order = Jacobi().order(system)
    assert order.components == ("left", "right")
    assert order.lagged == system.connections


def test_gauss_seidel_follows_the_undelayed_connections():
    system = System(
        [Gain("b"), Gain("a"), Fake("source")],
        [
            Connection("a.output_A", "b.input_A"),
            Connection("source.output_A", "a.input_A"),
        ],
    )
    order = GaussSeidel().order(system)
    assert str(order) == "source > a > b"
    assert order.lagged == ()


def test_a_delayed_connection_does_not_order():
    back = Connection("b.output_A", "a.input_A", is_delayed=True)
    forth = Connection("a.output_A", "b.input_A")
    order = GaussSeidel().order(System([Gain("b"), Gain("a")], [back, forth]))
    assert str(order) == "a > b"
    assert order.lagged == (back,)


def test_a_cycle_keeps_the_declared_order_and_lags_its_backward_connections():
    system = two_masses()
    assert GaussSeidel().order(system).lagged == (system.connections[1],)
    swapped = System(system.components[::-1], system.connections)
    order = GaussSeidel().order(swapped)
    assert str(order) == "right > left"
    assert order.lagged == (system.connections[0],)


def test_rows_hold_the_outputs_of_their_own_time():
    for master in (Jacobi(), GaussSeidel()):
        result = simulate(System([Clock()]), stop_s=2.0, step_s=0.1, master=master)
        np.testing.assert_array_equal(result["clock.time_s"], result.time_s)
