"""`packtwin bench surrogate`: the hybrid cell measured, and its honest alternatives.

Truth is the DFN with a lumped temperature on the converged mesh. Errors are root mean
squares per run over its samples before the first limit; runs under a minute are
tabulated apart. Alternatives are trained here, on one thread and a budget of seconds,
on the designed runs of `--runs`; they are judged on designed runs of another seed (in
distribution) and on the drive cycles and constant currents of `--held-out` (out of
distribution). What is not given is solved first and kept in `runs/bench`.

Times per step are CPU times, medians over repeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from packtwin.scenarios.bench import BenchOptions, BenchRow, not_measured
from packtwin.scenarios.fingerprints import has_physics
from packtwin.twin.errors import PackTwinError

__all__ = ["PARTS", "SEEDS", "rows"]

Progress: TypeAlias = Callable[[float, str], None]
Measure: TypeAlias = Callable[[Progress, Any], Sequence[BenchRow]]

# Module of each part and its share of the time.
PARTS: dict[str, tuple[str, float]] = {
    "accuracy": ("bench_surrogate_accuracy", 0.3),
    "runtimes": ("bench_surrogate_runtimes", 0.1),
    "alternatives": ("bench_surrogate_alternatives", 0.6),
}
SEEDS = {"designed_runs": 1, "designed_held_out": 1001, "training": 1, "points": 0}


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure."""
    missing = [] if has_physics() else ["pybamm"]
    missing += [] if find_spec("torch") else ["torch"]
    if missing:
        what = f"nothing was measured: not installed: {', '.join(missing)}"
        return [not_measured("missing", what, target="installed")]
    cases = import_module("packtwin.scenarios.bench_surrogate_cases")
    names = [name for name in PARTS if not options.only or name in options.only]
    total = sum(PARTS[name][1] for name in names)
    found: list[BenchRow] = []
    before = 0.0
    reached = [0.0]

    def tell(share: float, text: str) -> None:
        reached[0] = share
        progress(share, text)

    with cases.one_thread():
        bench = cases.Bench(options, lambda text: progress(reached[0], text))
        for name in names:
            module_name, share = PARTS[name]
            module = import_module(f"packtwin.scenarios.{module_name}")
            part = _scaled(tell, name, before / total, share / total)
            part(0.0, "")
            began = time.perf_counter()
            try:
                found += module.rows(part, bench)
            except PackTwinError as error:
                what = f"part `{name}` ended early: {error}"
                found.append(not_measured(f"{name}.failed", what))
            what = f"part `{name}` of this bench took"
            took_s = time.perf_counter() - began
            found.append(
                BenchRow(id=f"bench.{name}", what=what, value=took_s, unit="s")
            )
            before += share
    return found


def _scaled(progress: Progress, name: str, begin: float, share: float) -> Progress:
    return lambda part, text: progress(begin + share * part, f"{name} {text}".strip())
