"""`packtwin bench check`: which faults our checker and its peers find.

Peers are FMPy's `validate_fmu` and, if its `fmutool` is on the PATH,
fmu-manipulation-toolbox's `-check`. A peer finds a mutant when it reports anything:
both are silent on the good FMU.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.peers import fmpy_problems, has_toolbox, toolbox_problems
from packtwin.fmu.export import export_fmu
from packtwin.fmu.source import render_source
from packtwin.scenarios.bench import BenchRow, at_least, at_most
from packtwin.scenarios.bench_check_faults import NO_FAULT, RUN_MUTANTS
from packtwin.scenarios.bench_check_model import good_step_map
from packtwin.scenarios.bench_check_mutants import (
    STATIC_MUTANTS,
    write_static_mutant,
)
from packtwin.scenarios.bench_check_shim import write_run_mutant

__all__ = ["rows"]

Progress: TypeAlias = Callable[[float, str], None]
Mutant: TypeAlias = tuple[str, tuple[str, ...], Path]

_TIME_LIMIT_S = 2.0
_BUDGET_S = 0.3


def rows(progress: Progress) -> list[BenchRow]:
    """Make all mutants, check each with every checker, and return the counts."""
    step_map = good_step_map()
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as name:
        folder = Path(name)
        good = export_fmu(step_map, folder / "good.fmu")
        source = render_source(step_map)
        layer = write_run_mutant(source, NO_FAULT, folder / "layer.fmu")
        static: list[Mutant] = [
            (m.name, (m.rule,), write_static_mutant(good, m, folder / f"static{i}.fmu"))
            for i, m in enumerate(STATIC_MUTANTS)
        ]
        progress(0.1, "static mutants written")
        running: list[Mutant] = [
            (m.name, m.rules, write_run_mutant(source, m, folder / f"run{i}.fmu"))
            for i, m in enumerate(RUN_MUTANTS)
        ]
        progress(0.4, "run-time mutants compiled")
        begin = time.perf_counter()
        alarms = sum(len(check_fmu(path).problems) for path in (good, layer))
        duration_s = (time.perf_counter() - begin) / 2.0
        found = [
            at_most(
                "check.false_alarms", "problems of good FMUs", float(alarms), "", 0.0
            ),
            at_most("check.time_s", "check of a good FMU", duration_s, "s", 60.0),
        ]
        found += _own_rows(static, running)
        progress(0.8, "checked by packtwin")
        what = "FMPy `validate_fmu`"
        found += _peer_rows("fmpy", what, fmpy_problems, static, running)
        if has_toolbox():
            what = "fmu-manipulation-toolbox `-check`"
            found += _peer_rows("toolbox", what, toolbox_problems, static, running)
        progress(1.0, "checked by peers")
    return found


def _own_rows(static: list[Mutant], running: list[Mutant]) -> Iterator[BenchRow]:
    for key, what, mutants, least, is_run in (
        ("check.static", "static mutants found by their rule", static, 16.0, False),
        ("check.run", "run-time mutants found by their rule", running, 19.0, True),
    ):
        missed = []
        for name, rules, path in mutants:
            report = check_fmu(
                path, is_run=is_run, time_limit_s=_TIME_LIMIT_S, budget_s=_BUDGET_S
            )
            if not set(rules) & set(report.rules()):
                missed.append(name)
        shown = f"{what}, of {len(mutants)}"
        if missed:
            shown += f" (missed: {'; '.join(missed)})"
        yield at_least(key, shown, float(len(mutants) - len(missed)), "", least)


def _peer_rows(
    key: str,
    what: str,
    find: Callable[[Path], list[str]],
    static: list[Mutant],
    running: list[Mutant],
) -> Iterator[BenchRow]:
    for part, words, mutants in (
        ("static", "static mutants", static),
        ("run", "run-time mutants", running),
    ):
        n = sum(bool(find(path)) for _, _, path in mutants)
        yield BenchRow(
            id=f"{key}.{part}",
            what=f"{what}: {words} found, of {len(mutants)}",
            value=float(n),
            unit="",
        )
