"""Saved states in new processes, threads, leaks, and a folder with libc alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_fmu_cases import SEED, VERSIONS, Bench, Progress
from packtwin.scenarios.bench_fmu_driver import N_AFTER, DrivenFmu

__all__ = ["isolation_rows", "leak_rows", "rows", "thread_rows"]

_N_POINT, _N_QUICK_POINT = 1000, 20
_N_STEP = 2000
_N_CYCLE, _N_QUICK_CYCLE = 10_000, 500
_N_THREAD, _N_INSTANCE, _N_THREAD_STEP = 8, 8, 200
_FOLDER_LIBRARIES = {"libc.so.6", "libm.so.6"}


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Serialize at random points, go on in a new process each, compare the bits."""
    found = []
    n_point = _N_QUICK_POINT if bench.options.is_quick else _N_POINT
    for index, case in enumerate(bench.cases):
        for version in VERSIONS:
            progress(index / len(bench.cases), case.name)
            driven = bench.driven(case, _N_STEP, version=version)
            wrong = _replays(driven, bench.folder / f"{case.key}_state", n_point)
            what = (
                f"{case.name}, FMI {version}: serialize, new process, deserialize at "
                f"{n_point} random points of {_N_STEP}: points whose next {N_AFTER} "
                "steps differ in a bit"
            )
            key = f"replay.{case.key}.{version[0]}"
            found.append(at_most(key, what, float(wrong), "1", 0.0))
    return found


def thread_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Run instances in parallel threads and compare with a serial run."""
    found = []
    for index, case in enumerate(bench.cases):
        for version in VERSIONS:
            progress(index / len(bench.cases), case.name)
            driven = bench.driven(case, _N_THREAD_STEP, version=version)
            wrong = int(driven.call("threads", str(_N_THREAD), str(_N_INSTANCE)))
            what = (
                f"{case.name}, FMI {version}: {_N_THREAD} threads x {_N_INSTANCE} "
                f"instances, {_N_THREAD_STEP} steps: steps that differ from serial"
            )
            key = f"threads.{case.key}.{version[0]}"
            found.append(at_most(key, what, float(wrong), "1", 0.0))
    return found


def leak_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Make, step once and free instances; measure the resident memory."""
    found = []
    n = _N_QUICK_CYCLE if bench.options.is_quick else _N_CYCLE
    for index, case in enumerate(bench.cases):
        for version in VERSIONS:
            progress(index / len(bench.cases), case.name)
            grown, _ = bench.driven(case, 1, version=version).instances(n)
            what = f"{case.name}, FMI {version}: memory grown in {n} instances"
            key = f"leak.{case.key}.{version[0]}"
            found.append(at_most(key, what, max(grown, 0) / 1e6, "MB", 1.0))
    return found


def isolation_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Run in a root folder that holds the program, the FMU, libc and libm only."""
    progress(0.0, "chroot")
    case = bench.cases[0]
    driven = bench.driven(case, 100)
    needed = _libraries(driven.library)
    key, what = "isolation", f"{case.name} in a folder with libc and libm only"
    extra = sorted(set(needed) - _FOLDER_LIBRARIES)
    found = [
        at_most(
            "isolation.needs",
            f"{case.name}: libraries needed besides libc and libm ({', '.join(extra)})"
            if extra
            else f"{case.name}: libraries needed besides libc and libm",
            float(len(extra)),
            "1",
            0.0,
        )
    ]
    if not sys.platform.startswith("linux"):
        return [*found, not_measured(key, f"{what}: Linux only")]
    want = driven.outputs()
    root = _root_folder(bench.folder / "root", driven)
    inside = ["/fmu_driver", f"/{driven.library.name}", driven.token, "/table", "run"]
    for prefix in (["chroot"], ["unshare", "--map-root-user", "chroot"]):
        if shutil.which(prefix[0]) is None:
            continue
        command = ["env", "-i", *_full(prefix), str(root), *inside, "/out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            differs = not np.array_equal(driven.read(root / "out"), want)
            shown = f"{what} (`{' '.join(prefix)}`): it runs; outputs that differ"
            return [*found, at_most(key, shown, float(differs), "1", 0.0)]
    command = ["env", "-i", *driven.command("run", str(root / "out"))]
    alone = subprocess.run(command, capture_output=True, check=False)
    shown = f"{case.name}: no chroot allowed here; with an empty environment it fails"
    return [*found, at_most(key, shown, float(alone.returncode != 0), "1", 0.0)]


def _full(prefix: list[str]) -> list[str]:
    return [shutil.which(word) or word for word in prefix]


def _replays(driven: DrivenFmu, folder: Path, n_point: int) -> int:
    """Return how many points give other bits."""
    folder.mkdir(exist_ok=True)
    draws = np.random.default_rng(SEED).integers(1, _N_STEP - N_AFTER, n_point)
    points = sorted(set(draws.tolist()))
    whole = driven.outputs()
    driven.call("save", str(folder), *map(str, points))
    wrong = 0
    out = folder / "out"
    for at in draws.tolist():
        driven.call("resume", str(folder / str(at)), str(at), str(out))
        want = whole[at + 1 : at + 1 + N_AFTER]
        wrong += driven.read(out).tobytes() != want.tobytes()
    return wrong


def _libraries(file: Path) -> dict[str, Path]:
    """Return name and path of the libraries that a file loads, as `ldd` says."""
    done = subprocess.run(
        ["ldd", str(file)], capture_output=True, text=True, check=True
    )
    return {
        name: Path(path)
        for name, path in re.findall(r"(\S+) => (/\S+)", done.stdout)
        if not name.startswith("linux-vdso")
    }


def _root_folder(root: Path, driven: DrivenFmu) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    wanted = _libraries(driven.driver) | _libraries(driven.library)
    done = subprocess.run(
        ["ldd", str(driven.driver)], capture_output=True, text=True, check=True
    )
    loader = re.search(r"^\s*(/\S+ld-linux\S+)", done.stdout, re.MULTILINE)
    paths = [*wanted.values(), *([Path(loader.group(1))] if loader else [])]
    for path in paths:
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for source, name in (
        (driven.driver, "fmu_driver"),
        (driven.library, driven.library.name),
        (driven.table, "table"),
    ):
        shutil.copy(source, root / name)
        (root / name).chmod(0o755)
    return root
