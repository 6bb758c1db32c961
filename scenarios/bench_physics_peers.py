"""CPU time per 1-s step of the C step map, and of its peers in the same run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.peers import (
    PeerTime,
    time_drive,
    time_pydiffsol,
    time_steps,
)
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_physics_cases import (
    DEFAULT_MESH,
    Bench,
    Case,
    Progress,
    Stepper,
    part_of,
    random_current_A,
)

__all__ = ["OwnTime", "own_rows", "peer_rows", "rows", "speed_ups"]

Vector: TypeAlias = npt.NDArray[np.float64]
Drive: TypeAlias = tuple[Vector, Vector]

SOC = 0.5
_LIMITS_US = {
    "SPMe.Chen2020": 40.0,
    "SPMe.ORegan2022": 40.0,
    "DFN.Chen2020": 150.0,
    "DFN.ORegan2022": 400.0,
}
_STRETCH_US = {"DFN.Chen2020": 60.0}
_TIGHT = (1e-6, 1e-7)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTime:
    """Our CPU times per 1-s step.

    Attributes:
        loop_s: In the C loop, a new random current every step.
        drive_s: In the C loop, the peers' piecewise linear current.
        call_s: Random currents, every step a call from Python.
    """

    loop_s: float
    drive_s: float
    call_s: float


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Time every case, ours first."""
    found: list[BenchRow] = []
    cases = bench.size.speed
    for index, case in enumerate(cases):
        part = part_of(progress, index, len(cases))
        part(0.0, f"{case.name}: C")
        stepper = bench.stepper(case)
        own = OwnTime(
            loop_s=_loop_step_s(stepper, bench),
            drive_s=_drive_step_s(stepper, bench),
            call_s=_call_step_s(stepper, bench),
        )
        found += own_rows(case, own)
        times = list(_peers(case, stepper, bench, part))
        found += peer_rows(case, times, _truth(stepper, bench))
        found += speed_ups(case.name, times, own)
    return found


def peer_rows(
    case: Case, times: list[PeerTime], truth_V: Vector | None = None
) -> Iterator[BenchRow]:
    """Return a peer's figure, or why there is none."""
    for peer in times:
        what = f"{case.name}, {case.mesh}: peer {peer.name}"
        if peer.reason:
            what += f" has no figure: {peer.reason}"
        else:
            what += f" ({peer.setup_s:.1f} s before)"
        if peer.voltage_V is not None and truth_V is not None:
            n = min(len(peer.voltage_V), len(truth_V))
            error_mV = 1e3 * (peer.voltage_V[:n] - truth_V[:n])
            rms_mV = float(np.sqrt(np.mean(error_mV**2)))
            what += f"; {rms_mV:.3f} mV rms from the C map at {_TIGHT[0]:g}"
        yield BenchRow(
            id=f"peer.{case.name}.{peer.id}",
            what=what,
            value=1e6 * peer.step_s if math.isfinite(peer.step_s) else 0.0,
            unit="us",
        )


def speed_ups(name: str, times: list[PeerTime], own: OwnTime) -> Iterator[BenchRow]:
    """Return the peers' times over ours, doing the same."""
    for peer in times:
        if math.isfinite(peer.step_s):
            is_call = peer.id.startswith("step")
            ours = "one call from Python per step" if is_call else "the same drive"
            yield BenchRow(
                id=f"speedup.{name}.{peer.id}",
                what=f"{name}: {peer.name} over C, {ours}",
                value=peer.step_s / (own.call_s if is_call else own.drive_s),
                unit="1",
            )


def own_rows(case: Case, own: OwnTime) -> Iterator[BenchRow]:
    """Return our figures, judged where a target was asked."""
    loop_us = 1e6 * own.loop_s
    key, text = f"speed.{case.name}", f"{case.name}, {case.mesh}: C"
    what = f"{text} loop, a new random current every 1-s step"
    limit = _LIMITS_US.get(case.name)
    if limit is None:
        yield BenchRow(id=f"{key}.loop", what=what, value=loop_us, unit="us")
    else:
        yield at_most(f"{key}.loop", what, loop_us, "us", limit)
    if case.name in _STRETCH_US:
        goal = _STRETCH_US[case.name]
        shown = f"<= {goal:g} (stretch)"
        yield at_most(f"{key}.stretch", what, loop_us, "us", goal, shown=shown)
    for name, words, step_s in (
        ("drive", "loop, the peers' piecewise linear current", own.drive_s),
        ("python", "from Python, one call per step", own.call_s),
    ):
        yield BenchRow(
            id=f"{key}.{name}", what=f"{text} {words}", value=1e6 * step_s, unit="us"
        )


def _peers(
    case: Case, stepper: Stepper, bench: Bench, progress: Progress
) -> Iterator[PeerTime]:
    starts = {"soc_start": SOC}
    drive, physics = _drive(stepper, bench), case.physics
    currents_A = random_current_A(bench.size.n_peer_second, stepper.capacity_Ah)
    has_compiled = bench.options.is_compiled_peer and case.mesh == DEFAULT_MESH
    for is_compiled in (False, True) if has_compiled else (False,):
        words = "PyBaMM, compiled" if is_compiled else "PyBaMM"
        for has_stops in (False,) if is_compiled else (True, False):
            progress(0.2, f"{case.name}: {words}")
            yield time_drive(
                physics, drive, starts, has_stops=has_stops, is_compiled=is_compiled
            )
        progress(0.5, f"{case.name}: {words}, step by step")
        yield time_steps(physics, currents_A, starts, is_compiled=is_compiled)
    if has_compiled:
        progress(0.7, f"{case.name}: pydiffsol")
        yield time_pydiffsol(physics, drive, starts)


def _drive(stepper: Stepper, bench: Bench) -> Drive:
    n = bench.size.n_peer_second
    return np.arange(n + 1.0), random_current_A(n + 1, stepper.capacity_Ah)


def _truth(stepper: Stepper, bench: Bench) -> Vector:
    """Return the voltage at the knots of the peers' drive, by the C map."""
    knots_s, current_A = _drive(stepper, bench)
    u, p = stepper.inputs(current_A), stepper.parameters(soc_start=SOC)
    memory, first = stepper.map.start(u[0], p, tolerance=_TIGHT)
    done = stepper.map.run(memory, knots_s, u[:-1], p, slopes=np.diff(u, axis=0))
    column = stepper.column("voltage_V")
    return np.concatenate([first[[column]], done.outputs[:, column]])


def _drive_step_s(stepper: Stepper, bench: Bench) -> float:
    knots_s, current_A = _drive(stepper, bench)
    u, p = stepper.inputs(current_A), stepper.parameters(soc_start=SOC)
    slopes = np.diff(u, axis=0)
    memory, _ = stepper.map.start(u[0], p)

    def run() -> None:
        stepper.map.run(memory, knots_s, u[:-1], p, slopes=slopes)

    return _median_s(run, bench.size.n_repeat) / len(slopes)


def _loop_step_s(stepper: Stepper, bench: Bench) -> float:
    n = bench.size.n_second
    u = stepper.inputs(random_current_A(n, stepper.capacity_Ah))
    p, times_s = stepper.parameters(soc_start=SOC), np.arange(n + 1.0)
    memory, _ = stepper.map.start(stepper.inputs(np.zeros(1))[0], p)

    def run() -> None:
        stepper.map.run(memory, times_s, u, p)

    return _median_s(run, bench.size.n_repeat) / n


def _call_step_s(stepper: Stepper, bench: Bench) -> float:
    n = bench.size.n_peer_second
    u = stepper.inputs(random_current_A(n, stepper.capacity_Ah))
    p = stepper.parameters(soc_start=SOC)
    memory, _ = stepper.map.start(stepper.inputs(np.zeros(1))[0], p)

    def run() -> None:
        now = memory
        for k in range(n):
            now = stepper.map.step_until_event(now, float(k), 1.0, u[k], p).memory

    return _median_s(run, bench.size.n_repeat) / n


def _median_s(call: Callable[[], None], n_repeat: int) -> float:
    call()
    took_s = []
    for _ in range(n_repeat):
        began = time.process_time()
        call()
        took_s.append(time.process_time() - began)
    return float(np.median(took_s))
