"""A synthetic cell for controller tests: analytic, quick, with everything they use."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import casadi as ca
import numpy as np

from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

CAPACITY_Ah = 5.0
ACTIVITY_K = 2500.0


def make_cell(*, has_network: bool = False) -> StepMap:
    """Return the step map of a 5 Ah cell with two diffusion modes and lumped heat."""
    return integrate(make_model(has_network=has_network), "exponential")


def make_model(*, has_network: bool = False) -> Model:
    """Return the equations; `has_network` adds a 2x24 residual network."""
    interface = Interface(
        inputs=(
            Variable(name="current_A", nominal=5.0),
            Variable(name="coolant_temperature_K", start=298.15),
            Variable(name="heat_transfer_coefficient_W_per_m2K", start=100.0),
        ),
        outputs=tuple(
            Variable(name=n, sampling="mean" if n.startswith("heat") else "end")
            for n in (
                "voltage_V",
                "ocv_V",
                "soc",
                "temperature_K",
                "plating_potential_V",
                "heat_generation_W",
                "heat_cell_to_coolant_W",
            )
        ),
        parameters=(
            Variable(name="start_soc", start=0.1, variability="fixed"),
            Variable(name="start_temperature_K", start=298.15, variability="fixed"),
            Variable(name="capacity_factor", start=1.0, variability="fixed"),
            Variable(name="resistance_factor", start=1.0, variability="fixed"),
        ),
    )
    states = tuple(
        Variable(name=n)
        for n in ("soc", "surface_excess_fast", "surface_excess_slow", "temperature_K")
    )
    x, sx = names_to_symbols(states, "x", ca.MX)
    u, su = names_to_symbols(interface.inputs, "u", ca.MX)
    p, sp = names_to_symbols(interface.parameters, "p", ca.MX)
    current, temperature = su["current_A"], sx["temperature_K"]
    capacity = 3600.0 * CAPACITY_Ah * sp["capacity_factor"]
    activity = ca.exp(ACTIVITY_K * (1 / 298.15 - 1 / temperature))
    rate = -current / capacity
    surface = sx["soc"] + sx["surface_excess_fast"] + sx["surface_excess_slow"]
    resistance = 0.022 * sp["resistance_factor"] / activity
    ocv = _ocv(sx["soc"])
    voltage = _ocv(surface) - current * resistance
    plating = _graphite(surface) + current * 0.006 * sp["resistance_factor"] / activity
    if has_network:
        residual = _network(ca.vertcat(x, current))
        voltage, plating = voltage + residual[0], plating + residual[1]
    heat = -current * (voltage - ocv)
    to_coolant = (
        su["heat_transfer_coefficient_W_per_m2K"]
        * 0.0053
        * (temperature - su["coolant_temperature_K"])
    )
    return model_from_expressions(
        "synthetic_cell",
        interface,
        states,
        symbols=(ca.MX.sym("t"), x, u, p),
        rhs={
            "soc": rate,
            "surface_excess_fast": (40.0 * rate - sx["surface_excess_fast"] * activity)
            / 20.0,
            "surface_excess_slow": (60.0 * rate - sx["surface_excess_slow"] * activity)
            / 200.0,
            "temperature_K": (heat - to_coolant) / 70.0,
        },
        outputs={
            "voltage_V": voltage,
            "ocv_V": ocv,
            "soc": sx["soc"],
            "temperature_K": temperature,
            "plating_potential_V": plating,
            "heat_generation_W": heat,
            "heat_cell_to_coolant_W": to_coolant,
        },
        initial={
            "soc": sp["start_soc"],
            "surface_excess_fast": ca.MX(0),
            "surface_excess_slow": ca.MX(0),
            "temperature_K": sp["start_temperature_K"],
        },
    )


def _ocv(soc: Any) -> Any:
    return 3.35 + 1.0 * soc - 0.6 * soc**2 + 0.45 * soc**3


def _graphite(x: Any) -> Any:
    return 0.075 + 0.30 * ca.exp(-12.0 * x) - 0.06 * x**3


def _network(z: Any) -> Any:
    generator = np.random.default_rng(7)
    scale = np.array([1.0, 0.1, 0.1, 30.0, 10.0])
    shift = np.array([0.5, 0.0, 0.0, 298.15, 0.0])
    a = (z - shift) / scale
    sizes = (5, 24, 24)
    for n_in, n_out in pairwise(sizes):
        weights = generator.normal(0.0, 1.0 / np.sqrt(n_in), (n_out, n_in))
        a = ca.DM(weights) @ a + generator.normal(0.0, 0.2, n_out)
        a = a / ca.sqrt(1.0 + a * a)
    return ca.DM(generator.normal(0.0, 0.0015, (2, 24))) @ a
