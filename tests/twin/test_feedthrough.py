"""Feedthrough is never missed."""

from __future__ import annotations

import pytest

from tests.twin.implicit_models import (
    compiled,
    make_model,
)

pytestmark = pytest.mark.fmu


def test_feedthrough_follows_the_algebraic_states_and_the_start() -> None:
    model = make_model(
        "through",
        x=[1.0, 1.0],
        z=[0.0, 0.0],
        u=[1.0, 1.0, 1.0],
        initial=lambda u, p: [u[2], 1.0],
        rhs=lambda t, x, z, u, p: [z[0], u[1]],
        algebraic=lambda t, x, z, u, p: [z[0] - u[0], z[1] - x[1]],
        outputs=lambda t, x, z, u, p: [z[0], z[1], u[1] + x[1], x[0]],
    )
    assert compiled(model).feedthrough == {
        ("u[0]", "y[0]"),
        ("u[1]", "y[2]"),
        ("u[2]", "y[3]"),
    }
