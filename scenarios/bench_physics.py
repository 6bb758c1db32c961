"""`packtwin bench physics`: the exact physics in C, measured against PyBaMM.

Peers: PyBaMM's default call `solve(t)`, its best call `solve([0, T], t_interp=t)` and
`Simulation.step`, all at PyBaMM's default tolerances; with `--with-compile` also those
of `options={"compile": True}` and pydiffsol.

Everything is compiled afresh into a temporary folder. Times per step are CPU times, so
that they do not depend on what else the machine does, and medians over repeats; the
other times are wall clock.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from packtwin.scenarios.bench import BenchOptions, BenchRow, not_measured
from packtwin.scenarios.fingerprints import has_physics
from packtwin.twin.errors import PackTwinError

__all__ = ["PARTS", "SEEDS", "rows"]

Progress: TypeAlias = Callable[[float, str], None]
Measure: TypeAlias = Callable[[Progress, Any], Sequence[BenchRow]]

# Module and function of each part, and its share of the time.
PARTS: dict[str, tuple[str, str, float]] = {
    "accuracy": ("bench_physics_accuracy", "rows", 0.4),
    "counts": ("bench_physics_accuracy", "count_rows", 0.05),
    "speed": ("bench_physics_peers", "rows", 0.3),
    "build": ("bench_physics_factory", "build_rows", 0.05),
    "factory": ("bench_physics_factory", "rows", 0.1),
    "robustness": ("bench_physics_robustness", "rows", 0.05),
    "torch": ("bench_physics_torch", "rows", 0.05),
}
_CACHES = ("PACKTWIN_CACHE", "PYBAMM_CASADI_AOT_CACHE")
SEEDS = {"random_current": 1, "robustness": "0, 1, ...", "designed_runs": 1}


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure."""
    if not has_physics():
        what = "nothing was measured: PyBaMM is not installed"
        return [not_measured("missing.pybamm", what, target="installed")]
    cases = import_module("packtwin.scenarios.bench_physics_cases")
    size = cases.quick_size() if options.is_quick else cases.full_size()
    bench = cases.Bench(size=size, options=options)
    names = [name for name in PARTS if not options.only or name in options.only]
    parts = {name: _measure_of(name) for name in names}  # a missing one is told at once
    total = sum(PARTS[name][2] for name in names)
    found: list[BenchRow] = []
    before = 0.0
    with _fresh_cache():
        for name in names:
            share = PARTS[name][2] / total
            part = _scaled(progress, name, before, share)
            part(0.0, "")
            began = time.perf_counter()
            try:
                found += parts[name](part, bench)
            except PackTwinError as error:
                what = f"part `{name}` ended early: {error}"
                found.append(not_measured(f"{name}.failed", what))
            found.append(_duration(name, time.perf_counter() - began))
            before += share
    return found


def _measure_of(name: str) -> Measure:
    module_name, function, _ = PARTS[name]
    if name == "torch" and find_spec("torch") is None:
        what = "its rows were left out: torch is not installed"
        row = not_measured("missing.torch", what, target="installed")
        return lambda _progress, _bench: [row]
    module = import_module(f"packtwin.scenarios.{module_name}")
    measure: Measure = getattr(module, function)
    return measure


@contextmanager
def _fresh_cache() -> Iterator[None]:
    """Compile into a temporary folder, so that compile times are not a cache's."""
    before = {name: os.environ.get(name) for name in _CACHES}
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as folder:
        os.environ.update(dict.fromkeys(_CACHES, folder))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _scaled(progress: Progress, name: str, begin: float, share: float) -> Progress:
    return lambda part, text: progress(begin + share * part, f"{name} {text}".strip())


def _duration(name: str, took_s: float) -> BenchRow:
    what = f"part `{name}` of this bench took"
    return BenchRow(id=f"bench.{name}", what=what, value=took_s, unit="s")
