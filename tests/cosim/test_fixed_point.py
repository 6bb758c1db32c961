from __future__ import annotations

import numpy as np
import pytest

from packtwin.cosim.fixed_point import Newton, solve_by_anderson

MATRIX = np.array([[0.3, -0.5, 0.1], [0.4, 0.2, 0.6], [-0.2, 0.1, 0.5]])
OFFSET = np.array([1.0, -2.0, 0.5])
EXACT = np.linalg.solve(np.eye(3) - MATRIX, OFFSET)


def test_anderson_solves_n_linear_equations_in_n_plus_one_corrections():
    for gain in (1.0, 30.0):  # the second diverges when merely repeated
        exact = np.linalg.solve(np.eye(3) - gain * MATRIX, OFFSET)
        found = solve_by_anderson(
            lambda w, gain=gain: gain * MATRIX @ w + OFFSET, np.zeros(3), 1e-9, 5
        )
        assert found.is_converged
        np.testing.assert_allclose(found.values, exact, rtol=1e-8)


def test_newton_solves_linear_equations_at_once_and_keeps_what_it_learned():
    made = []

    def differentiate(w, result):
        made.append(w)
        return 10.0 * MATRIX

    newton = Newton()
    for offset in (OFFSET, 2.0 * OFFSET):
        found = newton.solve(
            lambda w, offset=offset: 10.0 * MATRIX @ w + offset,
            np.zeros(3),
            1e-10,
            2,
            differentiate,
        )
        assert found.is_converged
        assert found.iteration_count == 1
    assert len(made) == 1


def test_newton_tells_a_singular_system():
    matrix = np.array([[0.0, 1.0], [1.0, 0.0]])
    found = Newton().solve(
        lambda w: matrix @ w + 1.0, np.zeros(2), 1e-10, 9, lambda w, r: matrix
    )
    assert found.is_singular
    assert not found.is_converged


def test_a_solve_that_does_not_converge_names_the_worst_entry():
    def sweep(w):
        return np.array([0.0, w[1] + 1.0])

    found = solve_by_anderson(sweep, np.zeros(2), 1e-10, 4)
    assert not found.is_converged
    assert found.worst == 1
    assert found.residual == pytest.approx(1.0)
