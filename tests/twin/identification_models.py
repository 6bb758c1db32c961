"""Small models and records with known solutions, for tests of identification."""

from __future__ import annotations

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.measurement import Measurement
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.variable import Interface, Variable

TRUE = {"resistance_Ohm": 0.02, "polarisation_Ohm": 0.03, "relaxation_s": 40.0}


def circuit(*, is_doubled: bool = False) -> Model:
    """A cell of 2 Ah: open-circuit voltage, series resistance and one RC element.

    Args:
        is_doubled: Add `contact_Ohm`, which only appears beside `resistance_Ohm`, and
            `idle_Ohm`, which appears nowhere.
    """
    starts = {"resistance_Ohm": 0.01, "polarisation_Ohm": 0.01, "relaxation_s": 100.0}
    if is_doubled:
        starts |= {"contact_Ohm": 0.01, "idle_Ohm": 0.01}
    interface = Interface(
        inputs=(Variable(name="current_A"),),
        outputs=(Variable(name="voltage_V"),),
        parameters=(
            Variable(name="soc_start", start=0.9),
            *(Variable(name=n, start=s, minimum=1e-6) for n, s in starts.items()),
        ),
    )
    states = (Variable(name="soc", start=0.9), Variable(name="overvoltage_V"))
    t = ca.SX.sym("t")
    x, by_state = names_to_symbols(states, "x")
    u, by_input = names_to_symbols(interface.inputs, "u")
    p, by_parameter = names_to_symbols(interface.parameters, "p")
    current, soc, v = by_input["current_A"], by_state["soc"], by_state["overvoltage_V"]
    q = by_parameter
    series = q["resistance_Ohm"] + (q["contact_Ohm"] if is_doubled else 0.0)
    slope = (q["polarisation_Ohm"] * current - v) / q["relaxation_s"]
    return model_from_expressions(
        "circuit",
        interface,
        states,
        symbols=(t, x, u, p),
        rhs={"soc": -current / 7200.0, "overvoltage_V": slope},
        outputs={"voltage_V": 3.4 + 0.7 * soc - v - series * current},
        initial={"soc": q["soc_start"], "overvoltage_V": ca.SX(0.0)},
    )


def algebraic_circuit() -> Model:
    """A resistor `conductance_S` in parallel to a store of 100 F, as a DAE."""
    t, x, z = ca.SX.sym("t"), ca.SX.sym("x"), ca.SX.sym("z")
    u, p = ca.SX.sym("u"), ca.SX.sym("p")
    arguments = [t, x, z, u, p]
    return Model(
        name="leaky",
        interface=Interface(
            inputs=(Variable(name="current_A"),),
            outputs=(Variable(name="voltage_V"),),
            parameters=(Variable(name="conductance_S", start=2.0),),
        ),
        states=(Variable(name="store_V", start=4.0),),
        algebraic_states=(Variable(name="leak_A", start=8.0),),
        rhs=ca.Function("rhs", arguments, [-(u + z) / 100.0]),
        algebraic=ca.Function("algebraic", arguments, [z - p * x]),
        outputs=ca.Function("outputs", arguments, [z / 2.0]),
        initial=ca.Function("initial", [u, p], [ca.SX(4.0), ca.SX(1.0)]),
    )


def pulses(*, noise_V: float = 0.0, seed: int = 0, name: str = "pulses") -> Measurement:
    """The exact voltage of `circuit` at `TRUE` under four pulses, with white noise."""
    time_s = np.arange(0.0, 1201.0, 10.0)
    edges = np.array([0.0, 100.0, 300.0, 500.0, 800.0, 1000.0])
    levels = np.array([0.0, 2.0, -1.0, 3.0, 0.0, 1.0])
    # Two samples a millisecond apart make a jump.
    time_s = np.sort(np.concatenate([time_s, edges[1:] + 1e-3]))
    level = np.searchsorted(edges + 5e-4, time_s) - 1
    current_A = levels[np.maximum(level, 0)]
    voltage_V = _exact(time_s, current_A)
    noise = np.random.default_rng(seed).normal(0.0, 1.0, time_s.shape)
    return Measurement(
        name=name,
        time_s=time_s,
        current_A=current_A,
        voltage_V=voltage_V + noise_V * noise,
    )


def _exact(
    time_s: NDArray[np.float64], current_A: NDArray[np.float64]
) -> NDArray[np.float64]:
    soc, v = 0.9, 0.0
    found = [3.4 + 0.7 * soc - TRUE["resistance_Ohm"] * current_A[0]]
    for k in range(1, len(time_s)):
        h = time_s[k] - time_s[k - 1]
        mean = (current_A[k] + current_A[k - 1]) / 2
        soc -= mean * h / 7200.0
        decay = np.exp(-h / TRUE["relaxation_s"])
        v = v * decay + TRUE["polarisation_Ohm"] * mean * (1 - decay)
        found.append(3.4 + 0.7 * soc - v - TRUE["resistance_Ohm"] * current_A[k])
    return np.array(found)
