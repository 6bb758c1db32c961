"""The branch-free elementary functions, in units of the last place."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from packtwin.twin.linkage import EXPORTED
from packtwin.twin.vector_c import preamble_to_c
from tests.twin.compiled_program import load

pytestmark = pytest.mark.fmu

N = 100_000
UNARY = ("exp", "log", "sinh", "cosh", "tanh", "asinh", "sign")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    lines = [EXPORTED, preamble_to_c()]
    for name in (*UNARY, "pow", "hypot", "min", "max"):
        two = name not in UNARY
        arguments = "const double *a, const double *b, double *r, int n"
        lines += [
            f"PT_ABI void all_{name}({arguments});",
            f"PT_ABI void all_{name}({arguments}) {{",
            f"  int i; (void){'b' if two else '*b'};"
            f" for (i = 0; i < n; ++i) r[i] = pt_{name}(a[i]{', b[i]' * two});",
            "}",
        ]
    return load("\n".join(lines), tmp_path_factory.mktemp("elementary"))


@pytest.fixture
def c(library):
    def call(name: str, a, b=0.0) -> np.ndarray:
        a, b = np.broadcast_arrays(np.atleast_1d(a), b)
        a, b = (np.ascontiguousarray(v, dtype=np.float64) for v in (a, b))
        r = np.empty(len(a))
        at = [ctypes.c_void_p(v.ctypes.data) for v in (a, b, r)]
        getattr(library, f"all_{name}")(*at, len(a))
        return r

    return call


def units(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance in units in the last place of the exact (long double) value."""
    spacing = np.spacing(np.abs(exact).astype(np.float64))
    return np.abs((got.astype(np.longdouble) - exact) / spacing).astype(np.float64)


def spread(low: float, high: float, seed: int = 0) -> np.ndarray:
    """Points of both signs, uniform in the logarithm."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(np.log(low), np.log(high), N))
    return size * rng.choice([-1.0, 1.0], N)


@pytest.mark.parametrize(
    ("name", "points", "bound"),
    [
        ("exp", np.random.default_rng(1).uniform(-708, 709, N), 1.0),
        ("exp", spread(1e-20, 1.0), 1.0),
        ("log", np.abs(spread(1e-300, 1e300)), 1.0),
        ("log", np.random.default_rng(2).uniform(0.5, 2.0, N), 1.0),
        ("log", 1.0 + spread(1e-15, 1e-3), 1.0),
        ("sinh", spread(1e-20, 700.0), 3.0),
        ("sinh", np.random.default_rng(3).uniform(0.45, 3.0, N), 3.0),
        ("cosh", spread(1e-20, 700.0), 3.0),
        ("tanh", spread(1e-20, 50.0), 3.0),
        ("tanh", np.random.default_rng(4).uniform(0.45, 3.0, N), 3.0),
        ("asinh", spread(1e-20, 1e300), 3.0),
        ("asinh", np.random.default_rng(5).uniform(-3.0, 3.0, N), 3.0),
    ],
)
def test_error_stays_within_the_units_promised(c, name, points, bound) -> None:
    exact = getattr(np, {"asinh": "arcsinh"}.get(name, name))(
        points.astype(np.longdouble)
    )
    assert units(c(name, points), exact).max() < bound


def test_power_errs_by_three_units_and_one_per_unit_of_its_exponent(c) -> None:
    rng = np.random.default_rng(6)
    x, y = np.abs(spread(1e-8, 1e8)), rng.uniform(-5.0, 5.0, N)
    exact = x.astype(np.longdouble) ** y.astype(np.longdouble)
    assert (units(c("pow", x, y), exact) < 3.0 + np.abs(y * np.log(x))).all()


def test_power_of_zero_and_negative_bases_is_that_of_the_c_library(c) -> None:
    x = np.array([0.0, 0.0, 0.0, -2.0, -2.0, -2.0, -3.0, 5.0, -1.5, 0.0])
    y = np.array([0.0, 2.5, -1.0, 3.0, 2.0, -3.0, 0.0, 0.0, 101.0, 300.0])
    with np.errstate(divide="ignore"):
        expected = np.power(x, y)
    np.testing.assert_allclose(c("pow", x, y), expected, rtol=1e-14)
    assert np.isnan(c("pow", -2.0, 0.5)).all()


@pytest.mark.parametrize("name", ["exp", "log", "sinh", "cosh", "tanh", "asinh"])
def test_nan_gives_nan(c, name) -> None:
    assert np.isnan(c(name, np.nan)).all()


def test_exponential_saturates_instead_of_overflowing(c) -> None:
    top, bottom = c("exp", [709.0, 1e3, np.inf]), c("exp", [-708.0, -1e3, -np.inf])
    assert np.isfinite(top).all()
    assert (top == top[0]).all()
    assert (bottom == bottom[0]).all()
    assert 0.0 < bottom[0] < 1e-307


def test_logarithm_of_zero_infinity_and_negative_numbers(c) -> None:
    zero, infinite, negative = c("log", [0.0, np.inf, -1.0])
    assert (zero, infinite) == (-np.inf, np.inf)
    assert np.isnan(negative)


def test_hyperbolic_tangent_saturates_at_one(c) -> None:
    np.testing.assert_array_equal(
        c("tanh", [-np.inf, -30.0, 0.0, 30.0, np.inf]), [-1.0, -1.0, 0.0, 1.0, 1.0]
    )


@pytest.mark.parametrize("name", ["sinh", "tanh", "asinh"])
def test_odd_functions_are_odd_to_the_bit_and_zero_at_zero(c, name) -> None:
    points = spread(1e-30, 100.0)
    np.testing.assert_array_equal(c(name, points), -c(name, -points))
    assert c(name, 0.0) == [0.0]


def test_inverse_hyperbolic_sine_does_not_overflow(c) -> None:
    points = np.array([1e9, 1e155, 1e308])
    np.testing.assert_allclose(c("asinh", points), np.arcsinh(points), rtol=4e-16)


def test_sign_minimum_maximum_and_hypotenuse(c) -> None:
    np.testing.assert_array_equal(c("sign", [-3.0, 0.0, 2.0]), [-1.0, 0.0, 1.0])
    a, b = spread(1e-3, 1e3, 7), spread(1e-3, 1e3, 8)
    np.testing.assert_array_equal(c("min", a, b), np.minimum(a, b))
    np.testing.assert_array_equal(c("max", a, b), np.maximum(a, b))
    exact = np.hypot(a.astype(np.longdouble), b.astype(np.longdouble))
    assert units(c("hypot", a, b), exact).max() < 2.0
