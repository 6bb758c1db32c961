"""Claims about calling CasADi functions with arrays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.function_call import FunctionCall


def function() -> ca.Function:
    x, y, none = ca.MX.sym("x", 3), ca.MX.sym("y"), ca.MX.sym("none", 0)
    sparse = ca.MX(ca.DM.zeros(3, 1))
    sparse[1] = ca.exp(y)
    return ca.Function("f", [x, y, none], [ca.sin(x) * y, sparse, ca.MX(0, 1)])


def test_results_have_the_bits_of_casadis_own_call():
    x, none = np.random.default_rng(0).normal(size=3), np.zeros(0)
    expected = [v.full().reshape(-1) for v in function()(x, 0.7, none)]
    for got, value in zip(
        FunctionCall(function())(x, 0.7, none), expected, strict=True
    ):
        np.testing.assert_array_equal(got, value)


def test_results_stay_when_it_is_called_again():
    call, none = FunctionCall(function()), np.zeros(0)
    first = call(np.ones(3), 1.0, none)
    before = [v.copy() for v in first]
    call(np.zeros(3), 2.0, none)
    for value, kept in zip(first, before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_threads_do_not_meet():
    call, none = FunctionCall(function()), np.zeros(0)

    def run(k: int) -> bool:
        x = np.full(3, float(k))
        wanted = call(x, float(k), none)[0]
        return all((call(x, float(k), none)[0] == wanted).all() for _ in range(200))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


def test_what_cannot_be_solved_raises():
    x, p = ca.MX.sym("x"), ca.MX.sym("p")
    root = ca.rootfinder("r", "fast_newton", {"x": x, "p": p, "g": x * x + p})
    call = FunctionCall(ca.Function("f", [p], [root(x0=0.3, p=p)["x"]]))
    assert call(-4.0)[0][0] == pytest.approx(2.0)
    with pytest.raises(RuntimeError):
        call(1.0)
