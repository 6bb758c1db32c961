import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface, Variable


def rc_model(symbol=ca.SX) -> Model:
    """dv/dt = (I - v/R)/C with R = 0.1 Ohm, C = 100 F."""
    interface = Interface(
        inputs=(Variable(name="current_A", start=2.0),),
        outputs=(
            Variable(name="voltage_V"),
            Variable(name="leak_A", sampling="mean"),
        ),
        parameters=(
            Variable(name="resistance_Ohm", start=0.1, variability="fixed"),
            Variable(name="capacitance_F", start=100.0, variability="fixed"),
        ),
    )
    states = (Variable(name="capacitor_V"),)
    x, X = names_to_symbols(states, "x", symbol)
    u, U = names_to_symbols(interface.inputs, "u", symbol)
    p, P = names_to_symbols(interface.parameters, "p", symbol)
    v, r = X["capacitor_V"], P["resistance_Ohm"]
    return model_from_expressions(
        "rc",
        interface,
        states,
        symbols=(symbol.sym("t"), x, u, p),
        rhs={"capacitor_V": (U["current_A"] - v / r) / P["capacitance_F"]},
        outputs={"voltage_V": v, "leak_A": v / r},
        initial={"capacitor_V": symbol(0)},
    )


def nonlinear_model() -> Model:
    """A logistic state and one driven by it; a conserved sum of flows."""
    interface = Interface(
        inputs=(Variable(name="drive", start=0.7),),
        outputs=(Variable(name="a"), Variable(name="flow", sampling="mean")),
    )
    states = (Variable(name="fast", start=0.2), Variable(name="store"))
    x, X = names_to_symbols(states, "x", ca.MX)
    u, U = names_to_symbols(interface.inputs, "u", ca.MX)
    p = ca.MX.sym("p", 0)
    flow = X["fast"] * (1.0 - X["fast"]) * U["drive"] + 0.1 * X["store"]
    return model_from_expressions(
        "nonlinear",
        interface,
        states,
        symbols=(ca.MX.sym("t"), x, u, p),
        rhs={"fast": flow - X["fast"], "store": -flow},
        outputs={"a": X["fast"], "flow": flow},
        initial={"fast": ca.MX(0.2), "store": ca.MX(1.0)},
    )


def run(step_map, h, end, u, p):
    memory, y = step_map.start(u, p)
    n = round(end / h)
    flow = 0.0
    for i in range(n):
        memory, y, status = step_map.advance(memory, i * h, h, u, p)
        assert status is StepStatus.OK
        flow += y[-1] * h
    return memory, y, flow


@pytest.mark.parametrize("h", [1e-3, 0.5, 7.0, 60.0])
def test_exponential_scheme_is_exact_on_a_linear_mode(h):
    step_map = integrate(rc_model(), "exponential", symbol=ca.SX)
    u, p = rc_model().start_vectors()
    memory, _ = step_map.start(u, p)
    memory, y, _ = step_map.advance(memory, 0.0, h, u, p)
    assert y[0] == pytest.approx(0.2 * -np.expm1(-h / 10.0), rel=1e-13)


@pytest.mark.parametrize(("scheme", "order"), [("exponential", 2), ("rk4", 4)])
def test_order_of_convergence(scheme, order):
    model = nonlinear_model()
    u, p = model.start_vectors()
    exact, _, _ = run(integrate(model, "rk4"), 1 / 256, 2.0, u, p)
    errors = [
        np.abs(run(integrate(model, scheme), h, 2.0, u, p)[0] - exact).max()
        for h in (0.25, 0.125)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("scheme", ["exponential", "rk4"])
@pytest.mark.parametrize("substep", [np.inf, 0.1])
def test_mean_outputs_close_the_balance_to_rounding(scheme, substep):
    model = nonlinear_model()
    u, p = model.start_vectors()
    step_map = integrate(model, scheme, substep_s=substep)
    memory, _, flow = run(step_map, 0.5, 10.0, u, p)
    assert 1.0 - memory[1] == pytest.approx(flow, abs=1e-14)


def test_charge_on_the_capacitor_equals_current_less_leak():
    model = rc_model()
    u, p = model.start_vectors()
    memory, _, leaked = run(integrate(model, "exponential"), 3.0, 30.0, u, p)
    assert 100.0 * memory[0] == pytest.approx(2.0 * 30.0 - leaked, rel=1e-14)


def test_step_with_nan_is_refused_and_changes_nothing():
    step_map = integrate(rc_model(), "exponential", symbol=ca.SX)
    _, p = rc_model().start_vectors()
    memory = np.array([0.05])
    after, _, status = step_map.advance(memory, 0.0, 1.0, np.array([np.nan]), p)
    assert status is StepStatus.REFUSED
    assert after is memory


def test_longer_steps_are_cut_evenly():
    step_map = integrate(rc_model(), "rk4", substep_s=3.0)
    assert [step_map.substep_count(h) for h in (1.0, 3.0, 3.1, 9.0, 10.0)] == [
        1,
        1,
        2,
        3,
        4,
    ]


def test_function_of_the_wrong_size_is_named():
    good = rc_model()
    with pytest.raises(InterfaceError, match=r"`initial` of model `rc` has sizes"):
        Model(
            name="rc",
            interface=good.interface,
            states=good.states,
            rhs=good.rhs,
            outputs=good.outputs,
            initial=good.rhs,
        )
