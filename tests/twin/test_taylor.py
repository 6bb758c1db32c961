from __future__ import annotations

import numpy as np

from packtwin.twin.taylor import evaluate_taylor, shift_taylor


def test_a_shifted_polynomial_is_the_polynomial_seen_from_later():
    # 1 + 2 t + 3 t^2 + 4 t^3 and t, by their derivatives at 0.
    rows = np.array([[1.0, 0.0], [2.0, 1.0], [6.0, 0.0], [24.0, 0.0]])
    t = 0.5
    value = [1 + 2 * t + 3 * t**2 + 4 * t**3, t]
    slope = [2 + 6 * t + 12 * t**2, 1.0]
    expected = np.array([value, slope, [6 + 24 * t, 0.0], [24.0, 0.0]])
    np.testing.assert_allclose(shift_taylor(rows, t), expected, rtol=1e-15)
    np.testing.assert_allclose(evaluate_taylor(rows, t), value, rtol=1e-15)
