"""Derivatives are judged where there are any: kinks at the start are no faults."""

from __future__ import annotations

from pathlib import Path

import casadi as ca
import pytest

from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.probes_slopes import judge_derivative
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.export import export_fmu
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable


def valves() -> StepMap:
    """Two closed valves in series: nothing flows unless both open."""
    u, m, t, h = (ca.SX.sym(n, k) for n, k in (("u", 2), ("m", 0), ("t", 1), ("h", 1)))
    p = ca.SX.sym("p", 0)
    opened = ca.fmin(ca.fmax(u, 0.0), 1.0)
    flow = ca.fmin(3.0 * opened[0], 5.0 * opened[1])
    return StepMap(
        name="valves",
        interface=Interface(
            inputs=(Variable(name="first"), Variable(name="second")),
            outputs=(Variable(name="flow_kg_per_s"),),
        ),
        memory=(),
        initialize=ca.Function("i", [u, p], [ca.SX(0, 1), flow]),
        step=ca.Function("s", [m, t, h, u, p], [ca.SX(0, 1), flow]),
    )


@pytest.mark.fmu
def test_valves_that_start_closed_are_no_fault(fmu_folder: Path) -> None:
    path = export_fmu(valves(), fmu_folder / "valves.fmu")
    report = check_fmu(path, budget_s=0.3)
    assert report.problems == ()
    assert report.not_run == ""


@pytest.mark.parametrize(
    ("got", "values", "is_fault"),
    [
        (4.0, [-0.04, 0.0, 0.04, -0.148, 0.148], False),
        (4.1, [-0.04, 0.0, 0.04, -0.148, 0.148], True),
        (1.0, [0.0, 0.0, 0.04, 0.0, 0.148], False),  # a kink: there is no derivative
        (0.0, [0.0, 1e-19, -1e-19, 0.0, 0.0], False),  # rounding
        (0.0, [-4e-11, 0.0, 4e-11, 0.0, 4e-11], False),  # rounding of larger terms
    ],
)
def test_judgement(got: float, values: list[float], is_fault: bool) -> None:
    assert (
        bool(list(judge_derivative(variable(), "known", got, values, 0.01))) is is_fault
    )


def variable() -> RunVariable:
    return RunVariable(
        key=1,
        name="v",
        kind="Real",
        reference=0,
        causality="output",
        variability="continuous",
        initial="calculated",
        size=1,
        starts=(),
        minimum=-1e9,
        maximum=1e9,
        nominal=1.0,
    )
