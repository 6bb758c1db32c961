"""What recording to a file, checkpoints and pacing cost a run in C."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np

from packtwin.cosim.checkpoint import Checkpoint
from packtwin.cosim.masters import Jacobi
from packtwin.cosim.parquet_sink import ParquetSink
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.cosim.thinning import EveryNth, OnChange
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_cosim_fmus import mass_model
from packtwin.scenarios.bench_cosim_speed import ring_of_masses
from packtwin.twin.integrate import integrate

__all__ = ["rows"]

_REPEATS, _STEP_S, _N_FMU = 5, 0.01, 20
_IN_C = Jacobi(is_compiled=True)


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure a ring of masses, each of which gives one signal."""
    step_map = integrate(mass_model(), "rk4", symbol=ca.SX)
    file = FmuFile(export_fmu(step_map, folder / "recorded.fmu"))
    ring = ring_of_masses(file, _N_FMU)
    found = [*_recording(ring, folder), *_saving(ring, folder)]
    file.close()
    return [*found, _growth(folder), *_pacing()]


def _cost_s(ring: System, n_step: int, **options: Any) -> float:
    began_s = time.process_time()  # other programs do not count
    stop_s = n_step * _STEP_S
    simulate(ring, stop_s=stop_s, step_s=_STEP_S, master=_IN_C, **options)
    return time.process_time() - began_s


def _recording(ring: System, folder: Path) -> list[BenchRow]:
    n_step, path = 100_000, folder / "run.parquet"
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "none": ("nothing recorded", {"record": ()}),
        "memory": ("kept in memory", {}),
        "parquet": ("to Parquet, all rows", {"sink": ParquetSink(path)}),
        "nth": (
            "to Parquet, every 10th row",
            {"sink": ParquetSink(path, thinning=EveryNth(10))},
        ),
        "change": (
            "to Parquet, on change of 0.01 m",
            {"sink": ParquetSink(path, thinning=OnChange({"*": 0.01}))},
        ),
    }
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_REPEATS):  # in turn, so that a busy machine slows all alike
        for name, (_, options) in ways.items():
            costs[name].append(_cost_s(ring, n_step, **options))
    found = []
    for name, (what, _) in ways.items():
        extra_s = np.array(costs[name]) - np.array(costs["none"])
        value = float(np.median(extra_s)) / (n_step * _N_FMU) * 1e9
        if name != "none":
            row = BenchRow(
                id=f"record.{name}",
                what=f"recording, {what}, per step and signal",
                value=value,
                unit="ns",
            )
            found.append(row)
    per_step_us = float(np.median(costs["none"])) / n_step * 1e6
    what = f"a step of {_N_FMU} FMUs, nothing recorded"
    found.append(BenchRow(id="record.step", what=what, value=per_step_us, unit="us"))
    return found


def _saving(ring: System, folder: Path) -> list[BenchRow]:
    path, n_step, every = folder / "run.npz", 1000, 10
    options = {"record": (), "checkpoint": Checkpoint(path, every=every)}
    extra_s = [
        _cost_s(ring, n_step, **options) - _cost_s(ring, n_step, record=())
        for _ in range(_REPEATS)
    ]
    saving_ms = float(np.median(extra_s)) / (n_step / every - 1) * 1e3
    simulate(
        ring,
        stop_s=1.0,
        step_s=_STEP_S,
        master=_IN_C,
        record=(),
        checkpoint=Checkpoint(path, is_at_end=True),
    )
    fresh_s = [_cost_s(ring, 1, record=()) for _ in range(_REPEATS)]
    resumed_s = [_cost_s(ring, 101, record=(), resume_from=path) for _ in fresh_s]
    reading_ms = float(np.median(np.array(resumed_s) - np.array(fresh_s))) * 1e3
    whole, halves = _in_halves(ring, path)
    what = f"checkpoint of {_N_FMU} FMUs"
    size_kB = path.stat().st_size / 1e3
    return [
        BenchRow(id="checkpoint.size", what=f"{what}, size", value=size_kB, unit="kB"),
        BenchRow(
            id="checkpoint.write", what=f"{what}, saved", value=saving_ms, unit="ms"
        ),
        BenchRow(
            id="checkpoint.read",
            what=f"{what}, gone on from",
            value=reading_ms,
            unit="ms",
        ),
        at_most(
            "checkpoint.gap",
            f"{what}, gone on with against uninterrupted",
            float(np.abs(whole - halves).max()),
            "m",
            0.0,
        ),
    ]


def _in_halves(ring: System, path: Path) -> tuple[Any, Any]:
    options: dict[str, Any] = {"stop_s": 2.0, "step_s": _STEP_S, "master": _IN_C}
    whole = simulate(ring, **options, checkpoint=Checkpoint(path, every=111))
    return whole.values, simulate(ring, **options, resume_from=path).values


def _growth(folder: Path) -> BenchRow:
    """Return how much more memory a run of a million steps takes than a short one."""
    command = [sys.executable, "-m", "packtwin.scenarios.bench_cosim_memory"]
    shown = subprocess.run(
        [*command, str(folder / "long.parquet")], check=True, capture_output=True
    )
    return at_most(
        "record.memory_growth",
        "memory that 1e6 recorded steps take beyond 1e5 (20 signals, 168 MB of rows)",
        float(shown.stdout),
        "MB",
        15.0,
    )


def _pacing() -> list[BenchRow]:
    from packtwin.scenarios.bench_cosim_memory import many_signals

    result = simulate(many_signals(), stop_s=3.0, step_s=1e-3, pace=1.0, record=())
    pacing, what = result.stats.pacing, "3 s paced in real time, deadlines of 1 ms"
    missed = 100.0 * pacing["missed_count"] / pacing["deadline_count"]
    return [
        BenchRow(id="pace.missed", what=f"{what}, missed", value=missed, unit="%"),
        BenchRow(
            id="pace.p99",
            what=f"{what}, 99 % are later by less than",
            value=pacing["lateness_p99_s"] * 1e3,
            unit="ms",
        ),
        BenchRow(
            id="pace.worst",
            what=f"{what}, worst",
            value=pacing["worst_lateness_s"] * 1e3,
            unit="ms",
        ),
    ]
