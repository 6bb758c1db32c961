import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.table import fit_table


def test_spline_of_a_line_is_the_line_everywhere():
    x = np.linspace(-1.0, 2.0, 31)
    table = fit_table(x, 3.0 * x - 1.0, 30)
    at = np.linspace(-4.0, 5.0, 101)
    np.testing.assert_allclose(table.numpy(at), 3.0 * at - 1.0, atol=1e-12)


def test_spline_converges_with_order_four_inside():
    errors = []
    at = np.linspace(0.3, 0.7, 500)
    for n in (20, 40):
        x = np.linspace(0.0, 1.0, n + 1)
        table = fit_table(x, np.sin(6.0 * x), n)
        errors.append(np.abs(table.numpy(at) - np.sin(6.0 * at)).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.3)


def test_casadi_and_numpy_agree_to_rounding_with_continuous_derivative():
    x = np.linspace(0.0, 1.0, 51)
    table = fit_table(x, np.exp(-5.0 * x), 50)
    s = ca.MX.sym("s")
    value = table.casadi(s)
    both = ca.Function("f", [s], [value, ca.jacobian(value, s)])
    at = np.linspace(-0.2, 1.2, 701)
    got = np.array([[float(v) for v in both(a)] for a in at])
    np.testing.assert_allclose(got[:, 0], table.numpy(at), rtol=0, atol=1e-15)
    numeric = np.gradient(table.numpy(at), at)
    assert np.abs(got[2:-2, 1] - numeric[2:-2]).max() < 0.02


def test_unsorted_arguments_are_refused():
    with pytest.raises(InterfaceError, match="strictly increasing"):
        fit_table(np.array([0.0, 0.0, 1.0]), np.zeros(3))


def test_a_rounded_table_is_off_by_its_unit_and_its_pieces_still_meet_exactly():
    x = np.linspace(0.0, 1.0, 101)
    table = fit_table(x, 4.0 * np.exp(-5.0 * x), 100)
    rounded = table.rounded()
    c, unit = rounded.coefficients, 2.0**-30  # 2^-32 of at most 4 * exp(0.05)
    np.testing.assert_array_equal(c, np.round(c / unit) * unit)
    np.testing.assert_array_equal(c[:-1].sum(axis=1), c[1:, 0])
    at = np.linspace(-0.2, 1.2, 10_001)
    np.testing.assert_allclose(rounded.numpy(at), table.numpy(at), atol=60 * unit)
    inside = np.linspace(0.0, 1.0, 10_001)
    apart = np.abs(rounded.numpy(inside) - table.numpy(inside))
    assert 0.0 < apart.max() <= 2.0 * unit
    np.testing.assert_array_equal(rounded.rounded().coefficients, c)
