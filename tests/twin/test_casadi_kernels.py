"""The kernels' C gives CasADi's bits, with the processor's wide instructions or not."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.casadi_kernels import squashed, table_piece
from packtwin.twin.compiler import Compiler, find_compiler
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable
from tests.twin.native_steps import step_in_c

pytestmark = pytest.mark.fmu

WAYS = {"widest": (), "plain": ("-DPT_HAS_WIDE=0",)}


@pytest.fixture(params=WAYS)
def compiler(request) -> Compiler:
    return Compiler(command=find_compiler().command, extra_flags=WAYS[request.param])


def as_step_map(function: ca.Function) -> StepMap:
    """A step map without memory whose outputs are a function of its inputs."""
    n_u, n_y = function.numel_in(0), function.numel_out(0)
    m, t, h = ca.MX.sym("m", 0), ca.MX.sym("t"), ca.MX.sym("h")
    u, p = ca.MX.sym("u", n_u), ca.MX.sym("p", 0)
    y = ca.vec(function(ca.reshape(u, *function.size_in(0))))
    return StepMap(
        name="kernel",
        interface=Interface(
            inputs=tuple(Variable(name=f"u{i}") for i in range(n_u)),
            outputs=tuple(Variable(name=f"y{i}") for i in range(n_y)),
        ),
        memory=(),
        initialize=ca.Function("kernel_initialize", [u, p], [m, ca.MX.zeros(n_y)]),
        step=ca.Function("kernel_step", [m, t, h, u, p], [m, y]),
    )


def check(function: ca.Function, values: np.ndarray, compiler: Compiler) -> None:
    step_map = as_step_map(function)
    none = np.zeros(0)
    _, expected, _ = step_map.advance(none, 0.0, 1.0, values, none)
    _, got = step_in_c(step_map, none, values, none, compiler=compiler)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("n_column", [1, 2, 3, 7])
def test_products_have_the_same_bits(n_column, compiler):
    draw, x = np.random.default_rng(n_column), ca.MX.sym("x", 13, n_column)
    rows = (1, 3, 4, 7, 8, 22, 41)
    products = [ca.mtimes(ca.DM(draw.normal(size=(n, 13))), x) for n in rows]
    product = ca.Function("product", [x], [ca.vertcat(*map(ca.vec, products))])
    check(product, draw.normal(size=13 * n_column), compiler)


@pytest.mark.parametrize("n", [1, 5])
def test_squashed_values_have_the_same_bits(n, compiler):
    z = ca.MX.sym("z", n, 3)
    values = np.random.default_rng(n).normal(0.0, 100.0, 3 * n)
    check(ca.Function("squash", [z], [squashed(z)]), values, compiler)


def test_tables_have_the_same_bits_inside_at_the_edges_and_beyond(compiler):
    draw = np.random.default_rng(3)
    coefficients, x = ca.DM(draw.normal(size=4 * 9)), ca.MX.sym("x", 1, 8)
    value, slope = table_piece(x, -1.0, 3.0, coefficients)
    edges = np.array([-1.0, 2.0, -1.0 + 1.0 / 3.0, 0.0, -50.0, 1e9, 1.999999, 0.3])
    for result in (value, slope, ca.vertcat(value, slope)):
        check(ca.Function("table", [x], [result]), edges, compiler)


def test_derivatives_of_a_table_are_its_slopes():
    x = ca.MX.sym("x", 1, 3)
    coefficients = ca.DM(np.random.default_rng(4).normal(size=4 * 9))
    value, slope = table_piece(x, 0.0, 9.0, coefficients)
    gap = ca.Function("gap", [x], [ca.diag(ca.jacobian(value, x)) - slope.T])
    assert float(ca.norm_inf(gap(ca.DM([[0.1, 0.5, 0.93]])))) <= 1e-14
