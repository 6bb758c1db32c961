"""`packtwin bench check`: which faults our checker and its peers find.

Peers are FMPy's `validate_fmu` and, if its `fmutool` is on the PATH,
fmu-manipulation-toolbox's `-check`. A peer finds a mutant when it reports anything:
both are silent on the good FMUs. Good FMUs are those that mutants are made from, and
all models that `packtwin export` knows, in FMI 3.0, with vectors and without.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.peers import fmpy_problems, has_toolbox, toolbox_problems
from packtwin.fmu.export import export_fmu
from packtwin.fmu.source import FmiKind, FmiVersion
from packtwin.scenarios.bench import BenchOptions, BenchRow, at_least, at_most
from packtwin.scenarios.bench_check_faults import NO_FAULTS, RUN_MUTANTS
from packtwin.scenarios.bench_check_model import good_step_map
from packtwin.scenarios.bench_check_mutants import (
    STATIC_MUTANTS,
    write_static_mutant,
)
from packtwin.scenarios.bench_check_shim import write_run_mutant
from packtwin.scenarios.fmu_models import find_fmu_model

__all__ = ["PARTS", "rows"]

Progress: TypeAlias = Callable[[float, str], None]

PARTS = ("static", "run", "models")
_VERSIONS: tuple[FmiVersion, ...] = ("2.0", "3.0")
_MODELS: dict[str, tuple[FmiKind, ...]] = {
    "cooling": ("cs", "me"),
    "cell": ("cs", "me"),
    "vehicle": ("cs",),
    "pack": ("cs",),
    "spme:Chen2020": ("cs", "me"),
    "dfn:Chen2020": ("cs", "me"),
}
_N_QUICK = 3
_TIME_LIMIT_S = 2.0
_BUDGET_S = 0.3
_SHARE = 0.95  # of the run-time mutants


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Mutants:
    """Mutants of one family: each with its name, its rules and where it is."""

    key: str
    what: str
    least: float
    is_run: bool
    members: Sequence[tuple[str, tuple[str, ...], Path]]


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Make mutants and good FMUs, check each, and return the counts."""
    only = options.only or PARTS
    found: list[BenchRow] = []
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as name:
        folder = Path(name)
        families: list[_Mutants] = []
        if "static" in only:
            families.append(_static(folder, options))
        progress(0.1, "static mutants written")
        if "run" in only:
            found += _good_rows(folder)
            families += [_running(folder, v, options) for v in _VERSIONS]
        progress(0.4, "run-time mutants compiled")
        found += [_own_row(family) for family in families]
        progress(0.7, "checked by packtwin")
        found += _peer_rows("fmpy", "FMPy `validate_fmu`", fmpy_problems, families)
        if has_toolbox():
            what = "fmu-manipulation-toolbox `-check`"
            found += _peer_rows("toolbox", what, toolbox_problems, families)
        progress(0.8, "checked by peers")
        if "models" in only:
            found += _model_rows(folder, options)
        progress(1.0, "models checked")
    return found


def _static(folder: Path, options: BenchOptions) -> _Mutants:
    good = export_fmu(good_step_map(), folder / "good.fmu")
    chosen = STATIC_MUTANTS[: _N_QUICK if options.is_quick else None]
    return _Mutants(
        key="static",
        what="static mutants",
        least=float(len(chosen)),
        is_run=False,
        members=[
            (m.name, (m.rule,), write_static_mutant(good, m, folder / f"static{i}.fmu"))
            for i, m in enumerate(chosen)
        ],
    )


def _running(folder: Path, version: FmiVersion, options: BenchOptions) -> _Mutants:
    chosen = [m for m in RUN_MUTANTS if version in m.versions]
    chosen = chosen[:: len(chosen) // _N_QUICK] if options.is_quick else chosen
    major = version[0]
    return _Mutants(
        key=f"run.{major}",
        what=f"run-time mutants of FMI {major}",
        least=_SHARE * len(chosen),
        is_run=True,
        members=[
            (
                m.name,
                m.rules,
                write_run_mutant(version, m, folder / f"run{major}_{i}.fmu"),
            )
            for i, m in enumerate(chosen)
        ],
    )


def _good_rows(folder: Path) -> list[BenchRow]:
    """Check the FMUs that the run-time mutants are made from."""
    paths = [
        write_run_mutant(v, layer, folder / f"layer{v[0]}_{i}.fmu")
        for v in _VERSIONS
        for i, layer in enumerate(NO_FAULTS)
    ]
    begin = time.perf_counter()
    alarms = sum(len(check_fmu(path).problems) for path in paths)
    duration_s = (time.perf_counter() - begin) / len(paths)
    what = f"problems of {len(paths)} good FMUs"
    return [
        at_most("check.false_alarms", what, float(alarms), "", 0.0),
        at_most("check.time_s", "check of a good FMU", duration_s, "s", 60.0),
    ]


def _own_row(family: _Mutants) -> BenchRow:
    missed = []
    for name, rules, path in family.members:
        report = check_fmu(
            path, is_run=family.is_run, time_limit_s=_TIME_LIMIT_S, budget_s=_BUDGET_S
        )
        if not set(rules) & set(report.rules()):
            missed.append(name)
    n = len(family.members)
    shown = f"{family.what} found by their rule, of {n}"
    if missed:
        shown += f" (missed: {'; '.join(missed)})"
    found = float(n - len(missed))
    return at_least(f"check.{family.key}", shown, found, "", family.least)


def _peer_rows(
    key: str,
    what: str,
    find: Callable[[Path], list[str]],
    families: Sequence[_Mutants],
) -> Iterator[BenchRow]:
    for family in families:
        n = sum(bool(find(path)) for _, _, path in family.members)
        yield BenchRow(
            id=f"{key}.{family.key}",
            what=f"{what}: {family.what} found, of {len(family.members)}",
            value=float(n),
            unit="",
        )


def _model_rows(folder: Path, options: BenchOptions) -> Iterator[BenchRow]:
    names = list(_MODELS)[:1] if options.is_quick else list(_MODELS)
    for name in names:
        made, n, not_run = find_fmu_model(name), 0, 0
        for has_arrays in (True, False):
            path = made.export(
                folder / "model.fmu",
                fmi_version="3.0",
                kinds=_MODELS[name],
                has_arrays=has_arrays,
            )
            report = check_fmu(path)
            n += len(report.problems)
            not_run += sum(what != "passed" for what in report.probes.values())
            not_run += bool(report.not_run)
        key = name.replace(":", "_").lower()
        what = f"problems of `{name}` in FMI 3.0, {' and '.join(_MODELS[name])}"
        yield at_most(f"models.{key}", what, float(n), "", 0.0)
        what = f"probes of `{name}` that did not pass"
        yield at_most(f"models.{key}.probes", what, float(not_run), "", 0.0)
