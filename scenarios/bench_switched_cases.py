"""What `packtwin bench switched` measures on: loads, the truth, the switched cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.pybamm_models.cells import find_cell
from packtwin.pybamm_models.excitation import Design, design_requests
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.stepping import (
    TRUTH_ABSOLUTE_TOLERANCE,
    TRUTH_RELATIVE_TOLERANCE,
    cell_stepper,
)
from packtwin.scenarios.bench_surrogate_loop import CLoop
from packtwin.scenarios.bench_switched import AFTER_S, BOUNDS, SEEDS, Handover
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.loading import load_scenario
from packtwin.scenarios.switched_cell import switched_cell
from packtwin.scenarios.truth import evaluation_plan
from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.surrogate_spec import load_spec
from packtwin.twin.switched import Switched

__all__ = ["Load", "SwitchedBench"]

Array: TypeAlias = NDArray[np.float64]
Series: TypeAlias = dict[str, Array]

_CELL, _SCENARIO = "lg_m50_oregan2022", "ev_fast_charge_day"
_FASTEST_C, _N_FAST = 4.0, 80


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Inputs of the cell, constant over steps of one second.

    Attributes:
        name: Of the run.
        u: Shape `(n, 3)`: current, coolant, heat transfer.
        p: Parameters of the cell.
        is_fast: Designed to leave the domain.
    """

    name: str
    u: Array
    p: Array
    is_fast: bool


@final
class SwitchedBench:
    """The shipped cell with its physics behind it, and loads.

    Attributes:
        is_quick: Whether little is measured.
        cell: The true cell.
        spec: The shipped surrogate.
        n_refused: Steps and lifts refused so far although the truth goes on.
    """

    def __init__(self, *, is_quick: bool = False) -> None:
        """Read the shipped cell.

        Args:
            is_quick: Measure little.
        """
        self.is_quick = is_quick
        self.n_refused = 0
        self.cell = find_cell(_CELL)
        self.spec = load_spec(find_path("surrogate", _CELL))

    @cached_property
    def switched(self) -> Switched:
        """The cell that is measured."""
        return switched_cell(self.spec, self.cell)

    @cached_property
    def compiled(self) -> CompiledSwitched:
        """The same, stepped from Python."""
        return CompiledSwitched(self.switched)

    @cached_property
    def held_out(self) -> list[Load]:
        """Drive cycles and constant currents."""
        requests = evaluation_plan(load_scenario(_SCENARIO)).requests
        chosen = requests[:: 30 if self.is_quick else 1]
        return [_load(request, is_fast=False) for request in chosen]

    @cached_property
    def fast(self) -> list[Load]:
        """Designed runs of up to 4C."""
        n = 2 if self.is_quick else _N_FAST
        design = Design(n_runs=n, n_deep=0, seed=SEEDS["fast"])
        body = replace(self.cell, current_max_c_rate=_FASTEST_C)
        requests = design_requests(body, design)
        return [_load(request, is_fast=True) for request in requests]

    def truth(self, load: Load) -> Series:
        """Return the outputs at the ends of the steps before the first limit."""
        stepper = cell_stepper(self.cell)
        p = load.p[:2]
        memory, _ = stepper.start(
            load.u[0],
            p,
            tolerance=(TRUTH_RELATIVE_TOLERANCE, TRUTH_ABSOLUTE_TOLERANCE),
        )
        done = stepper.run(memory, np.arange(len(load.u) + 1.0), load.u, p)
        n = len(done.outputs) - (done.status is StepStatus.EVENT)
        names = stepper.interface.output_names
        return {k: done.outputs[:n, names.index(k)] for k in BOUNDS}

    def handovers(
        self, load: Load, truth: Series, forced: set[int]
    ) -> tuple[list[Handover], Series, Series]:
        """Return the hand-overs of a run, its outputs and those of the hybrid alone.

        Args:
            load: Inputs.
            truth: Right outputs; the run ends where they do.
            forced: Steps before which the physics is tried, unless it answers anyhow.
        """
        n = len(truth["voltage_V"])
        found: list[Handover] = []
        memory, first = self.compiled.start(load.u[0], load.p)
        rows = [first]
        for k in range(n):
            is_fast = memory[self.switched.at_side] == rows[-1][-1] == 0.0
            if k in forced and is_fast:
                other = self._forced(memory, k, load)
                found += self._handover([rows[-1], *other], truth, k, is_forced=True)
            memory, y, status = self.compiled.advance(
                memory, float(k), 1.0, load.u[k], load.p
            )
            if status is StepStatus.REFUSED:
                self.n_refused += 1
                break
            rows.append(y)
        own = self._series(rows)
        side = own["is_physics"]
        for edge in np.flatnonzero((side[1:] == 1.0) & (side[:-1] == 0.0)).tolist():
            window = rows[edge : edge + 1 + AFTER_S]
            found += self._handover(window, truth, edge, is_forced=False)
        return found, self._series(rows[1:]), self._alone(load, n)

    def times(self, load: Load) -> tuple[Array, ...]:
        """Return CPU seconds of fast, exact and switched cell by step, and flags.

        The flags say which steps the physics answered and which switched to it.
        """
        n = len(self.truth(load)["voltage_V"])
        u, taken = load.u[:n], []
        for loop, p in zip(self._loops, (load.p, load.p[:2], load.p), strict=True):
            memory, _ = loop.start(u[0], p)
            _, y, took_s = loop.trace(memory, u, p)
            taken.append(took_s)
        side = y[:, -1]
        n = min(len(part) for part in (*taken, side))
        switches = np.diff(side[:n], prepend=0.0) > 0.0
        return (*(part[:n] for part in taken), side[:n], switches.astype(float))

    @cached_property
    def _loops(self) -> tuple[CLoop[Any], ...]:
        physics = cell_stepper(self.cell).source
        return CLoop(self.switched.fast), CLoop(physics), CLoop(self.switched)

    def _forced(self, memory: Array, k: int, load: Load) -> list[Array]:
        """Return the rows of a minute that the physics answers from step `k` on."""
        switched = self.switched
        now = memory.copy()
        rows: list[Array] = []
        try:
            lifted = self.compiled.lift(memory, float(k), load.u[k], load.p)
        except StepError:
            self.n_refused += 1
            return rows
        now[switched.at_exact :] = lifted
        now[switched.at_side] = 1.0
        now[switched.at_side + 1] = 0.0
        for j in range(k, k + AFTER_S):
            now, y, status = self.compiled.advance(
                now, float(j), 1.0, load.u[j], load.p
            )
            if status is StepStatus.REFUSED:
                self.n_refused += 1
                break
            rows.append(y)
        return rows

    def _handover(
        self, window: list[Array], truth: Series, k: int, *, is_forced: bool
    ) -> list[Handover]:
        """Return a hand-over whose rows begin with the one just before it."""
        if len(window) < 2:
            return []
        series = self._series(window)
        n = len(window) - 1
        return [
            Handover(
                is_forced=is_forced,
                bound_V={name: float(series[b][0]) for name, b in BOUNDS.items()},
                error_V={
                    name: np.abs(series[name][1:] - truth[name][k : k + n])
                    for name in BOUNDS
                },
                stated_V={name: float(series[b][1]) for name, b in BOUNDS.items()},
            )
        ]

    def _alone(self, load: Load, n: int) -> Series:
        loop = self._loops[0]
        memory, _ = loop.start(load.u[0], load.p)
        _, y, _ = loop.trace(memory, load.u[:n], load.p)
        return dict(zip(loop.step_map.interface.output_names, y.T, strict=True))

    def _series(self, rows: list[Array]) -> Series:
        names = self.compiled.interface.output_names
        return dict(zip(names, np.array(rows).T, strict=True))


def _load(request: Request, *, is_fast: bool) -> Load:
    """Return the means of a request's linear inputs over seconds."""
    grid_s = np.arange(np.floor(request.time_s[-1]) + 1.0)
    knots = (request.current_A, request.coolant_temperature_K)
    ends = [np.interp(grid_s, request.time_s, values) for values in knots]
    means = [0.5 * (values[1:] + values[:-1]) for values in ends]
    h = np.full(len(means[0]), request.heat_transfer_coefficient_W_per_m2_K)
    return Load(
        name=request.name,
        u=np.column_stack([*means, h]),
        p=np.array([request.start_soc, request.start_temperature_K, 1.0, 0.0]),
        is_fast=is_fast,
    )
