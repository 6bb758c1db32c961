"""The two-mass problem as FMUs, beside the loop that users of FMPy write by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import casadi as ca
import numpy as np

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import AbstractMaster, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.fmu.peer_loop import couple_two_in_fmpy
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_cosim_accuracy import rms_error
from packtwin.scenarios.bench_cosim_linear import COUPLING, DAMPING, STIFFNESS
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.variable import Interface, Variable

__all__ = ["coupled_masses", "mass_model", "rows"]

_N_STEP, _REPEATS = 20_000, 5


def mass_model() -> Model:
    """X'' = -2 x - 0.1 x' + u of a unit mass; u is the other's displacement."""
    interface = Interface(
        inputs=(Variable(name="neighbour_m"),),
        outputs=(Variable(name="displacement_m"),),
        parameters=(Variable(name="start_m", variability="fixed"),),
    )
    states = (Variable(name="x_m"), Variable(name="v_m_per_s"))
    x, at = names_to_symbols(states, "x")
    u, by = names_to_symbols(interface.inputs, "u")
    p, of = names_to_symbols(interface.parameters, "p")
    force = -STIFFNESS * at["x_m"] - DAMPING * at["v_m_per_s"]
    return model_from_expressions(
        "mass",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={
            "x_m": at["v_m_per_s"],
            "v_m_per_s": force + COUPLING * by["neighbour_m"],
        },
        outputs={"displacement_m": at["x_m"]},
        initial={"x_m": of["start_m"], "v_m_per_s": ca.SX(0)},
    )


def coupled_masses(file: FmuFile) -> System:
    """Return two masses with a spring between them."""
    return System(
        [
            FmuComponent(file, name="left", parameters={"start_m": 1.0}),
            FmuComponent(file, name="right", parameters={"start_m": 0.0}),
        ],
        [
            Connection("left.displacement_m", "right.neighbour_m"),
            Connection("right.displacement_m", "left.neighbour_m"),
        ],
    )


def _run(file: FmuFile, master: AbstractMaster, step_s: float, stop_s: float) -> Result:
    return simulate(coupled_masses(file), stop_s=stop_s, step_s=step_s, master=master)


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    # Substeps inside, so that the coupling is measured and not Runge and Kutta.
    step_map = integrate(
        mass_model(), "rk4", substep_s=0.02, input_order=3, symbol=ca.SX
    )
    found = []
    for version in ("2.0", "3.0"):
        name = f"mass{version[0]}.fmu"
        path = export_fmu(step_map, folder / name, fmi_version=version)
        file = FmuFile(path)
        order = FmuComponent(file).capabilities.input_order
        for n, bound in ((1, 2e-6 if order else 2e-3), (4, 2e-6 if order else 1.2e-4)):
            result = _run(file, Iterated(substep_count=n), 0.1, 20.0)
            what = (
                f"FMI {version} FMUs taking order {order}, RMS at 0.1 s, {n} "
                f"substep{'s' if n > 1 else ''}"
            )
            error = rms_error(result.values, result.time_s)
            found.append(at_most(f"fmu{version[0]}.{n}", what, error, "m", bound))
        if version == "2.0":
            found.extend(_peer_rows(file, path))
    return found


def _peer_rows(file: FmuFile, path: Path) -> Sequence[BenchRow]:
    """Compare with the hand-written loop: the same numbers, and the time of a step."""
    costs, peer_costs, ratios = [], [], []
    ports, starts = ("neighbour_m", "displacement_m"), (1.0, 0.0)
    values, error, gap = np.empty((0, 2)), 0.0, 0.0
    for _ in range(_REPEATS):
        grid = (_N_STEP, 20.0 / _N_STEP)
        values, seconds = couple_two_in_fmpy(path, ports, "start_m", starts, grid)
        system = coupled_masses(file)
        began = time.process_time()  # other programs do not count
        result = simulate(system, stop_s=20.0, step_s=grid[1], master=Jacobi())
        own = time.process_time() - began
        costs.append(own / (2 * _N_STEP) * 1e6)
        peer_costs.append(seconds / (2 * _N_STEP) * 1e6)
        ratios.append(seconds / own)
        gap = float(np.abs(result.values - values).max())
    coarse, _ = couple_two_in_fmpy(path, ports, "start_m", starts, (200, 0.1))
    error = rms_error(coarse, np.linspace(0.0, 20.0, 201))
    ours = _run(file, GaussSeidel(), 0.1, 20.0)
    return [
        BenchRow(id="fmpy.rms", what="FMPy loop, RMS at 0.1 s", value=error, unit="m"),
        BenchRow(
            id="gauss_seidel.rms",
            what="GaussSeidel, RMS at 0.1 s",
            value=rms_error(ours.values, ours.time_s),
            unit="m",
        ),
        at_most("fmpy.gap", "Jacobi against the FMPy loop", gap, "m", 1e-12),
        at_most("loop.us", "Jacobi, per FMU step", float(np.median(costs)), "us", 4.0),
        BenchRow(
            id="fmpy.us",
            what="FMPy loop, per FMU step",
            value=float(np.median(peer_costs)),
            unit="us",
        ),
        BenchRow(
            id="fmpy.ratio",
            what="FMPy loop by ours, time",
            value=float(np.median(ratios)),
            unit="1",
        ),
    ]
