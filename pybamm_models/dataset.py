"""Make, resume and load data sets: one run, one whole `.npz` file."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import Run, read_run, write_run
from packtwin.pybamm_models.simulation import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    solve_request,
)
from packtwin.twin.errors import ModelError, ScenarioError

__all__ = ["Outcome", "fingerprint", "generate", "load"]

logger = logging.getLogger(__name__)

_FORMAT = "packtwin-run-1"
_MANIFEST = "manifest.json"
# PyBaMM keeps some memory of every simulation: start afresh now and then.
_RUNS_PER_PROCESS = 40
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one request ended: `ok`, `limit` (which, when) or `failed` (reason)."""

    name: str
    kind: str
    status: str
    reason: str
    end_time_s: float | None
    first_limit_s: float | None
    solve_s: float
    is_resumed: bool


def fingerprint(cell: Cell, request: Request) -> str:
    """Return the hash of all that determines a run."""
    digest = hashlib.sha256()
    scalars = (
        _FORMAT,
        repr(cell),
        RELATIVE_TOLERANCE,
        ABSOLUTE_TOLERANCE,
        version("pybamm"),
        request.kind,
        request.start_soc,
        request.start_temperature_K,
        request.heat_transfer_coefficient_W_per_m2_K,
    )
    digest.update(repr(scalars).encode())
    for array in (request.time_s, request.current_A, request.coolant_temperature_K):
        digest.update(array.astype("<f8").tobytes())
    return digest.hexdigest()[:32]


def generate(
    cell: Cell,
    requests: Sequence[Request],
    directory: Path,
    *,
    n_processes: int = 1,
    description: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, Outcome], None] | None = None,
) -> tuple[Outcome, ...]:
    """Solve `requests` into `directory`, skipping whole files of the same request.

    A failed run is recorded with its reason in `manifest.json` and does not stop the
    others. `description` (such as the design's fields) is copied to the manifest.
    `progress` is called with (done, total, outcome) after every run.
    """
    names = [request.name for request in requests]
    if len(set(names)) != len(names):
        message = "Data set: run names must differ. Rename the repeated requests."
        raise ScenarioError(message)
    directory.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    outcomes: dict[str, Outcome] = {}
    for outcome in _solve_all(cell, requests, directory, n_processes):
        outcomes[outcome.name] = outcome
        done = [outcomes[name] for name in names if name in outcomes]
        _write_manifest(cell, directory, description, done)
        if progress is not None:
            progress(len(outcomes), len(requests), outcome)
    logger.info(
        "%d runs in %s: %.0f s", len(names), directory, time.perf_counter() - started
    )
    return tuple(outcomes[name] for name in names)


def load(directory: Path) -> tuple[Run, ...]:
    """Return the runs of a data set in the manifest's order, failed ones left out.

    Raises:
        ModelError: no manifest, or a run's file is missing or cut short.
    """
    path = directory / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"Data set `{directory}` has no readable manifest ({error})."
        raise ModelError(message) from error
    return tuple(
        read_run(directory / f"{entry['name']}.npz")
        for entry in manifest["runs"]
        if entry["status"] != "failed"
    )


def _solve_all(
    cell: Cell, requests: Sequence[Request], directory: Path, n_processes: int
) -> Iterator[Outcome]:
    if n_processes <= 1:
        for request in requests:
            yield _solve_one(cell, request, directory)
        return
    # Workers are renewed by a new pool now and then, because PyBaMM keeps memory;
    # `max_tasks_per_child` deadlocks in Python 3.11 (cpython issue 115634).
    size = n_processes * _RUNS_PER_PROCESS
    for begin in range(0, len(requests), size):
        yield from _solve_batch(
            cell, requests[begin : begin + size], directory, n_processes
        )


def _solve_batch(
    cell: Cell, requests: Sequence[Request], directory: Path, n_processes: int
) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(n_processes, mp_context=context) as pool,
    ):
        futures = {
            pool.submit(_solve_one, cell, request, directory): request
            for request in requests
        }
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool as error:
                reason = f"a worker process died ({error}); run again to resume"
                yield _failure(futures[future], reason, 0.0)


def _solve_one(cell: Cell, request: Request, directory: Path) -> Outcome:
    path = directory / f"{request.name}.npz"
    mark = fingerprint(cell, request)
    if path.exists():
        try:
            return _success(read_run(path, mark), is_resumed=True)
        except ModelError as error:
            logger.info("%s", error)
    started = time.perf_counter()
    try:
        run = solve_request(cell, request)
    except ModelError as error:
        path.unlink(missing_ok=True)
        return _failure(request, str(error), time.perf_counter() - started)
    write_run(run, path, mark)
    return _success(run, is_resumed=False)


def _success(run: Run, *, is_resumed: bool) -> Outcome:
    is_crossed = run.first_limit_s == run.first_limit_s
    return Outcome(
        name=run.name,
        kind=run.kind,
        status=run.status,
        reason=run.limit,
        end_time_s=run.end_time_s,
        first_limit_s=run.first_limit_s if is_crossed else None,
        solve_s=run.solve_s,
        is_resumed=is_resumed,
    )


def _failure(request: Request, reason: str, solve_s: float) -> Outcome:
    return Outcome(
        name=request.name,
        kind=request.kind,
        status="failed",
        reason=reason,
        end_time_s=None,
        first_limit_s=None,
        solve_s=solve_s,
        is_resumed=False,
    )


def _write_manifest(
    cell: Cell,
    directory: Path,
    description: Mapping[str, Any] | None,
    outcomes: Sequence[Outcome],
) -> None:
    manifest = {
        "format": _FORMAT,
        "cell": asdict(cell),
        "relative_tolerance": RELATIVE_TOLERANCE,
        "absolute_tolerance": ABSOLUTE_TOLERANCE,
        "description": dict(description or {}),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("pybamm", "numpy", "scipy")},
        },
        "runs": [asdict(outcome) for outcome in outcomes],
    }
    temporary = directory / f"{_MANIFEST}.part"
    temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    temporary.replace(directory / _MANIFEST)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let spawned workers inherit one thread per numerical library."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
