"""Inputs as polynomials: shifting, projection, and steps that follow them exactly."""

from __future__ import annotations

import ctypes

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.compiler import find_compiler
from packtwin.twin.errors import InterfaceError
from packtwin.twin.input_polynomial import projection, shifted, substep_rows, value_at
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.variable import Interface, Variable
from tests.twin.implicit_models import begin, circuit, compiled

# u(s) = 1 - 2 s + 3 s^2/2 - 5 s^3/6 of the first input, twice that of the second
ROWS = np.array([[1.0, 2.0], [-2.0, -4.0], [3.0, 6.0], [-5.0, -10.0]])


def relaxation(symbol=ca.SX) -> Model:
    """dx/dt = -x + u + v, dw/dt = -2 w + u, and a feedthrough."""
    x, u, t, p, z = (
        symbol.sym(n, k) for n, k in (("x", 2), ("u", 2), ("t", 1), ("p", 0), ("z", 0))
    )
    arguments = [t, x, z, u, p]
    flow = -x[0] + u[0] + u[1]
    return Model(
        name="relaxation",
        interface=Interface(
            inputs=(Variable(name="u"), Variable(name="v")),
            outputs=(
                Variable(name="through"),
                Variable(name="flow", sampling="mean"),
            ),
        ),
        states=(Variable(name="x"), Variable(name="w")),
        rhs=ca.Function("f", arguments, [ca.vertcat(flow, -2.0 * x[1] + u[0])]),
        outputs=ca.Function("y", arguments, [ca.vertcat(x[0] + u[1], flow)]),
        initial=ca.Function("x0", [u, p], [ca.DM([0.5, 0.0]), ca.DM(0, 1)]),
    )


def closed_form(rate: float, drive: np.ndarray, start: float, s: float) -> float:
    """Solution of x' = -rate x + sum drive_i s^i/i! at `s`."""
    particular = np.zeros(5)
    for i in reversed(range(4)):
        particular[i] = (drive[i] - particular[i + 1]) / rate
    now = sum(c * s**i / np.prod(range(1, i + 1)) for i, c in enumerate(particular))
    return float(now + (start - particular[0]) * np.exp(-rate * s))


def test_shifting_keeps_the_polynomial():
    moved = shifted(ROWS, 0.7)
    for s in (0.0, 0.3, 1.9):
        np.testing.assert_allclose(
            value_at(list(moved), s), value_at(list(ROWS), 0.7 + s), rtol=1e-14
        )
    np.testing.assert_array_equal(shifted(ROWS, 0.0), ROWS)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_projection_is_the_least_squares_fit_and_keeps_the_mean(order):
    length = 0.3
    fit = substep_rows(ROWS, order, 0.2, length)
    assert fit.shape == (order + 1, 2)
    nodes, weights = np.polynomial.legendre.leggauss(6)
    s, w = 0.5 * length * (nodes + 1.0), 0.5 * weights
    exact = np.array([value_at(list(ROWS), 0.2 + at)[0] for at in s])
    gap = np.array([value_at(list(fit), at)[0] for at in s]) - exact
    for power in range(order + 1):  # the gap is orthogonal to what can be fitted
        assert abs(np.sum(w * gap * s**power)) <= 1e-15


def test_projection_to_the_mean_is_known():
    np.testing.assert_allclose(
        projection(4, 0), [[1.0, 1 / 2, 1 / 6, 1 / 24]], rtol=1e-15
    )


@pytest.mark.parametrize("symbol", [ca.SX, ca.MX])
def test_exponential_scheme_is_exact_on_linear_modes_with_cubic_inputs(symbol):
    step_map = integrate(relaxation(symbol), "exponential", input_order=3)
    for h in (1e-3, 0.4, 3.0):
        memory, y, _ = step_map.advance(np.array([0.5, 0.0]), 0.0, h, ROWS, np.zeros(0))
        x = closed_form(1.0, 3.0 * ROWS[:, 0], 0.5, h)
        w = closed_form(2.0, ROWS[:, 0], 0.0, h)
        np.testing.assert_allclose(memory, [x, w], rtol=1e-12)
        end = value_at(list(ROWS), h)[1]
        np.testing.assert_allclose(y, [x + end, (x - 0.5) / h], rtol=1e-9)


def error_of(step_map: StepMap, n: int) -> float:
    """Largest error at 1 s after `n` steps that follow the cubic inputs."""
    memory, p, h = np.array([0.5, 0.0]), np.zeros(0), 1.0 / n
    for k in range(n):
        rows = shifted(ROWS, k * h)
        memory, _, _ = step_map.advance(memory, k * h, h, rows, p)
    x = closed_form(1.0, 3.0 * ROWS[:, 0], 0.5, 1.0)
    return max(
        abs(memory[0] - x), abs(memory[1] - closed_form(2.0, ROWS[:, 0], 0.0, 1.0))
    )


@pytest.mark.parametrize(
    ("scheme", "input_order", "order"),
    [("rk4", 3, 4), ("rk4", 0, 2), ("exponential", 0, 2)],
)
def test_order_with_cubic_inputs(scheme, input_order, order):
    step_map = integrate(relaxation(), scheme, input_order=input_order)
    errors = [error_of(step_map, n) for n in (4, 8, 16)]
    assert np.log2(errors[1] / errors[2]) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("scheme", ["exponential", "rk4"])
@pytest.mark.parametrize("input_order", [0, 1, 3])
def test_means_close_the_balance_to_rounding(scheme, input_order):
    step_map = integrate(relaxation(), scheme, input_order=input_order, substep_s=0.1)
    memory, y, _ = step_map.advance(
        np.array([0.5, 0.0]), 0.0, 0.7, ROWS[:3], np.zeros(0)
    )
    assert memory[0] - 0.5 == pytest.approx(0.7 * y[1], abs=1e-14)


@pytest.mark.parametrize("input_order", [0, 1])
def test_outputs_at_the_end_take_the_inputs_there(input_order):
    step_map = integrate(relaxation(), "rk4", input_order=input_order)
    memory, y, _ = step_map.advance(np.array([0.5, 0.0]), 0.0, 0.5, ROWS, np.zeros(0))
    assert y[0] == pytest.approx(memory[0] + value_at(list(ROWS), 0.5)[1], rel=1e-14)


def test_constant_inputs_give_the_same_bits_in_any_form():
    for scheme in ("exponential", "rk4"):
        constant = integrate(relaxation(), scheme)
        now = (np.array([0.5, 0.1]), 0.0, 0.3)
        u, p = np.array([1.0, 2.0]), np.zeros(0)
        want = constant.advance(*now, u, p)
        got = constant.advance(*now, u[None], p)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
        cubic = integrate(relaxation(), scheme, input_order=3)
        got = cubic.advance(*now, u, p)
        np.testing.assert_allclose(got[0], want[0], rtol=1e-15)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-14)


def test_wrong_shape_of_inputs_is_named():
    step_map = integrate(relaxation(), "rk4")
    with pytest.raises(
        InterfaceError, match=r"inputs of `relaxation` have shape \(3,\)"
    ):
        step_map.advance(np.zeros(2), 0.0, 1.0, np.zeros(3), np.zeros(0))


@pytest.mark.fmu
@pytest.mark.parametrize("substep_s", [np.inf, 0.1])
def test_c_follows_cubic_inputs_as_casadi_does(tmp_path, substep_s):
    step_map = integrate(relaxation(), "rk4", input_order=3, substep_s=float(substep_s))
    code = step_map.c_code()
    assert code.input_order == 3
    source, library = tmp_path / "r.c", tmp_path / "r.so"
    flag = '__attribute__((visibility("default")))'
    text = code.source.replace("int relaxation_pt", f"{flag} int relaxation_pt")
    source.write_text(text.replace("size_t relax", f"{flag} size_t relax"))
    find_compiler().compile_library(source, library)
    loaded = ctypes.CDLL(str(library))
    loaded.relaxation_pt_space_size.restype = ctypes.c_size_t
    space = np.zeros(loaded.relaxation_pt_space_size())
    memory, y, p = np.array([0.5, 0.0]), np.zeros(2), np.zeros(1)

    def at(vector):
        return vector.ctypes.data_as(ctypes.c_void_p)

    want = memory.copy()
    for k in range(20):
        rows = np.ascontiguousarray(shifted(ROWS, 0.3 * k))
        status = loaded.relaxation_pt_step(
            at(memory),
            ctypes.c_double(0.3 * k),
            ctypes.c_double(0.3),
            at(rows),
            at(p),
            at(y),
            at(space),
        )
        want, want_y, _ = step_map.advance(want, 0.3 * k, 0.3, rows, np.zeros(0))
        assert status == 0
        np.testing.assert_allclose(memory, want, rtol=1e-13)
        np.testing.assert_allclose(y, want_y, rtol=1e-12)


@pytest.mark.fmu
def test_implicit_steps_take_ramps_exactly_and_more_by_substeps():
    step_map = compiled(circuit())
    memory, u, p = begin(step_map)
    rows = np.stack([u, 0.2 * u, -0.3 * u, 0.1 * u])
    assert step_map.input_order == 1
    got = step_map.advance(memory, 0.0, 2.0, rows[:2], p)
    want = step_map.step_until_event(memory, 0.0, 2.0, u, p, slope=rows[1], stops=False)
    np.testing.assert_array_equal(got[0], want.memory)
    errors = []
    exact = advance_in(step_map, memory, rows, p, 64)
    for n in (1, 2, 4):
        errors.append(np.abs(advance_in(step_map, memory, rows, p, n) - exact).max())
    assert got[2] is StepStatus.OK
    assert errors[0] < 2e-3
    assert errors[2] <= max(errors[0] / 4.0, 2e-4)


def advance_in(step_map, memory, rows, p, n):
    """States after 2 s in `n` steps."""
    for k in range(n):
        row = shifted(rows, 2.0 * k / n)
        memory, _, status = step_map.advance(memory, 2.0 * k / n, 2.0 / n, row, p)
        assert status is StepStatus.OK
    return memory[step_map.source.layout.state]
