"""`packtwin bench NAME`: measured figures, one row each, peers in the same run."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias, final

from packtwin.scenarios.pipeline import write_text
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = [
    "BENCHES",
    "BenchOptions",
    "BenchRow",
    "at_least",
    "at_most",
    "not_measured",
    "run_bench",
]

Progress: TypeAlias = Callable[[float, str], None]

# Each module has `rows(progress) -> Sequence[BenchRow]`; one with `PARTS` takes
# `BenchOptions` too. `SEEDS`, if it has them, are written with the figures.
BENCHES = {
    "check": "packtwin.scenarios.bench_check",
    "cosim": "packtwin.scenarios.bench_cosim",
    "demo": "packtwin.scenarios.bench_demo",
    "fmu": "packtwin.scenarios.bench_fmu",
    "measured": "packtwin.scenarios.bench_measured",
    "physics": "packtwin.scenarios.bench_physics",
    "trust": "packtwin.scenarios.bench_trust",
    "surrogate": "packtwin.scenarios.bench_surrogate",
    "switched": "packtwin.scenarios.bench_switched",
}
_LIBRARIES = ("packtwin", "casadi", "fmpy", "numpy", "pybamm", "pydiffsol", "torch")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What to measure of a benchmark in parts.

    Attributes:
        only: Names of parts; all of them if empty.
        is_quick: Measure little, to see that it works.
        is_compiled_peer: Include peers that compile for minutes.
        runs_path: Folder of runs to train on; made if None.
        held_out_path: Folder of runs to judge on; made if None.
    """

    only: tuple[str, ...] = ()
    is_quick: bool = False
    is_compiled_peer: bool = False
    runs_path: Path | None = None
    held_out_path: Path | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """One measured figure.

    Attributes:
        id: Stable name.
        what: What was measured, in words.
        value: The figure.
        unit: Its unit.
        target: What was asked, in words; empty for a peer's figure.
        met: Whether it was reached; true for a peer's figure.
    """

    id: str
    what: str
    value: float
    unit: str
    target: str = ""
    met: bool = True


def at_most(
    key: str, what: str, value: float, unit: str, limit: float, *, shown: str = ""
) -> BenchRow:
    """Return a row that is met when the value does not exceed the limit."""
    return BenchRow(
        id=key,
        what=what,
        value=float(value),
        unit=unit,
        target=shown or f"<= {limit:g}",
        met=bool(value <= limit),
    )


def at_least(key: str, what: str, value: float, unit: str, limit: float) -> BenchRow:
    """Return a row that is met when the value reaches the limit."""
    return BenchRow(
        id=key,
        what=what,
        value=float(value),
        unit=unit,
        target=f">= {limit:g}",
        met=bool(value >= limit),
    )


def not_measured(key: str, what: str, *, target: str = "measured") -> BenchRow:
    """Return a row that is missed because there is no figure; `what` says why."""
    return BenchRow(id=key, what=what, value=0.0, unit="1", target=target, met=False)


def run_bench(
    name: str,
    json_path: Path | None = None,
    progress: Progress | None = None,
    options: BenchOptions | None = None,
) -> dict[str, Any]:
    """Run a benchmark, write its figures and return them as they are written.

    Args:
        name: A key of `BENCHES`.
        json_path: Where to write the figures; nowhere by default.
        progress: Called with the fraction done and a message.
        options: For a benchmark in parts.

    Raises:
        ScenarioError: There is no such benchmark or part.
    """
    if name not in BENCHES:
        msg = f"No benchmark `{name}`; known: {nearest_names(name, tuple(BENCHES))}."
        raise ScenarioError(msg)
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    module: Any = import_module(BENCHES[name])
    rows = _rows(name, module, progress or (lambda _share, _text: None), options)
    document = {
        "bench": name,
        "versions": _versions(),
        "command": " ".join(["packtwin", *sys.argv[1:]]),
        "seeds": getattr(module, "SEEDS", {}),
        "rows": [asdict(row) for row in rows],
    }
    if json_path is not None:
        text = json.dumps(document, indent=1, allow_nan=False)
        write_text(json_path, text + "\n")
    return document


def _rows(
    name: str, module: Any, progress: Progress, options: BenchOptions | None
) -> Sequence[BenchRow]:
    chosen = options or BenchOptions()
    parts = tuple(getattr(module, "PARTS", ()))
    if not parts and chosen != BenchOptions():
        msg = (
            f"Benchmark `{name}` has no parts; leave out `--only`, `--quick` and "
            "`--with-compile`."
        )
        raise ScenarioError(msg)
    for part in chosen.only:
        if part not in parts:
            msg = (
                f"Benchmark `{name}` has no part `{part}`; known: "
                f"{nearest_names(part, parts)}."
            )
            raise ScenarioError(msg)
    rows: Sequence[BenchRow] = (
        module.rows(progress, chosen) if parts else module.rows(progress)
    )
    return rows


def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found
