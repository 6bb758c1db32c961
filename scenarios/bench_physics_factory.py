"""Time to generate and compile, and to fill a data set with designed runs."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

from packtwin.pybamm_models.cells import DEFAULT_CELL, find_cell
from packtwin.pybamm_models.dataset import generate
from packtwin.pybamm_models.excitation import Design, design_requests
from packtwin.pybamm_models.stepping import cell_stepper
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_physics_cases import Bench, Progress

__all__ = ["build_rows", "measure_factory", "rows"]

_N_THREAD = 2
_VERDICTS = ("ok", "limit")
_BUILD_LIMIT_S, _FACTORY_LIMIT_MIN = 45.0, 5.0


def build_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Time the making of every case that is timed, from nothing."""
    found = []
    cases = bench.size.speed
    for index, case in enumerate(cases):
        progress(index / len(cases), case.name)
        made = bench.stepper(case)
        took_s = made.model_s + made.generate_s + made.compile_s
        what = (
            f"{case.name}, {case.mesh}: PyBaMM {made.model_s:.1f} s, generate "
            f"{made.generate_s:.1f} s, compile {made.compile_s:.1f} s"
        )
        key = f"build.{case.name}"
        if case.physics.family == "DFN":
            found.append(at_most(key, what, took_s, "s", _BUILD_LIMIT_S))
        else:
            found.append(BenchRow(id=key, what=what, value=took_s, unit="s"))
    return found


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Time the data factory on the shipped cell."""
    size = bench.size
    share = "" if size.n_run == 200 else " (asked: 200 of 1800 s)"
    progress(0.0, "compiling")
    took_s, verdicts = measure_factory(size.n_run, size.n_run_second, progress)
    told = ", ".join(f"{n} {name}" for name, n in sorted(verdicts.items()))
    what = (
        f"{size.n_run} designed runs of {size.n_run_second} s, DFN of "
        f"`{DEFAULT_CELL}`, {_N_THREAD} threads, compiled before{share}"
    )
    without = sum(n for name, n in verdicts.items() if name not in _VERDICTS)
    return [
        at_most("factory.time", what, took_s / 60.0, "min", _FACTORY_LIMIT_MIN),
        at_most("factory.failed", f"failed runs of them ({told})", without, "1", 0.0),
    ]


def measure_factory(
    n_run: int, n_second: int, progress: Progress
) -> tuple[float, Counter[str]]:
    """Return the seconds that a data set of `n_run` runs took, and its verdicts."""
    cell = find_cell(DEFAULT_CELL)
    cell_stepper(cell)
    requests = design_requests(
        cell, Design(n_runs=n_run, n_deep=0, duration_s=n_second)
    )
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as name:
        began = time.perf_counter()
        outcomes = generate(
            cell,
            requests,
            Path(name),
            n_threads=_N_THREAD,
            progress=lambda done, total, outcome: progress(
                done / total, f"run {outcome.name}: {outcome.status}"
            ),
        )
        took_s = time.perf_counter() - began
    return took_s, Counter(outcome.status for outcome in outcomes)
