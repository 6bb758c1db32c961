"""`packtwin bench fmu`: the exported FMUs, measured as other programs use them.

A small C program (`fmu_driver.c`) loads the FMUs, so that no Python is in the figures.
Peers run in the same call where they are installed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from packtwin.scenarios.bench import BenchOptions, BenchRow, not_measured
from packtwin.scenarios.bench_fmu_cases import (
    SEED,
    Bench,
    Progress,
    full_cases,
    quick_cases,
)
from packtwin.scenarios.bench_fmu_driver import build_driver
from packtwin.scenarios.fingerprints import has_physics
from packtwin.twin.errors import PackTwinError

__all__ = ["PARTS", "SEEDS", "rows"]

Measure: TypeAlias = Callable[[Progress, Any], Sequence[BenchRow]]

# Module and function of each part.
PARTS: dict[str, tuple[str, str]] = {
    "agreement": ("bench_fmu_agreement", "rows"),
    "physics": ("bench_fmu_agreement", "physics_rows"),
    "speed": ("bench_fmu_speed", "rows"),
    "replay": ("bench_fmu_state", "rows"),
    "threads": ("bench_fmu_state", "thread_rows"),
    "isolation": ("bench_fmu_state", "isolation_rows"),
    "leak": ("bench_fmu_state", "leak_rows"),
    "size": ("bench_fmu_speed", "size_rows"),
    "peers": ("bench_fmu_peers", "rows"),
}
_N_STEP, _N_QUICK_STEP = 10_000, 200
SEEDS = {"inputs": SEED, "points": SEED}


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure."""
    names = options.only or tuple(PARTS)
    cases = quick_cases() if options.is_quick else full_cases()
    found: list[BenchRow] = []
    if not has_physics():
        cases = tuple(case for case in cases if ":" not in case.name)
        what = "physics was left out: PyBaMM is not installed"
        found.append(not_measured("missing.pybamm", what, target="installed"))
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as folder:
        bench = Bench(
            folder=Path(folder),
            driver=build_driver(Path(folder)),
            cases=cases,
            options=options,
            n_step=_N_QUICK_STEP if options.is_quick else _N_STEP,
        )
        for index, name in enumerate(names):
            part = _part(progress, name, index, len(names))
            begin = time.perf_counter()
            module, function = PARTS[name]
            measure: Measure = getattr(
                import_module(f"packtwin.scenarios.{module}"), function
            )
            try:
                found += measure(part, bench)
            except PackTwinError as error:
                what = f"part `{name}` ended early: {error}"
                found.append(not_measured(f"{name}.failed", what))
            took_s = time.perf_counter() - begin
            what = f"part `{name}` of this bench took"
            found.append(
                BenchRow(id=f"bench.{name}", what=what, value=took_s, unit="s")
            )
    return found


def _part(progress: Progress, name: str, index: int, count: int) -> Progress:
    return lambda share, text: progress((index + share) / count, f"{name} {text}")
