from __future__ import annotations

import numpy as np
import pytest

from packtwin.cosim.hermite import (
    difference_weights,
    hermite_rows,
    quadratic_rows,
)
from packtwin.twin.input_polynomial import shifted

H = 0.7


def test_a_cubic_meets_values_and_derivatives_at_both_ends():
    y0, d0, y1, d1 = np.random.default_rng(0).normal(size=(4, 3))
    rows = np.array(hermite_rows(y0, d0, y1, d1, H))
    np.testing.assert_allclose(rows[:2], [y0, d0])
    np.testing.assert_allclose(shifted(rows, H)[:2], [y1, d1])


def test_a_parabola_meets_both_values_and_the_last_derivative():
    y0, y1, d1 = np.random.default_rng(1).normal(size=(3, 2))
    rows = quadratic_rows(y0, y1, d1, H)
    np.testing.assert_allclose(rows[0], y0)
    np.testing.assert_allclose(shifted(rows, H)[:2], [y1, d1])
    assert not rows[3].any()


def test_differences_are_exact_for_cubics_at_uneven_times():
    times = [0.0, 0.3, 0.5, 1.2]
    values = np.array([2.0 - t + 3.0 * t**3 for t in times])
    slope = difference_weights(times, 1.2) @ values
    assert slope == pytest.approx(-1.0 + 9.0 * 1.2**2, rel=1e-12)
