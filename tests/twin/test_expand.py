"""Expanded expressions equal the MX functions, lookups and first slopes included."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.expand import Expansion, expand
from packtwin.twin.lookup import Lookup
from packtwin.twin.scalar_tape import LOOKUP, LOOKUP_SLOPE
from packtwin.twin.vector_program import vectorise
from tests.twin.compiled_program import load_program


def table(name: str, seed: int, n: int = 12) -> Lookup:
    rng = np.random.default_rng(seed)
    steps = np.full(n, 0.25) if seed % 2 else rng.uniform(0.1, 0.4, n)
    return Lookup(
        name=name,
        breakpoints=np.concatenate([[-1.0], -1.0 + np.cumsum(steps)]),
        coefficients=rng.normal(size=(n, 4)),
    )


TABLES = (table("first", 1), table("second", 2))


def check(function: ca.Function, e: Expansion, folder) -> None:
    """C of the expansion against CasADi: values and the Jacobian by x."""
    x, y = e.symbols
    jacobian = ca.densify(ca.jacobian(e.expressions[0], x))
    tape = e.tape(e.expressions[0], ca.vec(jacobian), lookups=TABLES)
    call = load_program(vectorise(tape, None, TABLES), folder)
    sx, sy = (ca.MX.sym(label, v.numel()) for label, v in (("x", x), ("y", y)))
    result = function(sx, sy)
    exact = ca.Function("exact", [sx, sy], [result, ca.jacobian(result, sx)])
    rng = np.random.default_rng(3)
    for _ in range(50):
        at = rng.uniform(-1.5, 2.5, x.numel()), rng.uniform(-1.0, 2.0, y.numel())
        values, slopes = call(*at)
        want, want_slopes = (np.asarray(v.full()) for v in exact(*at))
        np.testing.assert_allclose(values, want.ravel(), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(
            slopes, want_slopes.ravel(order="F"), rtol=1e-12, atol=1e-12
        )


@pytest.mark.fmu
def test_lookups_and_their_chain_rule_are_exact(tmp_path) -> None:
    x, y = ca.MX.sym("x", 3), ca.MX.sym("y", 2)
    first, second = (t.function() for t in TABLES)
    f = ca.vertcat(first(x[0] * y[0]) * x[1], second(ca.sin(x[2])) + first(x[1]), y[1])
    function = ca.Function("f", [x, y], [f])
    e = expand([function], TABLES, "model")
    assert sorted(c.name for c in e.calls) == ["first", "first", "second"]
    check(function, e, tmp_path)


@pytest.mark.fmu
def test_nested_lookups_are_exact(tmp_path) -> None:
    x, y = ca.MX.sym("x", 2), ca.MX.sym("y", 1)
    first, second = (t.function() for t in TABLES)
    inner = second(x[0] + y)
    f = ca.vertcat(first(0.1 * inner * x[1]), second(first(inner * 0.05) * 0.1) * inner)
    function = ca.Function("f", [x, y], [f])
    check(function, expand([function], TABLES, "model"), tmp_path)


def test_equal_calls_are_one_and_functions_share_them() -> None:
    x = ca.MX.sym("x", 2)
    call = TABLES[0].function()
    one = ca.Function("one", [x], [call(x[0]) + x[1]])
    two = ca.Function("two", [x], [call(x[0]) * x[1]])
    e = expand([one, two], TABLES, "model")
    assert len(e.calls) == 1
    kinds = e.tape(*e.expressions, lookups=TABLES).operation.tolist()
    assert kinds.count(LOOKUP) == 1
    assert kinds.count(LOOKUP_SLOPE) == 0


def test_a_model_without_lookups_is_expanded_as_it_is() -> None:
    x = ca.MX.sym("x", 2)
    function = ca.Function("f", [x], [ca.exp(x[0]) * x])
    e = expand([function], (), "model")
    assert e.calls == ()
    again = ca.Function("again", list(e.symbols), list(e.expressions))
    np.testing.assert_array_equal(again([0.5, 2.0]), function([0.5, 2.0]))


def test_an_extra_argument_can_be_used() -> None:
    x, extra = ca.MX.sym("x", 2), ca.SX.sym("d", 3)
    e = expand([ca.Function("f", [x], [x])], (), "model")
    tape = e.tape(e.expressions[0] * extra[0], symbols=[*e.symbols, extra])
    assert tape.argument_sizes == (2, 3)


def test_a_spline_that_is_no_lookup_is_named_with_the_remedy() -> None:
    x = ca.MX.sym("x")
    spline = ca.interpolant("curve", "bspline", [[0.0, 1, 2, 3]], [0.0, 1, 4, 9])
    with pytest.raises(InterfaceError, match="Model `cell` cannot be expanded") as got:
        expand([ca.Function("f", [x], [spline(x)])], (), "cell")
    assert str(got.value).endswith("it calls `curve`. Use `Lookup` for its tables.")


def test_a_lookup_of_a_vector_is_one_call_per_element() -> None:
    x = ca.MX.sym("x", 3)
    values = TABLES[0].function()(x.T)
    e = expand([ca.Function("f", [x], [values])], TABLES, "model")
    assert [c.name for c in e.calls] == ["first"] * 3
