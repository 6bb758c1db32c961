"""What the loop of a master costs, in C and in Python, with FMUs that do little."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import casadi as ca
import numpy as np

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_cosim_fmus import mass_model
from packtwin.twin.integrate import integrate

__all__ = ["ring_of_masses", "rows"]

_REPEATS = 7
_STEP_S = 0.01


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure rings of two and of a hundred masses, and the second run of a system."""
    step_map = integrate(mass_model(), "rk4", symbol=ca.SX)
    file = FmuFile(export_fmu(step_map, folder / "trivial.fmu"))
    found: list[BenchRow] = []
    for n, n_step, bound_us in ((2, 50_000, 0.6), (100, 2_000, 30.0)):
        ring = ring_of_masses(file, n)
        in_c = _median_us(ring, n_step, is_compiled=True)
        in_python = _median_us(ring, n_step // 10, is_compiled=False)
        what = f"{n} FMUs, per macro step"
        found += [
            at_most(f"c.{n}", f"{what}, loop in C", in_c, "us", bound_us),
            BenchRow(
                id=f"python.{n}", what=f"{what}, Python", value=in_python, unit="us"
            ),
            at_most(f"gap.{n}", f"{n} FMUs, C against Python", _gap(ring), "m", 0.0),
        ]
    found.append(
        at_most("second", "second `simulate` of one FMU", _second_ms(file), "ms", 0.2)
    )
    file.close()
    return found


def ring_of_masses(file: FmuFile, n: int) -> System:
    """Return `n` masses, each beside the next."""
    components = [
        FmuComponent(file, name=f"m{i}", parameters={"start_m": float(i == 0)})
        for i in range(n)
    ]
    return System(
        components,
        [
            Connection(f"m{i}.displacement_m", f"m{(i + 1) % n}.neighbour_m")
            for i in range(n)
        ],
    )


def _median_us(ring: System, n_step: int, *, is_compiled: bool) -> float:
    costs = []
    for _ in range(_REPEATS):
        began = time.process_time()  # other programs do not count
        simulate(
            ring,
            stop_s=n_step * _STEP_S,
            step_s=_STEP_S,
            master=Jacobi(is_compiled=is_compiled),
            record=("m0.*",),
        )
        costs.append((time.process_time() - began) / n_step * 1e6)
    return float(np.median(costs))


def _gap(ring: System) -> float:
    first, second = (
        simulate(ring, stop_s=1.0, step_s=_STEP_S, master=Jacobi(is_compiled=flag))
        for flag in (False, True)
    )
    return float(np.abs(first.values - second.values).max())


def _second_ms(file: FmuFile) -> float:
    """Return the time of a run of one step, all of it, when the FMU was run before."""
    system = System([FmuComponent(file, name="m")], constants={"m.neighbour_m": 0.0})
    costs = []
    for _ in range(50):
        began = time.process_time()
        simulate(system, stop_s=_STEP_S, step_s=_STEP_S, master=Jacobi())
        costs.append((time.process_time() - began) * 1e3)
    return float(np.median(costs[1:]))
