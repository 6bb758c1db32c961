"""Any model becomes C: without warnings, whatever parts it has."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.errors import InterfaceError
from packtwin.twin.implicit import implicit_source
from packtwin.twin.lookup import Lookup
from packtwin.twin.step_map import StepStatus
from tests.twin.implicit_models import (
    begin,
    compiled,
    make_model,
)

pytestmark = pytest.mark.fmu


def test_algebraic_states_may_be_determined_by_any_equation() -> None:
    """z0 stands in no equation of its own: the diagonal is structurally empty."""
    model = make_model(
        "turned",
        x=[1.0],
        z=[0.0, 0.0, 0.0],
        u=[2.0],
        rhs=lambda t, x, z, u, p: [-z[0]],
        algebraic=lambda t, x, z, u, p: [
            z[1] - x[0],
            z[2] - u[0] * z[1],
            z[0] - z[2] + z[1],
        ],
        outputs=lambda t, x, z, u, p: [z[0], z[1], z[2]],
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map, (1e-9, 1e-9))
    outcome = step_map.step_until_event(memory, 0.0, 1.0, u, p)
    np.testing.assert_allclose(
        outcome.outputs, np.exp(-1.0) * np.array([1.0, 1.0, 2.0]), rtol=1e-7
    )


def test_an_index_two_model_is_refused_by_name() -> None:
    pendulum = make_model(
        "driven",
        x=[0.0],
        z=[0.0],
        u=[1.0],
        rhs=lambda t, x, z, u, p: [z[0]],
        algebraic=lambda t, x, z, u, p: [x[0] - u[0]],
    )
    with pytest.raises(InterfaceError, match=r"do not determine `z\[0\]`"):
        implicit_source(pendulum)


def test_models_with_lookups_follow_them() -> None:
    """x' = -table(x) with table(x) = x + x^3 / 10 in uneven pieces."""
    knots = np.array([-1.0, 0.0, 0.1, 0.5, 0.6, 2.0])
    coefficients = np.column_stack(
        [knots + knots**3 / 10, 1 + 0.3 * knots**2, 0.3 * knots, np.full(6, 0.1)]
    )[:-1]
    table = Lookup(name="law", breakpoints=knots, coefficients=coefficients)
    call = table.function()
    model = make_model(
        "looked_up",
        x=[1.5],
        rhs=lambda t, x, z, u, p: [-call(x[0])],
        outputs=lambda t, x, z, u, p: [call(0.1 * call(x[0]))],
        lookups=[table],
        kind=ca.MX,
    )
    step_map = compiled(model)
    memory, u, p = begin(step_map, (1e-9, 1e-9))
    outcome = step_map.step_until_event(memory, 0.0, 1.0, u, p)
    # 1 / x^2 + 1/10 grows as exp(2 t)
    exact = ((1.5**-2 + 0.1) * np.exp(2.0) - 0.1) ** -0.5
    assert outcome.memory[0] == pytest.approx(exact, rel=1e-7)
    twice = table.value(0.1 * table.value(outcome.memory[:1]))
    np.testing.assert_allclose(outcome.outputs, twice, rtol=1e-13)


def decay(t, x, z, u, p):
    return [-x[0]]


def first_state(t, x, z, u, p):
    return [x[0]]


CORNERS = [
    make_model("nothing"),
    make_model("ode_only", x=[1.0], rhs=decay, outputs=first_state),
    make_model("without_outputs", x=[1.0], rhs=decay),
    make_model(
        "all_parts",
        x=[1.0],
        z=[1.0],
        u=[0.5],
        p=[1.0],
        rhs=lambda t, x, z, u, p: [-z[0] * ca.cos(t)],
        algebraic=lambda t, x, z, u, p: [z[0] - p[0] * x[0] - u[0]],
        outputs=lambda t, x, z, u, p: [x[0] + u[0], t * z[0]],
        events=lambda t, x, z, u, p: [x[0], 9.0 - t],
        mean=[1],
    ),
    make_model(
        "algebraic_only",
        z=[1.0],
        u=[8.0],
        algebraic=lambda t, x, z, u, p: [z[0] ** 3 - u[0]],
        outputs=lambda t, x, z, u, p: [z[0]],
    ),
    make_model(
        "function_only", u=[2.0], outputs=lambda t, x, z, u, p: [2.0 * u[0] + t]
    ),
    make_model("mean_only", u=[2.0], outputs=lambda t, x, z, u, p: [u[0]], mean=[0]),
    make_model("events_only", u=[2.0], events=lambda t, x, z, u, p: [u[0], 3.0 - t]),
    make_model(
        "constants",
        x=[1.0, 1.0],
        p=[3.0],
        rhs=lambda t, x, z, u, p: [0.0, 1.0],
        outputs=lambda t, x, z, u, p: [1.0, p[0]],
        mean=[0],
    ),
]


@pytest.mark.parametrize("model", CORNERS, ids=lambda model: model.name)
def test_any_model_compiles_without_warnings_and_steps(model, tmp_path) -> None:
    source = implicit_source(model)
    code = tmp_path / "model.c"
    code.write_text(source.source)
    strict = Compiler(command=find_compiler().command, extra_flags=STRICT_FLAGS)
    strict.compile_library(code, tmp_path / "model.so")
    step_map = compiled(model)
    memory, u, p = begin(step_map)
    outcome = step_map.step_until_event(memory, 0.0, 1.0, u, p)
    assert outcome.status is StepStatus.OK
    assert outcome.outputs.shape == (len(model.interface.outputs),)


def test_a_purely_algebraic_model_follows_its_inputs() -> None:
    step_map = compiled(CORNERS[4])
    memory, _, p = begin(step_map, (1e-9, 1e-9))
    assert memory[0] == pytest.approx(2.0, rel=1e-10)
    outcome = step_map.step_until_event(memory, 0.0, 1.0, np.array([27.0]), p)
    assert outcome.outputs[0] == pytest.approx(3.0, rel=1e-12)


def test_statistics_count_the_scalar_operations() -> None:
    counts = implicit_source(CORNERS[1]).statistics
    assert counts["f"] == 1
    assert "gj" not in counts
