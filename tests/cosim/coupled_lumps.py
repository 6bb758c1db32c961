"""A nonlinear pair whose gradients touch everything that can go wrong with them.

A cell heats, its resistance falls with temperature; a cooler takes heat away. One flow
is a mean over the step, one wire converts degC to K, one output depends at once on an
input, one connection is delayed.
"""

from __future__ import annotations

import casadi as ca
import numpy as np

from packtwin.cosim.connection import Connection
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.twin.component import Component, StepMapComponent
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

PARAMETERS = (
    "cell.resistance_Ohm",
    "cell.start_K",
    "cooler.conductance_W_per_K",
    "cooler.capacity_J_per_K",
    "cooler.ambient_K",
)
OUTPUTS = ("cell.temperature_K", "cell.heat_W", "cooler.coolant_degC")


def cell_step_map() -> StepMap:
    interface = Interface(
        inputs=(
            Variable(name="current_A", start=5.0),
            Variable(name="coolant_K", start=300.0),
            Variable(name="derating", start=1.0),
        ),
        outputs=(
            Variable(name="temperature_K", start=300.0),
            Variable(name="heat_W", sampling="mean"),
            Variable(name="loss_W"),
        ),
        parameters=(
            Variable(name="resistance_Ohm", start=0.05),
            Variable(name="start_K", start=305.0),
        ),
    )
    states = (Variable(name="cell_K"), Variable(name="charge_Ah"))
    x, at = names_to_symbols(states, "x")
    u, by = names_to_symbols(interface.inputs, "u")
    p, of = names_to_symbols(interface.parameters, "p")
    current = by["current_A"] * by["derating"]
    warm = 1.0 + 0.02 * (at["cell_K"] - 300.0) ** 2 / 10.0
    loss = of["resistance_Ohm"] / warm * current**2
    heat = 2.0 * (at["cell_K"] - by["coolant_K"])
    model = model_from_expressions(
        "LumpCell",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"cell_K": (loss - heat) / 40.0, "charge_Ah": -current / 3600.0},
        outputs={"temperature_K": at["cell_K"], "heat_W": heat, "loss_W": loss},
        initial={
            "cell_K": of["start_K"] + 0.1 * by["current_A"],
            "charge_Ah": ca.SX(1.0),
        },
    )
    return integrate(model, "rk4", substep_s=0.4, symbol=ca.SX)


def cooler_step_map() -> StepMap:
    interface = Interface(
        inputs=(Variable(name="heat_W"), Variable(name="ambient_K", start=295.0)),
        outputs=(Variable(name="coolant_degC"), Variable(name="derating")),
        parameters=(
            Variable(name="conductance_W_per_K", start=1.5),
            Variable(name="capacity_J_per_K", start=30.0),
        ),
    )
    states = (Variable(name="coolant_K"),)
    x, at = names_to_symbols(states, "x")
    u, by = names_to_symbols(interface.inputs, "u")
    p, of = names_to_symbols(interface.parameters, "p")
    loss = of["conductance_W_per_K"] * (at["coolant_K"] - by["ambient_K"])
    model = model_from_expressions(
        "LumpCooler",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"coolant_K": (by["heat_W"] - loss) / of["capacity_J_per_K"]},
        outputs={
            "coolant_degC": at["coolant_K"] - 273.15,
            # At once on the input: a chain of direct feedthrough at the start.
            "derating": 1.0 / (1.0 + ca.exp((at["coolant_K"] - 310.0) / 20.0))
            - 1e-3 * by["heat_W"],
        },
        initial={"coolant_K": by["ambient_K"] + of["conductance_W_per_K"]},
    )
    return integrate(model, "rk4", symbol=ca.SX)


def coupled(cell: Component | None = None, cooler: Component | None = None) -> System:
    times = np.linspace(0.0, 40.0, 9)
    source = SignalSource("load", times, {"current_A": 12.0 + 6.0 * np.sin(times)})
    return System(
        [
            source,
            cell or StepMapComponent(cell_step_map(), name="cell"),
            cooler or StepMapComponent(cooler_step_map(), name="cooler"),
        ],
        [
            Connection("load.current_A", "cell.current_A"),
            Connection("cell.heat_W", "cooler.heat_W"),
            Connection("cooler.coolant_degC", "cell.coolant_K"),
            Connection("cooler.derating", "cell.derating", is_delayed=True),
        ],
        constants={"cooler.ambient_K": 293.0},
    )
