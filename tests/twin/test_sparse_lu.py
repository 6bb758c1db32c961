"""The recorded elimination solves what NumPy solves, with little fill."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtwin.twin.errors import InterfaceError
from packtwin.twin.scalar_tape import CONSTANT, INPUT, ScalarTape
from packtwin.twin.sparse_lu import eliminate, minimum_degree
from packtwin.twin.vector_program import vectorise
from tests.twin.compiled_program import load_program

_PYTHON = {
    ca.OP_ADD: lambda a, b: a + b,
    ca.OP_SUB: lambda a, b: a - b,
    ca.OP_MUL: lambda a, b: a * b,
    ca.OP_NEG: lambda a, _: -a,
    ca.OP_INV: lambda a, _: 1.0 / a,
}


def evaluate(tape: ScalarTape, *arguments: np.ndarray) -> np.ndarray:
    values: list[float] = []
    for op, a, b, value in zip(
        tape.operation, tape.first, tape.second, tape.value, strict=True
    ):
        if op == INPUT:
            values.append(arguments[a][b])
        elif op == CONSTANT:
            values.append(value)
        else:
            values.append(_PYTHON[op](values[a], values[b]))
    return np.array([values[k] for k in tape.outputs[0]])


def solve(jacobian: np.ndarray, pattern, b, c: float, n_differential: int):
    """Solve (c D - J) x = b by the recorded tapes."""
    rows, columns = np.nonzero(pattern)
    n = len(b)
    made = eliminate(n, rows.tolist(), columns.tolist(), n_differential)
    lu = evaluate(made.factor, jacobian[rows, columns], np.array([c]))
    return evaluate(made.solve, lu, b), made


def matrix(n: int, n_differential: int, density: float, seed: int):
    """A random pattern, nearly symmetric, and dominant diagonal of J."""
    rng = np.random.default_rng(seed)
    pattern = rng.random((n, n)) < density
    pattern |= pattern.T & (rng.random((n, n)) < 0.8)
    pattern[np.diag_indices(n)] = np.arange(n) >= n_differential
    jacobian = np.where(pattern, rng.normal(size=(n, n)), 0.0)
    jacobian[np.diag_indices(n)] -= (1.0 + np.abs(jacobian).sum(axis=1)) * pattern[
        np.diag_indices(n)
    ]
    return jacobian, pattern, rng.normal(size=n)


@given(
    st.integers(1, 14), st.integers(0, 14), st.floats(0.0, 0.5), st.integers(0, 10**6)
)
def test_solution_equals_numpy(n, n_differential, density, seed) -> None:
    n_differential = min(n, n_differential)
    jacobian, pattern, b = matrix(n, n_differential, density, seed)
    c = 20.0 + np.abs(jacobian).sum()
    x, _ = solve(jacobian, pattern, b, c, n_differential)
    system = np.diag(np.where(np.arange(n) < n_differential, c, 0.0)) - jacobian
    np.testing.assert_allclose(x, np.linalg.solve(system, b), rtol=1e-10, atol=1e-12)


@given(st.integers(2, 12), st.integers(0, 10**6))
def test_rows_may_come_in_any_order(n, seed) -> None:
    """The dominant entries lie off the diagonal, which is structurally empty."""
    jacobian, pattern, b = matrix(n, 0, 0.2, seed)
    turned = np.roll(np.arange(n), 1)
    jacobian, pattern = jacobian[turned], pattern[turned]
    off = ~np.eye(n, dtype=bool)
    jacobian, pattern = jacobian * off, pattern & off
    x, made = solve(jacobian, pattern, b, 1.0, 0)
    np.testing.assert_allclose(x, np.linalg.solve(-jacobian, b), rtol=1e-9, atol=1e-10)
    assert sorted(made.pivot_rows) == list(range(n))


def test_tridiagonal_systems_have_no_fill() -> None:
    n = 40
    pattern = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1
    _, made = solve(-4.0 * np.eye(n) + pattern, pattern, np.ones(n), 1.0, 0)
    assert made.n_factor == pattern.sum()


def test_arrows_are_eliminated_from_the_tips_without_fill() -> None:
    n = 30
    pattern = np.eye(n, dtype=bool)
    pattern[0, :] = pattern[:, 0] = True
    x, made = solve(pattern - 40.0 * np.eye(n), pattern, np.ones(n), 1.0, 0)
    assert made.n_factor == pattern.sum()
    assert made.order.index(0) >= n - 2
    np.testing.assert_allclose(
        x, np.linalg.solve(40.0 * np.eye(n) - pattern, np.ones(n)), rtol=1e-13
    )


def test_order_of_a_grid_fills_less_than_the_band() -> None:
    m = 12
    k = np.arange(m * m).reshape(m, m)
    pairs = [*zip(k[:-1].ravel(), k[1:].ravel(), strict=True)]
    pairs += zip(k[:, :-1].ravel(), k[:, 1:].ravel(), strict=True)
    pattern = np.eye(m * m, dtype=bool)
    for i, j in pairs:
        pattern[i, j] = pattern[j, i] = True
    _, made = solve(pattern - 9.0 * np.eye(m * m), pattern, np.ones(m * m), 1.0, 0)
    assert made.n_factor < 0.75 * (2 * m + 1) * m * m


def test_minimum_degree_breaks_ties_by_index() -> None:
    assert minimum_degree(4, [0, 1, 2, 3], [0, 1, 2, 3]) == [0, 1, 2, 3]


def test_singular_patterns_name_the_undetermined_state() -> None:
    """The second equation holds no algebraic state: index 2."""
    with pytest.raises(InterfaceError, match="do not determine `pressure_Pa`"):
        eliminate(3, [0, 1, 2], [1, 1, 0], 1, ["x_m", "flow_kg_per_s", "pressure_Pa"])


@pytest.mark.fmu
def test_compiled_factor_and_solve_equal_numpy(tmp_path) -> None:
    n = 20
    jacobian, pattern, b = matrix(n, 12, 0.1, 5)
    rows, columns = np.nonzero(pattern)
    made = eliminate(n, rows.tolist(), columns.tolist(), 12)
    factor = load_program(vectorise(made.factor), tmp_path / "factor")
    back = load_program(vectorise(made.solve), tmp_path / "solve")
    (lu,) = factor(jacobian[rows, columns], [30.0])
    (x,) = back(lu, b)
    system = np.diag(np.where(np.arange(n) < 12, 30.0, 0.0)) - jacobian
    np.testing.assert_allclose(x, np.linalg.solve(system, b), rtol=1e-10)
