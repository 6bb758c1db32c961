"""Other masters beside ours: the same two FMUs, accuracy and time of a macro step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import AbstractMaster, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.coupled_peers import COUPLED_PEERS, couple_in
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.bench import BenchRow
from packtwin.scenarios.bench_cosim_accuracy import rms_error
from packtwin.scenarios.bench_cosim_fmus import mass_model
from packtwin.twin.errors import FmuError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.variable import Interface, Variable

__all__ = ["rows"]

Vector: TypeAlias = NDArray[np.float64]
Paths: TypeAlias = tuple[Path, Path]

_COARSE, _FINE = (200, 0.1), (20_000, 0.001)
_OURS: dict[str, AbstractMaster] = {
    "packtwin Iterated": Iterated(),
    "packtwin GaussSeidel": GaussSeidel(),
    "packtwin Jacobi": Jacobi(),
    "packtwin Jacobi in C": Jacobi(is_compiled=True),
    "packtwin GaussSeidel in C": GaussSeidel(is_compiled=True),
}
_REPEATS = 3


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    step_map = integrate(mass_model(), "rk4", substep_s=0.02, symbol=ca.SX)
    left, right = (
        export_fmu(
            replace(
                step_map, interface=step_map.interface.with_starts({"start_m": start})
            ),
            folder / f"{name}.fmu",
        )
        for name, start in (("left", 1.0), ("right", 0.0))
    )
    found = [_degrees(folder)]
    for name, master in _OURS.items():
        found += _own_rows(name, master, (left, right))
    for name in COUPLED_PEERS:
        found += _peer_rows(name, (left, right))
    return found


def _own_rows(name: str, master: AbstractMaster, paths: Paths) -> list[BenchRow]:
    files = [FmuFile(path) for path in paths]
    system = System(
        [
            FmuComponent(file, name=own)
            for own, file in zip(("left", "right"), files, strict=True)
        ],
        [
            Connection("left.displacement_m", "right.neighbour_m"),
            Connection("right.displacement_m", "left.neighbour_m"),
        ],
    )
    n, step_s = _COARSE
    result = simulate(system, stop_s=n * step_s, step_s=step_s, master=master)
    n, step_s = (2_000, 0.01) if isinstance(master, Iterated) else _FINE
    costs = []
    for _ in range(_REPEATS):
        began = time.process_time()  # other programs do not count
        simulate(system, stop_s=step_s, step_s=step_s, master=master)
        middle = time.process_time()  # what comes before the loop does not, either
        simulate(system, stop_s=n * step_s, step_s=step_s, master=master)
        seconds = time.process_time() - middle - (middle - began)
        costs.append(seconds / (n - 1) * 1e6)
    for file in files:
        file.close()
    return _pair(name, rms_error(result.values, result.time_s), float(np.median(costs)))


def _peer_rows(name: str, paths: Paths) -> list[BenchRow]:
    try:
        coarse = couple_in(name, paths, _COARSE)
        runs = [couple_in(name, paths, _FINE) for _ in range(_REPEATS)]
    except FmuError as error:
        return [_remark(name, str(error))]
    costs = [run.seconds / _FINE[0] * 1e6 for run in runs if run is not None]
    if coarse is None or not costs:
        package = COUPLED_PEERS[name][0]
        return [_remark(name, f"{name}: not installed (`{package}`)")]
    values = np.array(coarse.rows).reshape(-1, 3)
    error_m = None
    if len(values) > 1:  # else it tells no more than the end
        error_m = rms_error(values[:, 1:], values[:, 0])
    return _pair(name, error_m, float(np.median(costs)))


def _pair(name: str, error_m: float | None, cost_us: float) -> list[BenchRow]:
    key = name.replace(", ", ".").replace(" ", "_").lower()
    what = f"{name}, per macro step"
    found = [BenchRow(id=f"{key}.us", what=what, value=cost_us, unit="us")]
    if error_m is not None:
        what = f"{name}, RMS at 0.1 s"
        found.append(BenchRow(id=f"{key}.rms", what=what, value=error_m, unit="m"))
    return found


def _remark(name: str, text: str) -> BenchRow:
    return BenchRow(id=f"{name.replace(' ', '_')}.none", what=text, value=0.0, unit="1")


def _degrees(folder: Path) -> BenchRow:
    """Wire an output in degC to an input in K, FMU to FMU."""
    wanted_K = 298.15
    room = _wire_fmu("room", "air_K", "air_degC", folder)
    sensor = _wire_fmu("sensor", "air_K", "heard_K", folder)
    system = System(
        [FmuComponent(room, name="room"), FmuComponent(sensor, name="sensor")],
        [Connection("room.air_degC", "sensor.air_K")],
        constants={"room.air_K": wanted_K},
    )
    result = simulate(system, stop_s=1.0, step_s=0.5)
    heard_K = float(result["sensor.heard_K"][-1])
    return BenchRow(
        id="degC",
        what="25 degC of an FMU, wired to an input in K, arrive as",
        value=heard_K,
        unit="K",
        target="298.15",
        met=abs(heard_K - wanted_K) <= 1e-10,
    )


def _wire_fmu(name: str, given: str, told: str, folder: Path) -> Path:
    """Return an FMU that tells the temperature that it is given, in its own unit."""
    interface = Interface(
        inputs=(Variable(name=given, start=300.0),), outputs=(Variable(name=told),)
    )
    x, _ = names_to_symbols((), "x")
    u, by = names_to_symbols(interface.inputs, "u")
    model = model_from_expressions(
        name,
        interface,
        (),
        symbols=(ca.SX.sym("t"), x, u, ca.SX.sym("p", 0)),
        rhs={},
        outputs={told: by[given] - (273.15 if told.endswith("degC") else 0.0)},
        initial={},
    )
    return export_fmu(integrate(model, symbol=ca.SX), folder / f"{name}.fmu")
