"""A small good FMU, from which the mutants of `packtwin bench check` are made."""

from __future__ import annotations

import casadi as ca

from packtwin.fmu.source import FmiKind, FmiVersion, FmuSource, render_source
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = ["good_source", "good_step_map", "good_vector_step_map"]


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


def good_vector_step_map() -> StepMap:
    """Return three lumps in a row, each with a heater: FMI 3 shows them as vectors."""
    n = 3
    numbers = range(1, n + 1)
    interface = Interface(
        inputs=tuple(
            Variable(name=f"heat_{k}_W", start=10.0 * k, nominal=10.0) for k in numbers
        ),
        outputs=tuple(
            Variable(name=f"temperature_{k}_K", start=300.0) for k in numbers
        ),
        parameters=tuple(
            Variable(
                name=f"capacity_{k}_J_per_K",
                start=40.0 + k,
                minimum=1.0,
                variability="tunable",
            )
            for k in numbers
        ),
    )
    states = tuple(Variable(name=f"lump_{k}_K", start=300.0) for k in numbers)
    t, x = ca.SX.sym("t"), ca.SX.sym("x", n)
    u, p, z = ca.SX.sym("u", n), ca.SX.sym("p", n), ca.SX.sym("z", 0)
    between = 2.0 * (x[:-1] - x[1:])
    lost = 0.5 * (x - 300.0)
    heat = u - lost - ca.vertcat(between, 0) + ca.vertcat(0, between)
    model = Model(
        name="GoodRow",
        interface=interface,
        states=states,
        rhs=ca.Function("f", [t, x, z, u, p], [heat / p]),
        outputs=ca.Function("y", [t, x, z, u, p], [x]),
        initial=ca.Function("x0", [u, p], [ca.SX(ca.DM([300, 301, 302])), ca.SX(0, 1)]),
    )
    return integrate(model, symbol=ca.SX)


def good_source(
    version: FmiVersion, kind: FmiKind, step_map: StepMap | None = None
) -> FmuSource:
    """Return the files of a good FMU, for one version and interface."""
    subject = step_map or good_step_map()
    return render_source(subject, fmi_version=version, kinds=(kind,))
