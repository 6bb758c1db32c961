"""`simulate`: run a system and record it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from packtwin.cosim.checkpoint import Checkpoint
from packtwin.cosim.drive import Care
from packtwin.cosim.identity import identity_of
from packtwin.cosim.keeper import keeper_of, resumed_state
from packtwin.cosim.masters import AbstractMaster, GaussSeidel
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.provenance import provenance_of
from packtwin.cosim.real_time import Pacer, RealTime
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.result import Result
from packtwin.cosim.result_table import Series
from packtwin.cosim.run import Run
from packtwin.cosim.sink import Sink
from packtwin.cosim.stopping import StopWhen, compile_stops
from packtwin.cosim.system import System
from packtwin.cosim.thinning import match_names
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds, ticks
from packtwin.twin.errors import WiringError

__all__ = ["StopWhen", "simulate"]

logger = logging.getLogger(__name__)

_DEFAULT_MASTER = GaussSeidel()


def simulate(  # noqa: PLR0913 (keywords of the one entry point)
    system: System,
    *,
    stop_s: float,
    step_s: float,
    start_s: float = 0.0,
    master: AbstractMaster = _DEFAULT_MASTER,
    record: Sequence[str] = ("*",),
    progress: Callable[[float], None] | None = None,
    stop_when: StopWhen | Sequence[StopWhen] = (),
    bonds: Sequence[PowerBond] = (),
    throw: bool = True,
    has_timing: bool = False,
    sink: Sink | None = None,
    checkpoint: Checkpoint | None = None,
    resume_from: Path | str | None = None,
    pace: float | RealTime | None = None,
) -> Result:
    """Run a system from `start_s` to `stop_s`.

    Every run initializes all components anew and closes them at its end, however it
    ends.

    Args:
        system: What to run.
        stop_s: End, reached exactly.
        step_s: Communication step; a last step that does not fit is shorter.
        start_s: Start.
        master: How components are stepped.
        record: Outputs to keep, by `component.variable` or pattern (`pack.*`).
        progress: Called with the fraction done, about a hundred times.
        stop_when: Ends the run after the step in which it is met: a condition such as
            `pack.soc >= 0.8`, a function of the signals by name, or several of them.
        bonds: Pairs of outputs whose product is a power. What each has carried and what
            the coupling has lost of it are recorded as `name.energy_J` and
            `name.residual_J`; a coupling that makes ever more energy ends the run.
        throw: Raise when a component fails, or return what was computed with the
            status `failed`.
        has_timing: Measure the seconds spent in each component.
        sink: Where rows go while the run goes on, such as a `ParquetSink`; the result
            then holds the last one only.
        checkpoint: When and where to save the whole run to a file.
        resume_from: A file that a run of the same system and settings was saved to;
            this one goes on from there, perhaps to a later end, and gives what that
            one would have given, to the last bit.
        pace: Simulated seconds per second, or a `RealTime`: wait for the clock, and
            say in the result's `stats.pacing` how well it was kept up with.

    Raises:
        StepError: A component refused a step or gave values that are not finite. Its
            `result` holds everything up to the last good step.
        ScenarioError: A checkpoint or recording cannot be written, read or gone on
            from, or a component cannot be saved.
        WiringError: A pattern or condition names no output, or a component cannot
            take these steps.
    """
    grid = TimeGrid.from_seconds(start_s, stop_s, step_s)
    _check_steps(system, grid)
    columns = match_names(system.output_names, record)
    duration_s = seconds(grid.stop - grid.start)
    stepper = master.prepare(
        system,
        duration_s=duration_s,
        first_ticks=grid.first_ticks,
        bonds=bonds,
        has_timing=has_timing,
    )
    recorder = Recorder(stepper, columns, grid, sink)
    series = _series(system, columns, bonds, has_events=stepper.has_events)
    identity: dict[str, Any] = {}
    if checkpoint is not None or resume_from is not None:
        identity = identity_of(system, master, grid, series, bonds)
    state = None
    if resume_from is not None:
        state = resumed_state(resume_from, identity, grid, has_sink=sink is not None)
    run = Run(
        stepper=stepper,
        grid=grid,
        recorder=recorder,
        series=series,
        stops=compile_stops(stop_when, system.output_names, stepper.values),
        care=Care(
            progress=progress,
            pacer=None if pace is None else Pacer(_real_time(pace), grid),
            keeper=keeper_of(checkpoint, identity, stepper, recorder, grid),
        ),
        provenance=lambda: provenance_of(system, master, stepper, step_s),
        has_timing=has_timing,
        state=state,
    )
    plan = ", ".join(f"{k} {v}" for k, v in stepper.provenance.items())
    logger.info("Running %s steps with %s: %s.", grid.count, master.name, plan)
    result, error = run.make()
    status, wall_s = result.status, result.stats.wall_s
    logger.info("Run %s at %g s after %.3f s.", status.kind, status.time_s, wall_s)
    if error is not None and throw:
        error.result = result
        raise error
    return result


def _real_time(pace: float | RealTime) -> RealTime:
    return pace if isinstance(pace, RealTime) else RealTime(factor=float(pace))


def _series(
    system: System,
    columns: list[int],
    bonds: Sequence[PowerBond],
    *,
    has_events: bool,
) -> Series:
    outputs = [v for c in system.components for v in c.interface.outputs]
    carried = "carried, as the side that gives the effort sees it"
    lost = "the difference between the two sides"
    sums = [
        (f"{bond.name}.{what}", "J", f"Energy of the power bond: {text}.")
        for bond in bonds
        for what, text in (("energy_J", carried), ("residual_J", lost))
    ]
    chosen = [
        (system.output_names[i], outputs[i].unit, outputs[i].description)
        for i in columns
    ]
    rows = chosen + sums
    return Series(
        names=tuple(name for name, _, _ in rows),
        units=tuple(unit for _, unit, _ in rows),
        descriptions=tuple(text for _, _, text in rows),
        has_events=has_events,
    )


def _check_steps(system: System, grid: TimeGrid) -> None:
    is_whole = grid.step * grid.count == grid.stop - grid.start
    for component in system.components:
        fixed_s = component.capabilities.fixed_step_s
        step = seconds(grid.step)
        if fixed_s is not None and grid.step % max(ticks(fixed_s), 1):
            msg = (
                f"`{component.name}` only takes steps of {fixed_s} s, but `step_s` is "
                f"{step:.9g} s; take a whole multiple."
            )
            raise WiringError(msg)
        if not is_whole and not component.capabilities.has_variable_step:
            msg = (
                f"`{component.name}` needs equal steps, but {step:.9g} s does not fit "
                f"{seconds(grid.stop - grid.start):.9g} s; choose a `step_s` that does."
            )
            raise WiringError(msg)
