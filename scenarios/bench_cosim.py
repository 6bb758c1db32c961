"""`packtwin bench cosim`: coupled runs against exact answers, and what they cost.

Components with exact steps show what a master does to the coupling, and nothing else;
the same problem as FMUs and in the loop that users of FMPy write by hand is beside it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from packtwin.scenarios.bench import BenchOptions, BenchRow, not_measured
from packtwin.scenarios.fingerprints import has_physics

__all__ = ["PARTS", "SEEDS", "rows"]

Progress: TypeAlias = Callable[[float, str], None]
Measure: TypeAlias = Callable[[Path], Sequence[BenchRow]]

# Module and function of each part.
PARTS: dict[str, tuple[str, str]] = {
    "accuracy": ("bench_cosim_accuracy", "rows"),
    "tolerance": ("bench_cosim_tolerance", "rows"),
    "loops": ("bench_cosim_loops", "rows"),
    "order": ("bench_cosim_order", "rows"),
    "fmus": ("bench_cosim_fmus", "rows"),
    "gradients": ("bench_cosim_gradients", "rows"),
    "protocol": ("bench_cosim_protocol", "rows"),
    "speed": ("bench_cosim_speed", "rows"),
    "peers": ("bench_cosim_peers", "rows"),
    "drive": ("bench_cosim_drive", "rows"),
    "recording": ("bench_cosim_recording", "rows"),
    "packages": ("bench_cosim_packages", "rows"),
}
SEEDS: dict[str, int] = {}


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure."""
    names = options.only or tuple(PARTS)
    found: list[BenchRow] = []
    if not has_physics():
        what = "the cases need SciPy, which `packtwin[physics]` brings"
        return [not_measured("missing.scipy", what, target="installed")]
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as folder:
        for k, name in enumerate(names):
            progress(k / len(names), name)
            module, function = PARTS[name]
            loaded: Any = import_module(f"packtwin.scenarios.{module}")
            measure: Measure = getattr(loaded, function)
            found.extend(measure(Path(folder)))
    progress(1.0, "done")
    return found
