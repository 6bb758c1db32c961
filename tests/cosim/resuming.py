"""Systems that are run, saved and gone on with, here or in another process.

`main` goes on in another process, where this module has the name that it was saved by.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np

from packtwin.cosim.connection import Connection
from packtwin.cosim.function_component import PeriodicComponent
from packtwin.cosim.masters import (
    AbstractMaster,
    Adaptive,
    GaussSeidel,
    Iterated,
    Jacobi,
)
from packtwin.cosim.multirate import MultirateComponent
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.scenarios.bench_cosim_fmus import mass_model
from packtwin.twin.component import Component, StepMapComponent
from packtwin.twin.integrate import integrate
from packtwin.twin.variable import Interface, Variable

STOP_S, STEP_S, N_STEP = 2.0, 0.05, 40


@dataclass(frozen=True, slots=True)
class Count:
    """The memory of a function."""

    calls: int
    seen_m: np.ndarray


def push(t: float, u: np.ndarray, memory: Count) -> tuple[list[float], Count]:
    """Depends on time, input and all that was before."""
    seen = np.append(memory.seen_m[-3:], u[0])
    after = Count(memory.calls + 1, seen)
    return [0.05 * math.sin(3.0 * t) + 0.02 * seen.mean() + 1e-3 * after.calls], after


def native(name: str) -> Component:
    step_map = integrate(mass_model(), "rk4", input_order=3, symbol=ca.SX)
    return StepMapComponent(step_map, name=name, parameters={"start_m": 1.0})


def fmu(
    folder: Path, name: str, version: str, kind: str = "co-simulation"
) -> Component:
    path = folder / f"mass{version}.fmu"
    if not path.exists():
        own = path.with_name(f"{os.getpid()}{path.name}")
        step_map = integrate(mass_model(), "rk4", input_order=3, symbol=ca.SX)
        kinds = ("cs", "me")
        export_fmu(step_map, own, fmi_version=version, kinds=kinds).replace(path)
    return FmuComponent(path, name=name, kind=kind, parameters={"start_m": 0.5})


def chain(components: list[Component]) -> System:
    """A ring of masses, of which the first is also pushed now and then."""
    names = [component.name for component in components]
    ring = [
        Connection(f"{a}.displacement_m", f"{b}.neighbour_m")
        for a, b in zip(names, names[1:] + names[:1], strict=True)
    ]
    return System(components, ring)


def pushed(components: list[Component]) -> System:
    """Masses in a row between a table and a function with a memory."""
    table = SignalSource("table", [0.0, 1.0, 9.0], {"wall_m": [0.0, 0.2, -0.1]})
    law = PeriodicComponent(
        "law",
        Interface(
            inputs=(Variable(name="seen_m"),), outputs=(Variable(name="push_m"),)
        ),
        0.15,
        push,
        memory=Count(0, np.zeros(1)),
        feedthrough=frozenset(),
    )
    first, *rest = (component.name for component in components)
    connections = [
        Connection(f"{first}.displacement_m", "law.seen_m"),
        Connection("law.push_m", f"{first}.neighbour_m"),
    ]
    before = "table.wall_m"
    for name in rest:
        connections.append(Connection(before, f"{name}.neighbour_m"))
        before = f"{name}.displacement_m"
    return System([table, law, *components], connections)


def mixed(folder: Path) -> list[Component]:
    return [native("own"), fmu(folder, "two", "2.0"), fmu(folder, "three", "3.0")]


def exchanged(folder: Path) -> list[Component]:
    return [
        native("own"),
        fmu(folder, "two", "2.0", "model-exchange"),
        fmu(folder, "three", "3.0", "model-exchange"),
    ]


def at_own_rate(folder: Path) -> list[Component]:
    return [native("own"), MultirateComponent(fmu(folder, "two", "2.0"), step_s=0.025)]


Case = tuple[Callable[[Path], System], AbstractMaster]
CASES: dict[str, Case] = {
    "jacobi": (lambda folder: pushed(mixed(folder)), Jacobi()),
    "gauss-seidel": (lambda folder: chain(mixed(folder)), GaussSeidel()),
    "iterated": (lambda folder: chain(mixed(folder)), Iterated()),
    "iterated-pushed": (lambda folder: pushed(mixed(folder)), Iterated()),
    "adaptive": (lambda folder: chain(mixed(folder)), Adaptive(tolerance=1e-3)),
    "exchange": (lambda folder: chain(exchanged(folder)), Iterated()),
    "bonds": (lambda folder: chain(mixed(folder)[:2]), GaussSeidel()),
    "rates": (lambda folder: chain(at_own_rate(folder)), Iterated()),
}
BONDED = ("bonds", "rates")


def options(case: str, folder: Path, *, in_c: bool) -> dict[str, Any]:
    """Return the arguments of `simulate`."""
    make, master = CASES[case]
    if in_c:
        master = type(master)(is_compiled=True)
    found = {
        "system": make(folder),
        "stop_s": STOP_S,
        "step_s": STEP_S,
        "master": master,
    }
    if case in BONDED:
        ends = {"effort": "own.displacement_m", "flow": "two.displacement_m"}
        found["bonds"] = [PowerBond("line", **ends)]
    return found


def main() -> None:
    """Go on from a file and write the result; arguments CASE LOOP FILE OUT."""
    case, loop, path, out = sys.argv[1:]
    settings = options(case, Path(path).parent, in_c=loop == "C")
    system = settings.pop("system")
    simulate(system, **settings, resume_from=path).write_parquet(out)
