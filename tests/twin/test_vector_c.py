"""C of a program equals CasADi."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.scalar_tape import Recorder, record_tape
from packtwin.twin.vector_c import _STATEMENTS, program_to_c
from packtwin.twin.vector_program import Program, vectorise
from tests.twin.compiled_program import load_program

pytestmark = pytest.mark.fmu

UNARY = {
    "neg": (lambda x: -x, (-3, 3)),
    "exp": (ca.exp, (-5, 5)),
    "log": (ca.log, (0.1, 9)),
    "sqrt": (ca.sqrt, (0, 9)),
    "square": (lambda x: x**2, (-3, 3)),
    "twice": (lambda x: 2 * x, (-3, 3)),
    "inverse": (lambda x: 1 / x, (0.1, 9)),
    "sin": (ca.sin, (-9, 9)),
    "cos": (ca.cos, (-9, 9)),
    "tan": (ca.tan, (-1, 1)),
    "asin": (ca.asin, (-1, 1)),
    "acos": (ca.acos, (-1, 1)),
    "atan": (ca.atan, (-9, 9)),
    "floor": (ca.floor, (-9, 9)),
    "ceil": (ca.ceil, (-9, 9)),
    "fabs": (ca.fabs, (-9, 9)),
    "sign": (ca.sign, (-9, 9)),
    "not": (ca.logic_not, (-9, 9)),
    "erf": (ca.erf, (-3, 3)),
    "sinh": (ca.sinh, (-5, 5)),
    "cosh": (ca.cosh, (-5, 5)),
    "tanh": (ca.tanh, (-5, 5)),
    "asinh": (ca.asinh, (-5, 5)),
    "acosh": (ca.acosh, (1, 9)),
    "atanh": (ca.atanh, (-0.9, 0.9)),
    "log1p": (ca.log1p, (-0.5, 9)),
    "expm1": (ca.expm1, (-2, 2)),
    **{
        f"power_{e}": (lambda x, e=e: x**e, (0.1, 9))
        for e in (0.5, 1.5, 2, 3, 5, 7, -0.5, -1, -1.5, -2, -3, 0.37, -4.2)
    },
    "odd_power": (lambda x: x**5, (-3, 3)),
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "less": lambda x, y: x < y,
    "not_more": lambda x, y: x <= y,
    "equal": lambda x, y: ca.floor(x) == ca.floor(y),
    "unequal": lambda x, y: ca.floor(x) != ca.floor(y),
    "and": lambda x, y: ca.logic_and(x > 0, y > 0),
    "or": lambda x, y: ca.logic_or(x > 0, y > 0),
    "if_else": lambda x, y: ca.if_else(x > y, ca.sin(x), y),
    "minimum": ca.fmin,
    "maximum": ca.fmax,
    "fmod": ca.fmod,
    "copysign": ca.copysign,
    "atan2": ca.atan2,
    "hypot": ca.hypot,
    "power": lambda x, y: ca.fabs(x) ** y,
}
N = 33


def program(symbols: list[ca.SX], *expressions: ca.SX) -> Program:
    return vectorise(record_tape(symbols, expressions))


def test_every_operation_equals_casadi_on_vectors_and_on_scalars(tmp_path) -> None:
    rng = np.random.default_rng(0)
    symbols, values, expressions = [], [], []
    for name, (function, span) in UNARY.items():
        for n in (N, 1):
            symbols.append(ca.SX.sym(name, n))
            values.append(rng.uniform(*span, n))
            expressions.append(function(symbols[-1]))
    for name, function in BINARY.items():
        for n in (N, 1):
            pair = [ca.SX.sym(name, n) for _ in range(2)]
            symbols += pair
            values += [rng.uniform(-3, 3, n) for _ in pair]
            expressions.append(function(*pair))
    exact = ca.Function("f", symbols, expressions)(*values)
    got = load_program(program(symbols, *expressions), tmp_path)(*values)
    for mine, want in zip(got, exact, strict=True):
        np.testing.assert_allclose(
            mine, np.asarray(want).ravel(), rtol=2e-15, atol=1e-15
        )


def test_gathers_repeats_and_runs_read_the_right_elements(tmp_path) -> None:
    x, y = ca.SX.sym("x", 40), ca.SX.sym("y", 5)
    at = np.random.default_rng(1).permutation(40).tolist()
    scattered = ca.sin(x[at]) * y[2] + ca.cos(x)
    shifted = scattered[1:] - scattered[:-1]
    values = [np.linspace(0.1, 2.0, 40), np.linspace(1.0, 2.0, 5)]
    expressions = [scattered, shifted, ca.vertcat(shifted[3:9], x[7], 4.0, y)]
    exact = ca.Function("f", [x, y], expressions)(*values)
    got = load_program(program([x, y], *expressions), tmp_path)(*values)
    for mine, want in zip(got, exact, strict=True):
        np.testing.assert_allclose(mine, np.asarray(want).ravel(), rtol=1e-14)


def test_long_scalar_code_is_cut_into_functions_that_share_values(tmp_path) -> None:
    x = ca.SX.sym("x", 2)
    value, kept = x[0], []
    for k in range(3 * _STATEMENTS):
        value = ca.sin(value) + (k % 7) * x[1] * (kept[k // 2] if kept else 1.0)
        kept.append(value)
    made = program([x], ca.vertcat(value, *kept[::97]))
    source = program_to_c(made, "f")
    assert source.count("PT_PART static void") > 3
    exact = ca.Function("f", [x], [ca.vertcat(value, *kept[::97])])([0.3, 0.01])
    (got,) = load_program(made, tmp_path)([0.3, 0.01])
    np.testing.assert_allclose(got, np.asarray(exact).ravel(), rtol=1e-12)


def test_constants_that_c_cannot_spell_as_numbers(tmp_path) -> None:
    x = ca.SX.sym("x", 3)
    lower = ca.fmax(x, ca.SX([-np.inf, 0.5, np.inf]))
    (got, constants) = load_program(
        program([x], lower, ca.SX([np.nan, -np.inf, -1e-300])), tmp_path
    )([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(got, [1.0, 2.0, np.inf])
    np.testing.assert_array_equal(constants, [np.nan, -np.inf, -1e-300])


def test_a_program_without_arguments_or_results_compiles(tmp_path) -> None:
    assert load_program(program([]), tmp_path / "nothing")() == []
    (empty,) = load_program(program([ca.SX(0, 1)], ca.SX(0, 1)), tmp_path)([])
    assert empty.shape == (0,)


def test_an_operation_without_c_form_is_refused() -> None:
    recorder = Recorder()
    node = recorder.node(ca.OP_ERFINV, recorder.argument(0, 0))
    made = vectorise(recorder.tape([[node]], (1,)))
    with pytest.raises(InterfaceError, match=f"operation {ca.OP_ERFINV} has no C form"):
        program_to_c(made, "f")
