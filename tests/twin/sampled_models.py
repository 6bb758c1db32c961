"""Sampled laws with closed forms."""

from __future__ import annotations

import casadi as ca

from packtwin.twin.sampled import Sampled
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable


def adder(period_s: float = 0.5, name: str = "adder") -> Sampled:
    """Add up `gain * measured` at every sample; tell when it was, and the offset."""
    m, t, h = (ca.SX.sym(label) for label in "mth")
    u, p = ca.SX.sym("u", 2), ca.SX.sym("p", 1)
    total = m + p * u[0]
    law = StepMap(
        name=f"{name}_law",
        interface=Interface(
            inputs=(Variable(name="measured_K"), Variable(name="offset_K")),
            outputs=(
                Variable(name="total_K"),
                Variable(name="when_s", start=-1.0),
                Variable(name="shown_K"),
            ),
            parameters=(Variable(name="gain", start=2.0, variability="tunable"),),
        ),
        memory=(Variable(name="sum_K"),),
        initialize=ca.Function("i", [u, p], [ca.SX(0.0), ca.vertcat(0.0, -1.0, 0.0)]),
        step=ca.Function(
            "s", [m, t, h, u, p], [total, ca.vertcat(total, t, u[1] + ca.sqrt(u[0]))]
        ),
    )
    return Sampled(name=name, law=law, period_s=period_s)


def damper(period_s: float, gain_per_s: float) -> Sampled:
    """Ask for the rate `-gain * level`: x(kT) = (1 - gain T)^k x(0) with x' = rate."""
    t, h, u = (ca.SX.sym(label) for label in "thu")
    m, p = ca.SX.sym("m", 0), ca.SX.sym("p", 0)
    law = StepMap(
        name="damper_law",
        interface=Interface(
            inputs=(Variable(name="level_m"),),
            outputs=(Variable(name="rate_m_per_s"),),
        ),
        memory=(),
        initialize=ca.Function("i", [u, p], [ca.SX(0, 1), ca.SX(0.0)]),
        step=ca.Function("s", [m, t, h, u, p], [ca.SX(0, 1), -gain_per_s * u]),
    )
    return Sampled(name="damper", law=law, period_s=period_s)
