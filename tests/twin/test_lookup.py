"""Lookups: the same polynomial pieces in NumPy, CasADi and C."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from packtwin.twin.errors import InterfaceError
from packtwin.twin.expand import expand
from packtwin.twin.lookup import Lookup
from packtwin.twin.vector_program import vectorise
from tests.twin.compiled_program import load_program

UNIFORM = np.linspace(-0.3, 1.9, 24)
UNEVEN = np.array([-0.3, -0.1, 0.0, 1e-3, 0.4, 0.45, 1.2, 1.9])


def spline(name: str, knots: np.ndarray) -> tuple[Lookup, CubicSpline]:
    curve = CubicSpline(knots, np.cos(3.0 * knots) + knots**2)
    table = Lookup(
        name=name, breakpoints=knots, coefficients=np.ascontiguousarray(curve.c[::-1].T)
    )
    return table, curve


def points(knots: np.ndarray) -> np.ndarray:
    """Random points, the knots, their neighbours, and beyond both ends."""
    rng = np.random.default_rng(0)
    return np.concatenate(
        [
            rng.uniform(knots[0] - 0.5, knots[-1] + 0.5, 2000),
            knots,
            np.nextafter(knots, -np.inf),
            np.nextafter(knots, np.inf),
            [-7.0, 9.0],
        ]
    )


@pytest.fixture(params=[UNIFORM, UNEVEN, UNEVEN[:2]], ids=["even", "uneven", "one"])
def knots(request) -> np.ndarray:
    return request.param


def test_values_and_slopes_are_those_of_the_spline_and_extrapolate_it(knots) -> None:
    table, curve = spline("table", knots)
    at = points(knots)
    np.testing.assert_allclose(table.value(at), curve(at), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(table.slope(at), curve(at, 1), rtol=1e-11, atol=1e-11)


def test_casadi_function_gives_the_same_values_and_slopes(knots) -> None:
    table, _ = spline("table", knots)
    at, x = points(knots), ca.MX.sym("x")
    value = table.function()(x)
    both = ca.Function("both", [x], [value, ca.jacobian(value, x)]).map(len(at))
    values, slopes = (np.asarray(v).ravel() for v in both(at[None, :]))
    np.testing.assert_allclose(values, table.value(at), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(slopes, table.slope(at), rtol=1e-13, atol=1e-13)


@pytest.mark.fmu
def test_c_gives_the_same_bits(knots, tmp_path) -> None:
    table, _ = spline("table", knots)
    at = points(knots)
    x = ca.MX.sym("x", len(at))
    call = table.function()
    rows = ca.vertcat(*(call(x[k]) for k in range(len(at))))
    e = expand([ca.Function("f", [x], [rows])], [table], "f")
    slopes = ca.diag(ca.jacobian(e.expressions[0], e.symbols[0]))
    tape = e.tape(e.expressions[0], ca.densify(slopes), lookups=[table])
    values, slope = load_program(vectorise(tape, None, [table]), tmp_path)(at)
    np.testing.assert_array_equal(values, table.value(at))
    np.testing.assert_array_equal(slope, table.slope(at))


def test_piece_begins_at_its_breakpoint() -> None:
    table = Lookup(
        name="steps",
        breakpoints=np.array([0.0, 1.0, 2.0]),
        coefficients=np.array([[1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]),
    )
    x = np.array([-1.0, 0.0, np.nextafter(1.0, 0.0), 1.0, 2.0, 3.0])
    expected = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    np.testing.assert_array_equal(table.value(x), expected)
    call = table.function()
    assert [float(call(v)) for v in x] == expected


@pytest.mark.parametrize(
    ("name", "breakpoints", "n_piece"),
    [
        ("not a name", [0.0, 1.0], 1),
        ("table", [0.0], 0),
        ("table", [0.0, 0.0], 1),
        ("table", [0.0, np.inf], 1),
        ("table", [0.0, 1.0], 2),
    ],
)
def test_unsound_tables_are_refused(name, breakpoints, n_piece) -> None:
    with pytest.raises(InterfaceError, match="increasing breakpoints"):
        Lookup(
            name=name,
            breakpoints=np.array(breakpoints),
            coefficients=np.ones((n_piece, 4)),
        )
