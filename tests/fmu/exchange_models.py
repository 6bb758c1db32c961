"""Models with closed forms for model exchange: events, algebraic states, time."""

from __future__ import annotations

import casadi as ca

from packtwin.twin.model import Model
from packtwin.twin.variable import Interface, Variable


def divider() -> Model:
    """A capacitor behind a diode-like resistor: v solves i(v) + v/r = u - x.

    With x' = (cube + linear) of the algebraic v, and an event where x reaches 0.8.
    """
    t, x, z, u, p = (
        ca.MX.sym(n, k) for n, k in (("t", 1), ("x", 2), ("z", 2), ("u", 1), ("p", 1))
    )
    arguments = [t, x, z, u, p]
    return Model(
        name="divider",
        interface=Interface(
            inputs=(Variable(name="source_V", start=1.0),),
            outputs=(Variable(name="drop_V"), Variable(name="shown_V")),
            parameters=(Variable(name="gain", start=2.0, variability="tunable"),),
        ),
        states=(Variable(name="capacitor_1_V"), Variable(name="capacitor_2_V")),
        rhs=ca.Function("f", arguments, [ca.vertcat(p * z[0], z[1] - x[1])]),
        outputs=ca.Function("y", arguments, [ca.vertcat(z[0], x[1] + ca.sin(t))]),
        initial=ca.Function("x0", [u, p], [0.1 * u * ca.DM([1, 2]), ca.DM([0.5, 0.5])]),
        algebraic_states=(
            Variable(name="diode_V", nominal=0.5),
            Variable(name="loop_V"),
        ),
        algebraic=ca.Function(
            "g",
            arguments,
            [ca.vertcat(z[0] ** 3 + z[0] - (u - x[0]), z[1] - 0.5 * z[0] - x[0])],
        ),
        events=(Variable(name="full_V", description="The capacitor is full."),),
        indicators=ca.Function("e", arguments, [0.8 - x[0]]),
    )


def decay() -> Model:
    """x' = -k x + u with an exact solution, stiff for k = 1000."""
    t, x, z, u, p = (
        ca.SX.sym(n, k) for n, k in (("t", 1), ("x", 2), ("z", 0), ("u", 1), ("p", 1))
    )
    arguments = [t, x, z, u, p]
    return Model(
        name="decay",
        interface=Interface(
            inputs=(Variable(name="drive_K", start=1.0),),
            outputs=(Variable(name="sum_K"), Variable(name="flow", sampling="mean")),
            parameters=(Variable(name="rate_per_s", start=1000.0),),
        ),
        states=(
            Variable(name="fast_K", nominal=2.0),
            Variable(name="slow_K", nominal=300.0),
        ),
        rhs=ca.Function("f", arguments, [ca.vertcat(-p * x[0] + u, -x[1])]),
        outputs=ca.Function("y", arguments, [ca.vertcat(x[0] + x[1], x[1])]),
        initial=ca.Function("x0", [u, p], [ca.vertcat(2.0, 300.0), ca.SX(0, 1)]),
    )
