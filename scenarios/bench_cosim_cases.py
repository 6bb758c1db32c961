"""Coupled systems with an exact or a tight reference, for the co-simulation bench."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_linear import CUBIC, LinearComponent
from packtwin.twin.component import StepMapComponent
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.variable import Interface, Variable

__all__ = ["cell_and_controller", "exact_cell", "exact_quarter_car", "quarter_car"]

Vector: TypeAlias = NDArray[np.float64]

CHASSIS_KG, WHEEL_KG = 400.0, 40.0
SPRING, DAMPER, TYRE = 15e3, 1e3, 150e3
ROAD_M = 0.1
CURRENT_A, COOLANT_K, LIMIT_K = 100.0, 298.15, 308.15


def quarter_car() -> System:
    """A quarter of a car that meets a step of the road: chassis, then wheel.

    The data are those of M. Arnold, C. Clauss, T. Schierz, Arch. Mech. Eng. 60 (2013)
    75-94, doi:10.2478/meceng-2013-0005.
    """
    k, d, m, n = SPRING, DAMPER, CHASSIS_KG, WHEEL_KG
    displacement = Variable(name="neighbour_m", nominal=0.1)
    speed = Variable(name="neighbour_m_per_s", nominal=1.0)
    chassis = LinearComponent(
        "chassis",
        (
            [[0.0, 1.0], [-k / m, -d / m]],
            [[0.0, 0.0], [k / m, d / m]],
            [[1.0, 0.0], [0.0, 1.0], [k, d]],
            [[0.0, 0.0], [0.0, 0.0], [-k, -d]],
        ),
        [0.0, 0.0],
        (displacement, speed),
        (
            Variable(name="height_m", nominal=0.1),
            Variable(name="speed_m_per_s"),
            Variable(name="force_N", nominal=1e3),
        ),
        replace(CUBIC, can_differentiate=True),
    )
    wheel = LinearComponent(
        "wheel",
        (
            [[0.0, 1.0, 0.0], [-TYRE / n, 0.0, TYRE / n], [0.0, 0.0, 0.0]],
            [[0.0], [1.0 / n], [0.0]],
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            [[0.0], [0.0]],
        ),
        [0.0, 0.0, ROAD_M],
        (Variable(name="force_N", nominal=1e3),),
        (
            Variable(name="height_m", nominal=0.1),
            Variable(name="speed_m_per_s"),
        ),
        replace(CUBIC, can_differentiate=True),
    )
    return System(
        [wheel, chassis],
        [
            Connection("wheel.height_m", "chassis.neighbour_m"),
            Connection("wheel.speed_m_per_s", "chassis.neighbour_m_per_s"),
            Connection("chassis.force_N", "wheel.force_N"),
        ],
    )


def exact_quarter_car(times_s: Vector) -> Vector:
    """Outputs of wheel and chassis, by the matrix exponential's modes."""
    k, d = SPRING, DAMPER
    a = np.zeros((5, 5))
    force = np.array([k, d, -k, -d, 0.0])  # of chassis (0, 1) and wheel (2, 3)
    a[0, 1] = a[2, 3] = 1.0
    a[1] = -force / CHASSIS_KG
    a[3] = force / WHEEL_KG
    a[3, 2] -= TYRE / WHEEL_KG
    a[3, 4] = TYRE / WHEEL_KG
    start = np.array([0.0, 0.0, 0.0, 0.0, ROAD_M])
    rates, modes = np.linalg.eig(a)
    weights = np.linalg.solve(modes, start)
    states = ((modes * weights) @ np.exp(np.outer(rates, times_s))).real.T
    return np.column_stack([states[:, 2:4], states[:, :2], states @ force])


def _resistance(temperature: ca.SX) -> ca.SX:
    return 2e-3 * ca.exp(2000.0 * (1.0 / temperature - 1.0 / 298.15))


def _rates(x: ca.SX, u: ca.SX, part: str) -> tuple[ca.SX, ca.SX]:
    """Return the derivatives of the states and the output of a part."""
    if part == "cell":
        resistance = _resistance(u[1])
        heat = u[0] ** 2 * resistance + x[0] ** 2 / resistance
        return (u[0] * resistance - x[0]) / 15.0, heat
    if part == "thermal":
        return (u[0] - 4.0 * (x[0] - COOLANT_K)) / 800.0, x[0]
    wanted = CURRENT_A / (1.0 + ca.exp((u[0] - LIMIT_K) / 2.0))
    return (wanted - x[0]) / 5.0, x[0]


_PARTS = {
    "cell": (("current_A", "case_K"), "polarisation_V", "heat_W", 20.0, 0.0),
    "thermal": (("heat_W",), "state_K", "temperature_K", 300.0, COOLANT_K),
    "controller": (("measured_K",), "state_A", "current_A", 100.0, 0.0),
}


def _part(name: str) -> StepMapComponent:
    inputs, state, output, nominal, start = _PARTS[name]
    starts = {"current_A": 0.0, "heat_W": 0.0}
    interface = Interface(
        inputs=tuple(Variable(name=n, start=starts.get(n, COOLANT_K)) for n in inputs),
        outputs=(Variable(name=output, nominal=nominal),),
    )
    states = (Variable(name=state),)
    x, _ = names_to_symbols(states, "x")
    u, _ = names_to_symbols(interface.inputs, "u")
    rate, y = _rates(x, u, name)
    model = model_from_expressions(
        name,
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, ca.SX.sym("p", 0)),
        rhs={state: rate},
        outputs={output: y},
        initial={state: ca.SX(start)},
    )
    step_map = integrate(model, "rk4", input_order=3, substep_s=1.0, symbol=ca.SX)
    return StepMapComponent(step_map)


def cell_and_controller() -> System:
    """A cell heats its case; a controller derates the current when that is warm."""
    return System(
        [_part("controller"), _part("cell"), _part("thermal")],
        [
            Connection("controller.current_A", "cell.current_A"),
            Connection("thermal.temperature_K", "cell.case_K"),
            Connection("cell.heat_W", "thermal.heat_W"),
            Connection("thermal.temperature_K", "controller.measured_K"),
        ],
    )


def exact_cell(times_s: Vector) -> Vector:
    """Outputs of controller, cell and case: one integration to 1e-12."""
    x = ca.SX.sym("x", 3)  # command, polarisation, temperature
    command, polarisation, case = x[0], x[1], x[2]
    d_command, _ = _rates(command, case, "controller")
    d_polarisation, heat = _rates(polarisation, ca.vertcat(command, case), "cell")
    d_case, _ = _rates(case, heat, "thermal")
    problem = {"x": x, "ode": ca.vertcat(d_command, d_polarisation, d_case)}
    settings = {"reltol": 1e-12, "abstol": 1e-12, "max_num_steps": 100_000}
    run = ca.integrator("exact", "cvodes", problem, 0.0, times_s[1:], settings)
    start = np.array([0.0, 0.0, COOLANT_K])
    states = np.column_stack([start, np.array(run(x0=start)["xf"])])
    outputs = ca.Function("outputs", [x], [ca.vertcat(command, heat, case)])
    return np.array(outputs(states)).T
