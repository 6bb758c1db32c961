"""A small good FMU, from which the mutants of `packtwin bench check` are made."""

from __future__ import annotations

import casadi as ca

from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = ["good_step_map"]


def good_step_map() -> StepMap:
    """Return a resistor and capacitor at a source; it refuses a voltage below -1 V."""
    interface = Interface(
        inputs=(
            Variable(name="source_voltage_V", start=1.0),
            Variable(name="leakage_A", start=0.0, nominal=0.1),
        ),
        outputs=(
            Variable(name="capacitor_voltage_V"),
            Variable(name="current_A"),
            Variable(name="root"),
        ),
        parameters=(
            Variable(
                name="resistance_Ohm",
                start=2.0,
                minimum=1e-6,
                maximum=1e6,
                variability="tunable",
            ),
            Variable(
                name="capacitance_F",
                start=3.0,
                minimum=1e-6,
                maximum=1e6,
                variability="fixed",
            ),
        ),
    )
    states = (Variable(name="voltage_V"),)
    x, xs = names_to_symbols(states, "x")
    u, us = names_to_symbols(interface.inputs, "u")
    p, ps = names_to_symbols(interface.parameters, "p")
    voltage = xs["voltage_V"]
    current = (us["source_voltage_V"] - voltage) / ps["resistance_Ohm"]
    model = model_from_expressions(
        "GoodCircuit",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"voltage_V": (current - us["leakage_A"]) / ps["capacitance_F"]},
        outputs={
            "capacitor_voltage_V": voltage,
            "current_A": current,
            "root": ca.sqrt(1.0 + voltage),
        },
        initial={"voltage_V": ca.SX(0)},
    )
    return integrate(model, symbol=ca.SX)
