"""Make, resume and load data sets: one run, one whole `.npz` file."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import Run, read_run, write_run
from packtwin.pybamm_models.spot_check import SpotCheck, spot_check
from packtwin.pybamm_models.stepping import (
    TRUTH_ABSOLUTE_TOLERANCE,
    TRUTH_RELATIVE_TOLERANCE,
    solve_request,
)
from packtwin.pybamm_models.verdicts import verdict_record
from packtwin.twin.errors import ModelError, ScenarioError

__all__ = [
    "MANIFEST_PERIOD_S",
    "RUNS_PER_CHECK",
    "Outcome",
    "fingerprint",
    "generate",
    "load",
]

logger = logging.getLogger(__name__)

RUNS_PER_CHECK = 100
MANIFEST_PERIOD_S = 2.0

_FORMAT = "packtwin-run-2"
_MANIFEST = "manifest.json"


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
        TRUTH_RELATIVE_TOLERANCE,
        TRUTH_ABSOLUTE_TOLERANCE,
        version("pybamm"),
        request.kind,
        request.start_soc,
        request.start_temperature_K,
        request.heat_transfer_coefficient_W_per_m2_K,
    )
    digest.update(repr(scalars).encode())
    if request.factors:
        digest.update(repr(sorted(request.factors.items())).encode())
    for array in (request.time_s, request.current_A, request.coolant_temperature_K):
        digest.update(array.astype("<f8").tobytes())
    return digest.hexdigest()[:32]


def generate(
    cell: Cell,
    requests: Sequence[Request],
    directory: Path,
    *,
    n_threads: int = 1,
    description: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, Outcome], None] | None = None,
) -> tuple[Outcome, ...]:
    """Solve `requests` into `directory`, skipping whole files of the same request.

    A failed run is recorded with its reason in `manifest.json` and does not stop the
    others. `description` (such as the design's fields) is copied to the manifest, which
    is written at most every `MANIFEST_PERIOD_S` and at the end, however that comes: a
    killed process leaves whole runs that are not in it, and they are skipped as well.
    `progress` is called with (done, total, outcome) after every run. Of every
    `RUNS_PER_CHECK` new runs one is solved by PyBaMM too; the differences are in the
    manifest.

    Raises:
        ModelError: the two solvers disagree; the runs are kept, for a look at them.
    """
    names = [request.name for request in requests]
    if len(set(names)) != len(names):
        message = "Data set: run names must differ. Rename the repeated requests."
        raise ScenarioError(message)
    directory.mkdir(parents=True, exist_ok=True)
    verdict = verdict_record(cell)
    if not verdict["is_met"]:
        score = verdict.get("score")
        logger.warning(
            "The mesh of cell `%s` %s. Look at `packtwin converge`.",
            cell.name,
            f"differs from the doubled one by {score} times the limits"
            if score
            else "was never judged and may be wrong by many millivolts",
        )
    started = time.perf_counter()
    outcomes: dict[str, Outcome] = {}

    def write_manifest(checks: Sequence[SpotCheck] = ()) -> None:
        done = [outcomes[name] for name in names if name in outcomes]
        _write_manifest(cell, directory, description, done, checks)

    n_written, written_s = 0, -math.inf
    try:
        for outcome in _solve_all(cell, requests, directory, n_threads):
            outcomes[outcome.name] = outcome
            if time.perf_counter() >= written_s + MANIFEST_PERIOD_S:
                write_manifest()
                n_written, written_s = len(outcomes), time.perf_counter()
            if progress is not None:
                progress(len(outcomes), len(requests), outcome)
    finally:
        if n_written < len(outcomes):
            write_manifest()
    checks = [
        spot_check(cell, request, directory) for request in _checked(requests, outcomes)
    ]
    if checks:
        write_manifest(checks)
    for check in checks:
        check.demand()
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


def _checked(
    requests: Sequence[Request], outcomes: Mapping[str, Outcome]
) -> list[Request]:
    """Choose one new run of every `RUNS_PER_CHECK`, at random but always the same."""
    new = [
        request
        for request in requests
        if not outcomes[request.name].is_resumed
        and outcomes[request.name].status != "failed"
    ]
    rng = np.random.default_rng(len(new))
    batches = [new[k : k + RUNS_PER_CHECK] for k in range(0, len(new), RUNS_PER_CHECK)]
    return [batch[int(rng.integers(len(batch)))] for batch in batches]


def _solve_all(
    cell: Cell, requests: Sequence[Request], directory: Path, n_threads: int
) -> Iterator[Outcome]:
    # The compiled step map holds no lock and no state, so threads run in parallel.
    with ThreadPoolExecutor(max(1, n_threads)) as pool:
        futures = [pool.submit(_solve_one, cell, r, directory) for r in requests]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


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
    checks: Sequence[SpotCheck],
) -> None:
    manifest = {
        "format": _FORMAT,
        "cell": asdict(cell),
        "mesh_verdict": verdict_record(cell),
        "relative_tolerance": TRUTH_RELATIVE_TOLERANCE,
        "absolute_tolerance": TRUTH_ABSOLUTE_TOLERANCE,
        "description": dict(description or {}),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("pybamm", "numpy", "scipy")},
        },
        "spot_checks": [asdict(check) for check in checks],
        "runs": [asdict(outcome) for outcome in outcomes],
    }
    temporary = directory / f"{_MANIFEST}.part"
    temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    temporary.replace(directory / _MANIFEST)
