"""Time of a step in a C program, time to export, and size."""

from __future__ import annotations

import time
from importlib.util import find_spec

from packtwin.fmu.binaries import describe_binaries
from packtwin.fmu.platforms import PLATFORMS
from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_fmu_cases import VERSIONS, Bench, Progress

__all__ = ["rows", "size_rows"]

_N_STEP, _N_REPEAT = 1000, 7
_EXPORT_LIMIT_S, _SIZE_LIMIT_MB = 5.0, 1.0
_OLDEST_GLIBC = (2, 17)


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Time set inputs, doStep of 1 s and get outputs, by CPU time in a C program."""
    found = []
    for index, case in enumerate(bench.cases):
        for version in VERSIONS:
            progress(index / len(bench.cases), case.name)
            n_step = 100 if bench.options.is_quick else _N_STEP
            took_us = 1e6 * bench.driven(case, n_step, version=version).step_s(
                _N_REPEAT
            )
            what = f"{case.name}, FMI {version}: set, doStep of 1 s, get, in C"
            key = f"step.{case.key}.{version[0]}"
            if case.limit_us:
                found.append(at_most(key, what, took_us, "us", case.limit_us))
            else:
                found.append(BenchRow(id=key, what=what, value=took_us, unit="us"))
    return found


def size_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Measure the export for the host, and the first case on all platforms."""
    found = []
    for case in bench.cases:
        what = f"{case.name}: generate, compile for the host, reference results, pack"
        took_s, key = bench.export_s(case), f"export.{case.key}"
        if case.limit_us in (0.0, bench.cases[0].limit_us):
            found.append(at_most(key, what, took_s, "s", _EXPORT_LIMIT_S))
        else:
            found.append(BenchRow(id=key, what=what, value=took_s, unit="s"))
        megabytes = bench.fmu(case).stat().st_size / 1e6
        what = f"{case.name}: size, host only"
        found.append(
            BenchRow(id=f"size.{case.key}", what=what, value=megabytes, unit="MB")
        )
    if find_spec("ziglang") is None:
        what = "five platforms: `ziglang` is not installed"
        return [*found, not_measured("size.all", what, target="installed")]
    case, path = bench.cases[0], bench.folder / "everywhere.fmu"
    made = bench.model(case)
    begin = time.perf_counter()
    made.export(
        path,
        platforms=("all",),
        progress=lambda share, text: progress(share, text),
    )
    took_s = time.perf_counter() - begin
    what = f"{case.name}: compile for 5 platforms (the C runtime of Windows once)"
    binaries = describe_binaries(path)
    newest = [b for b in binaries if b.glibc and _version(b.glibc) > _OLDEST_GLIBC]
    return [
        *found,
        BenchRow(id="export.all", what=what, value=took_s, unit="s"),
        at_most(
            "size.all",
            f"{case.name}: size with {len(binaries)} of {len(PLATFORMS)} platforms",
            path.stat().st_size / 1e6,
            "MB",
            _SIZE_LIMIT_MB,
        ),
        at_most(
            "glibc.all",
            "Linux binaries of them that need a glibc newer than 2.17",
            float(len(newest)),
            "1",
            0.0,
        ),
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
