"""Judge a cell's mesh, or find the cheapest good one, on several processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.convergence import (
    Recording,
    compare,
    difference,
    production_step_s,
    record,
)
from packtwin.pybamm_models.convergence_loads import LOADS, Load
from packtwin.pybamm_models.convergence_search import (
    START,
    MeshSearch,
    Trial,
    search_mesh,
)
from packtwin.pybamm_models.convergence_subject import Subject
from packtwin.pybamm_models.verdicts import COUNTS, Limits, Verdict, doubled
from packtwin.twin.errors import ModelError

__all__ = ["Study", "StudyOutcome", "converge", "judge"]

logger = logging.getLogger(__name__)

_SHORTEST_S = 30.0
_SOLVER = "packtwin step map in C"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is asked.

    Attributes:
        subject: Whose mesh.
        loads: On which the meshes are compared.
        limits: How far they may differ.
        n_process: Meshes built and solved at a time.
        n_state_max: A search gives up above that many states.
        command: Recorded in the verdict.
        progress: Called with a share of the work and a note.
    """

    subject: Subject
    loads: tuple[Load, ...] = LOADS
    limits: Limits = field(default_factory=Limits)
    n_process: int = 2
    n_state_max: int = 6000
    command: str = ""
    progress: Callable[[float, str], None] | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOutcome:
    """The verdict and how it was reached.

    Attributes:
        verdict: On the mesh judged or found.
        trials: Comparisons of a search, in order.
        left_out: Loads that could not be judged, with the reason.
        n_mesh: Meshes built.
        elapsed_s: Wall-clock time.
    """

    verdict: Verdict
    trials: tuple[Trial, ...]
    left_out: tuple[str, ...]
    n_mesh: int
    elapsed_s: float


def converge(study: Study) -> StudyOutcome:
    """Find the cheapest mesh that agrees with the doubled one.

    Raises:
        ModelError: there is none, or the model cannot be built.
        CompilerError: there is no working C compiler.
    """
    started = time.perf_counter()
    with _recorder(study) as recorder:
        left_out = recorder.leave_out(START)
        found = search_mesh(
            MeshSearch(
                family=study.subject.physics.family,
                errors=recorder.errors,
                n_unknown_max=study.n_state_max,
                progress=study.progress,
            )
        )
        verdict = recorder.verdict(found.mesh)
        return StudyOutcome(
            verdict=verdict,
            trials=found.trials,
            left_out=left_out,
            n_mesh=recorder.n_mesh,
            elapsed_s=time.perf_counter() - started,
        )


def judge(study: Study, mesh: Mesh | None = None) -> StudyOutcome:
    """Compare one mesh, by default the subject's own, with the doubled ones.

    Raises:
        ModelError: the model cannot be built, or a load has no solution.
        CompilerError: there is no working C compiler.
    """
    started = time.perf_counter()
    own = mesh or study.subject.physics.mesh
    with _recorder(study) as recorder:
        left_out = recorder.leave_out(own)
        verdict = recorder.verdict(own)
        return StudyOutcome(
            verdict=verdict,
            trials=(),
            left_out=left_out,
            n_mesh=recorder.n_mesh,
            elapsed_s=time.perf_counter() - started,
        )


@contextmanager
def _recorder(study: Study) -> Iterator[_Recorder]:
    if study.n_process <= 1:
        yield _Recorder(study, None)
        return
    # PyBaMM and CasADi start threads, which a fork would not survive.
    context = multiprocessing.get_context("spawn")
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    with ProcessPoolExecutor(study.n_process, mp_context=context) as pool:
        try:
            yield _Recorder(study, pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@final
class _Recorder:
    """Records every mesh once."""

    def __init__(self, study: Study, pool: Executor | None) -> None:
        self.study = study
        self.loads = study.loads
        self.pool = pool
        self.known: dict[Mesh, Recording] = {}
        self.n_mesh = 0

    def leave_out(self, mesh: Mesh) -> tuple[str, ...]:
        """Drop loads that cannot start or end at once on `mesh`, with the reason."""
        (recording,) = self.recorded([mesh])
        reasons: list[str] = []
        kept: list[int] = []
        for k, (load, curve) in enumerate(
            zip(self.loads, recording.curves, strict=True)
        ):
            if curve.failure and not len(curve.voltage_V):
                reasons.append(f"{load.name}: {curve.failure}")
            elif curve.end_time_s < _SHORTEST_S:
                reasons.append(
                    f"{load.name}: ends after {curve.end_time_s:.1f} s, expected at "
                    f"least {_SHORTEST_S:g} s."
                )
            else:
                kept.append(k)
        if not kept:
            message = (
                f"`{self.study.subject.name}` bears none of the loads: "
                f"{' '.join(reasons)} Choose milder ones with `--charges`."
            )
            raise ModelError(message)
        self.loads = tuple(self.loads[k] for k in kept)
        curves = tuple(recording.curves[k] for k in kept)
        self.known[mesh] = replace(recording, curves=curves)
        return tuple(reasons)

    def recorded(self, meshes: Sequence[Mesh]) -> list[Recording]:
        """Return all loads on every mesh."""
        new = [m for m in dict.fromkeys(meshes) if m not in self.known]
        subject = self.study.subject
        if self.pool is None:
            self.known |= {m: record(subject, m, self.loads) for m in new}
        else:
            # The largest first, so that none is waited for alone.
            new.sort(key=lambda m: m.x_n * m.r_n + m.x_p * m.r_p, reverse=True)
            futures: dict[Mesh, Future[Recording]] = {
                m: self.pool.submit(record, subject, m, self.loads) for m in new
            }
            try:
                self.known |= {m: future.result() for m, future in futures.items()}
            except BrokenProcessPool as error:
                message = (
                    f"A process that solved a mesh of `{subject.name}` was ended from "
                    "outside, most likely for lack of memory. Use `--jobs 1` or fewer "
                    "`--states`."
                )
                raise ModelError(message) from error
        self.n_mesh += len(new)
        return [self.known[m] for m in meshes]

    def errors(
        self, pairs: Sequence[tuple[Mesh, Mesh]]
    ) -> Sequence[npt.NDArray[np.float64]]:
        """Return all differences of every pair as multiples of their limits."""
        self.recorded([mesh for pair in pairs for mesh in pair])
        return [
            difference(
                self.known[mesh], self.known[finer], self.study.limits, self.loads
            )
            for mesh, finer in pairs
        ]

    def verdict(self, mesh: Mesh) -> Verdict:
        """Judge `mesh` against the one doubled everywhere and the one in r_n."""
        study, physics = self.study, self.study.subject.physics
        finer = (doubled(mesh, *COUNTS), doubled(mesh, "r_n"))
        own, *others = self.recorded([mesh, *finer])
        return Verdict(
            cell=study.subject.name,
            parameter_set=study.subject.parameter_set,
            family=physics.family,
            is_flux_integrated=physics.is_flux_integrated,
            voltage_min_V=study.subject.voltage_min_V,
            voltage_max_V=study.subject.voltage_max_V,
            mesh=mesh,
            n_state=own.n_state,
            n_algebraic=own.n_algebraic,
            time_per_step_s=production_step_s(study.subject, mesh),
            limits=study.limits,
            comparisons=tuple(
                compare(
                    own,
                    fine,
                    self.loads,
                    finer_mesh=peer,
                    finer_is_flux_integrated=physics.is_flux_integrated,
                )
                for peer, fine in zip(finer, others, strict=True)
            ),
            provenance={
                "solver": _SOLVER,
                "command": study.command,
                "versions": {"python": platform.python_version()}
                | {n: version(n) for n in ("packtwin", "pybamm", "casadi", "numpy")},
            },
        )
