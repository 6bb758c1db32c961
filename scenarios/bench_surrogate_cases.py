"""What `packtwin bench surrogate` measures on: runs given, or solved here and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

import torch

from packtwin.pybamm_models.cells import Cell, find_cell
from packtwin.pybamm_models.dataset import generate, load
from packtwin.pybamm_models.evaluation import Evaluation, evaluation_requests
from packtwin.pybamm_models.excitation import Design, design_requests
from packtwin.pybamm_models.request import Request
from packtwin.scenarios.adapters import trajectory
from packtwin.scenarios.bench import BenchOptions
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.loading import load_scenario
from packtwin.scenarios.truth import evaluation_plan
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec
from packtwin.twin.trajectory import Trajectory

__all__ = [
    "FAST_C_RATE",
    "Bench",
    "Size",
    "hour_requests",
    "one_thread",
    "strong_charges",
]

CELL = "lg_m50_oregan2022"
SCENARIO = "ev_fast_charge_day"
FOLDER = Path("runs") / "bench"
HEAT_TRANSFERS_W_per_m2K = (2.0, 10.0, 30.0, 100.0, 300.0)
FAST_C_RATE = 2.0  # above it, charges have a target of their own
_STRONG_C, _STRONG_K = 3.0, (288.15, 298.15, 308.15, 318.15)
_HOUR_C, _HOUR_K, _HOUR_S = 0.5, (283.15, 298.15), 3600
_LEAST_SAMPLES = 2


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured.

    Attributes:
        training: Design of the runs to learn from, where none are given.
        designed: Design of the held-out runs in distribution.
        budget_s: Seconds of each training.
        small_budget_s: The same on fewer runs.
        run_counts: How many those are.
        iterations: Most iterations of a training.
        n_point: Random points at which the runtimes are compared.
        n_hour: Of random current.
        n_step: Steps that are timed.
        n_repeat: Of which the median counts.
    """

    training: Design
    designed: Design
    budget_s: float = 150.0
    small_budget_s: float = 50.0
    run_counts: tuple[int, ...] = (50, 200)
    iterations: int = 1_000_000
    n_point: int = 10_000
    n_hour: int = 100
    n_step: int = 20_000
    n_repeat: int = 7


def full_size() -> Size:
    """Return what the bench asks for; the designs are small but whole."""
    return Size(
        training=Design(n_runs=160, n_deep=40, seed=1),
        designed=Design(n_runs=32, n_deep=8, seed=1001),
    )


def quick_size() -> Size:
    """Return a size for tests: seconds."""
    return Size(
        training=Design(n_runs=4, n_deep=2, duration_s=200, seed=1),
        designed=Design(n_runs=2, n_deep=1, duration_s=200, seed=1001),
        budget_s=2.0,
        small_budget_s=1.0,
        run_counts=(2,),
        n_point=200,
        n_hour=1,
        n_step=500,
        n_repeat=3,
    )


@final
class Bench:
    """The shipped cell and the runs, made on the first use.

    Attributes:
        options: Folders and size.
        size: How much is measured.
        cell: The true cell.
        spec: The shipped surrogate.
    """

    def __init__(self, options: BenchOptions, say: Callable[[str], None]) -> None:
        """Read the shipped cell.

        Args:
            options: Folders and size.
            say: Called with what is being solved.
        """
        self.options, self._say = options, say
        self.size = quick_size() if options.is_quick else full_size()
        self.cell: Cell = find_cell(CELL)
        self.spec: SurrogateSpec = load_spec(find_path("surrogate", CELL))

    @cached_property
    def training(self) -> list[Trajectory]:
        """Designed runs to learn from."""
        if self.options.runs_path is not None:
            return self._loaded(self.options.runs_path)
        design = self.size.training
        return self._solved("training", design_requests(self.cell, design))

    @cached_property
    def designed(self) -> list[Trajectory]:
        """Designed runs of another seed: in distribution."""
        return self._solved("designed", design_requests(self.cell, self.size.designed))

    @cached_property
    def held_out(self) -> list[Trajectory]:
        """Drive cycles and constant currents: out of distribution."""
        if self.options.held_out_path is not None:
            return self._loaded(self.options.held_out_path)
        if self.options.is_quick:
            plan = Evaluation(
                temperatures_K=(263.15, 298.15),
                c_rates=(1.0,),
                constant_duration_s=200,
            )
            return self._solved("held_out", evaluation_requests(self.cell, {}, plan))
        requests = evaluation_plan(load_scenario(SCENARIO)).requests
        return self._solved("held_out", requests)

    @cached_property
    def strong(self) -> list[Trajectory]:
        """Charges at 3C: those among the held-out runs, or made."""
        given = [r for r in self.held_out if (r.labels["c_rate"] or 0.0) > FAST_C_RATE]
        if given:
            return given
        requests = strong_charges(self.cell)
        return self._solved(
            "strong", requests[:1] if self.options.is_quick else requests
        )

    @cached_property
    def hours(self) -> list[Trajectory]:
        """Up to an hour of constant current at each heat-transfer coefficient."""
        requests = hour_requests(self.cell, 120 if self.options.is_quick else _HOUR_S)
        return self._solved("hours", requests)

    def _solved(self, name: str, requests: Sequence[Request]) -> list[Trajectory]:
        folder = FOLDER / ("surrogate_quick" if self.options.is_quick else "surrogate")
        generate(
            self.cell,
            requests,
            folder / name,
            n_threads=2,
            progress=lambda done, total, outcome: self._say(
                f"DFN {done}/{total} {outcome.name}"
            ),
        )
        return self._loaded(folder / name)

    def _loaded(self, folder: Path) -> list[Trajectory]:
        runs = [r for r in load(folder) if len(r.time_s) > _LEAST_SAMPLES]
        made = [trajectory(run, self.cell) for run in runs]
        return [run for run in made if run.is_valid.sum() >= _LEAST_SAMPLES]


def strong_charges(cell: Cell) -> list[Request]:
    """Return charges at 3C from 15 °C up."""
    plan = Evaluation(temperatures_K=_STRONG_K, c_rates=(_STRONG_C,))
    requests = {r.name: r for r in evaluation_requests(cell, {}, plan)}
    return [r for r in requests.values() if r.kind == "constant_charge"]


def hour_requests(cell: Cell, duration_s: int) -> list[Request]:
    """Return constant currents at every heat-transfer coefficient."""
    requests = []
    for h in HEAT_TRANSFERS_W_per_m2K:
        plan = Evaluation(
            temperatures_K=_HOUR_K,
            c_rates=(_HOUR_C,),
            heat_transfer_coefficient_W_per_m2_K=h,
            constant_duration_s=duration_s,
        )
        requests += [
            replace(request, name=f"{request.name}_{h:g}W_per_m2K")
            for request in evaluation_requests(cell, {}, plan)
            if f"_{_HOUR_C:g}C_" in request.name
        ]
    return requests


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, so that training times compare."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
