"""Algebraic loops: a gain of ten, a load of constant power, and one without answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import casadi as ca
import numpy as np

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Iterated
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.twin.component import StepMapComponent
from packtwin.twin.errors import StepError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions
from packtwin.twin.variable import Interface, Variable

__all__ = ["rows"]


def _law(
    name: str, given: Variable, output: str, expression: object, u: object
) -> StepMapComponent:
    """Return a component without states: an output at once of one input."""
    empty = ca.SX.sym("x", 0)
    model = model_from_expressions(
        name,
        Interface(inputs=(given,), outputs=(Variable(name=output),)),
        (),
        symbols=(ca.SX.sym("t"), empty, u, ca.SX.sym("p", 0)),
        rhs={},
        outputs={output: expression},
        initial={},
    )
    return StepMapComponent(integrate(model, "rk4", input_order=3, symbol=ca.SX))


def _loop(gain: float) -> System:
    u, v = ca.SX.sym("u", 1), ca.SX.sym("v", 1)
    return System(
        [
            _law("first", Variable(name="u_A"), "y_A", gain * u + 1.0, u),
            _law("second", Variable(name="v_A"), "z_A", 1.0 * v, v),
        ],
        [Connection("first.y_A", "second.v_A"), Connection("second.z_A", "first.u_A")],
        has_loops=True,
    )


def _load(start_V: float) -> System:
    """A source of 400 V and 1 Ohm with a load of 30 kW: 300 V or 100 V."""
    u, v = ca.SX.sym("u", 1), ca.SX.sym("v", 1)
    supply = Variable(name="supply_V", start=start_V)
    return System(
        [
            _law("load", supply, "draw_A", 30e3 / v, v),
            _law("source", Variable(name="current_A"), "bus_V", 400.0 - u, u),
        ],
        [
            Connection("load.draw_A", "source.current_A"),
            Connection("source.bus_V", "load.supply_V"),
        ],
        has_loops=True,
    )


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    master = Iterated(tolerance=1e-10)
    result = simulate(_loop(10.0), stop_s=1.0, step_s=0.1, master=master)
    at_start = result.stats.counts["iterations at the start"]
    most = float(max(at_start, -(-result.stats.counts["iterations"] // 10)))
    error = float(np.abs(result.values + 1.0 / 9.0).max()) * 9.0
    found = [
        at_most(
            "loop.iterations", "linear loop of gain 10, iterations", most, "1", 2.0
        ),
        at_most(
            "loop.error", "linear loop of gain 10, relative error", error, "1", 1e-10
        ),
    ]
    for start_V, root_V in ((380.0, 300.0), (60.0, 100.0)):
        result = simulate(_load(start_V), stop_s=1.0, step_s=0.1, master=master)
        off = float(np.abs(result["source.bus_V"] - root_V).max())
        what = f"constant-power load started at {start_V:g} V, off {root_V:g} V"
        found.append(at_most(f"loop.root.{root_V:g}", what, off, "V", 1e-6))
    try:
        simulate(_loop(1.0), stop_s=1.0, step_s=0.1, master=master)
        is_named = False
    except StepError as error_found:
        text = str(error_found)
        is_named = "no unique solution" in text and "second.z_A" in text
    what = "rank-deficient loop not refused by name"
    found.append(at_most("loop.singular", what, float(not is_named), "1", 0.0))
    return found
