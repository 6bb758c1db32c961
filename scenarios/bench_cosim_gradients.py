"""Gradients through a co-simulation of two FMUs, against central differences."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.differentiable_run import DifferentiableRun
from packtwin.cosim.masters import AbstractExplicitMaster, GaussSeidel, Jacobi
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = ["rows"]

Vector: TypeAlias = NDArray[np.float64]

_PARAMETERS = (
    "left.stiffness",
    "left.damping",
    "left.start_m",
    "right.stiffness",
    "right.damping",
)
_BOUND = 1e-5
_STOP_S, _STEP_S, _REPEATS = 20.0, 0.05, 5


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    found: list[BenchRow] = []
    cases = (
        ("3", "FMI 3.0, adjoints", {"fmi_version": "3.0"}, GaussSeidel()),
        ("3.jacobi", "the same, Jacobi", {"fmi_version": "3.0"}, Jacobi()),
        ("2", "FMI 2.0, tangents of steps", {"fmi_version": "2.0"}, GaussSeidel()),
        ("rewound", "no derivatives, rewound", {"has_derivatives": False}, Jacobi()),
    )
    for key, what, options, master in cases:
        path = export_fmu(_spring(), folder / f"spring_{key}.fmu", **options)
        file = FmuFile(path)
        off, ratio = _measure(_system(file), master)
        file.close()
        text = f"gradient to 5 parameters, 2 FMUs ({what})"
        found += [
            at_most(f"gradient.{key}", f"{text}, off", off, "1", _BOUND),
            BenchRow(
                id=f"gradient.{key}.runs", what=f"{text}, cost", value=ratio, unit="run"
            ),
        ]
    return found


def _measure(system: System, master: AbstractExplicitMaster) -> tuple[float, float]:
    """Return the largest relative error of the gradient, and its cost in runs."""
    run = DifferentiableRun(
        system,
        parameters=_PARAMETERS,
        outputs=("left.displacement_m", "right.displacement_m"),
        stop_s=_STOP_S,
        step_s=_STEP_S,
        master=master,
    )
    here = run.start
    ratios = []
    for _ in range(_REPEATS):
        began = time.process_time()
        run.values(here * (1.0 + 1e-12))  # another run than the one that is kept
        values = run.values(here)
        middle = time.process_time()
        found = run.gradient(here, _weights(values))
        ratios.append(2.0 * (time.process_time() - middle) / (middle - began))
    want = []
    for unit in np.eye(len(here)):
        move = 1e-3 * (here * unit)
        losses = [_loss(run.values(here + k * move)) for k in (2, 1, -1, -2)]
        near, far = losses[1] - losses[2], losses[0] - losses[3]
        want.append((8.0 * near - far) / (12.0 * move.sum()))
    run.close()
    off = np.abs(found - want) / np.abs(want)
    return float(off.max()), float(np.median(ratios))


def _loss(values: Vector) -> float:
    """Return a loss of the end of a run alone."""
    return float((values[-1, 0] - 0.5) ** 2 + values[-1, 0] * values[-1, 1])


def _weights(values: Vector) -> Vector:
    """Return its derivatives."""
    weights = np.zeros_like(values)
    left, right = values[-1]
    weights[-1] = 2.0 * (left - 0.5) + right, left
    return weights


def _system(file: FmuFile) -> System:
    return System(
        [
            FmuComponent(file, name="left", parameters={"start_m": 1.0}),
            FmuComponent(file, name="right", parameters={"start_m": 0.2}),
        ],
        [
            Connection("left.displacement_m", "right.neighbour_m"),
            Connection("right.displacement_m", "left.neighbour_m"),
        ],
    )


def _spring() -> StepMap:
    """A unit mass on a hardening spring that follows its neighbour."""
    interface = Interface(
        inputs=(Variable(name="neighbour_m"),),
        outputs=(Variable(name="displacement_m"),),
        parameters=(
            Variable(name="stiffness", start=2.0),
            Variable(name="damping", start=0.1),
            Variable(name="start_m", start=1.0),
        ),
    )
    states = (Variable(name="x_m"), Variable(name="v_m_per_s"))
    x, at = names_to_symbols(states, "x")
    u, by = names_to_symbols(interface.inputs, "u")
    p, of = names_to_symbols(interface.parameters, "p")
    force = of["stiffness"] * (at["x_m"] + 0.5 * at["x_m"] ** 3)
    model = model_from_expressions(
        "spring",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={
            "x_m": at["v_m_per_s"],
            "v_m_per_s": by["neighbour_m"] - force - of["damping"] * at["v_m_per_s"],
        },
        outputs={"displacement_m": at["x_m"]},
        initial={"x_m": of["start_m"], "v_m_per_s": ca.SX(0)},
    )
    return integrate(model, "rk4", substep_s=0.025, symbol=ca.SX)
