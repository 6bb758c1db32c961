"""A natural spline meets its values; as an expression it is the same."""

from __future__ import annotations

import casadi as ca
import numpy as np

from packtwin.twin.natural_spline import natural_spline, spline_expression


def test_a_natural_spline_is_straight_outside_and_smooth_inside() -> None:
    at = np.array([0.1, 0.3, 0.45, 0.9])
    values = np.array([1.0, -2.0, 0.5, 3.0])
    cubes, line = natural_spline(at)

    def spline(s: np.ndarray) -> np.ndarray:
        total = line[0] @ values + line[1] @ values * (s - at[0])
        for node, row in zip(at, cubes, strict=True):
            total = total + row @ values * np.maximum(s - node, 0.0) ** 3
        return np.asarray(total)

    np.testing.assert_allclose(spline(at), values, atol=1e-12)
    for outside in (np.array([-0.3, -0.1, 0.1]), np.array([0.9, 1.0, 1.1])):
        assert abs(np.diff(spline(outside), 2)[0]) < 1e-11


def test_the_expression_is_linear_in_its_values_and_meets_them() -> None:
    at = np.array([0.0, 0.02, 0.1, 0.45, 1.0])
    values = np.array([1.0, -2.0, 0.5, 3.0, 1.0])
    v, s = ca.MX.sym("v", 5), ca.MX.sym("s")
    found = ca.Function("f", [v, s], [spline_expression(at, ca.vertsplit(v), s)])
    got = [float(found(values, node)) for node in at]
    np.testing.assert_allclose(got, values, rtol=1e-9)
    doubled = float(found(2.0 * values, 0.3))
    np.testing.assert_allclose(doubled, 2.0 * float(found(values, 0.3)), rtol=1e-13)
