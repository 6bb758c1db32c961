"""`simulate`: run a system and record it."""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.compiled_run import Stop, loop_in_c, run_in_c
from packtwin.cosim.masters import AbstractMaster, GaussSeidel
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.result import Result, RunStats, RunStatus
from packtwin.cosim.stop_condition import StopCondition
from packtwin.cosim.system import System
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds, ticks
from packtwin.twin.errors import StepError, WiringError
from packtwin.twin.variable import nearest_names

__all__ = ["StopWhen", "simulate"]

logger = logging.getLogger(__name__)

Vector: TypeAlias = NDArray[np.float64]
Predicate: TypeAlias = Callable[[Mapping[str, float]], bool]
StopWhen: TypeAlias = "str | StopCondition | Predicate"


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

    Raises:
        StepError: A component refused a step or gave values that are not finite. Its
            `result` holds everything up to the last good step.
        WiringError: A pattern or condition names no output, or a component cannot
            take these steps.
    """
    grid = TimeGrid.from_seconds(start_s, stop_s, step_s)
    _check_steps(system, grid)
    columns = _match(system.output_names, record)
    duration_s = seconds(grid.stop - grid.start)
    stepper = master.prepare(
        system,
        duration_s=duration_s,
        first_ticks=grid.first_ticks,
        bonds=bonds,
        has_timing=has_timing,
    )
    stops = [_compile(item, system, stepper.values) for item in _listed(stop_when)]
    recorder = Recorder(stepper, columns, grid.count)
    plan = ", ".join(f"{k} {v}" for k, v in stepper.provenance.items())
    logger.info("Running %s steps with %s: %s.", grid.count, master.name, plan)
    began = time.perf_counter()
    error: StepError | None = None
    try:
        status = _run(stepper, grid, recorder, stops, progress)
    except StepError as caught:
        error = caught
        reached = seconds(grid.tick(max(recorder.count - 1, 0)))
        status = RunStatus(
            kind="failed",
            time_s=reached,
            reason=error.reason,
            component=error.component,
        )
    finally:
        wall_s = time.perf_counter() - began
        stepper.close()
    n_step = max(recorder.count - 1, 0)
    simulated_s = seconds(grid.tick(n_step) - grid.start)
    units = [v.unit for c in system.components for v in c.interface.outputs]
    result = Result(
        time_s=grid.times_s(recorder.count),
        names=(*(system.output_names[i] for i in columns), *_bond_names(bonds)),
        units=(*(units[i] for i in columns), *["J"] * (2 * len(bonds))),
        values=recorder.rows[: recorder.count],
        status=status,
        stats=RunStats(
            wall_s=wall_s,
            step_count=n_step,
            real_time_factor=simulated_s / wall_s if wall_s > 0.0 else math.inf,
            component_seconds=stepper.component_seconds if has_timing else {},
            counts=stepper.counts,
        ),
        provenance=_provenance(system, master, stepper, step_s),
    )
    logger.info("Run %s at %g s after %.3f s.", status.kind, status.time_s, wall_s)
    if error is not None and throw:
        error.result = result
        raise error
    return result


def _run(
    stepper: AbstractStepper,
    grid: TimeGrid,
    recorder: Recorder,
    stops: list[Stop],
    progress: Callable[[float], None] | None,
) -> RunStatus:
    tick = grid.start
    stepper.initialize(tick)
    recorder.add()
    loop = loop_in_c(stepper, recorder, stops)
    if loop is not None:
        return run_in_c(loop, grid, recorder, stops, progress)
    accounts = stepper.accounts
    advance, add, end_of = stepper.advance, recorder.add, grid.tick
    stride = max(1, grid.count // 100)
    for k in range(1, grid.count + 1):
        end_tick = end_of(k)
        advance(tick, end_tick)
        for account in accounts:
            account.check(end_tick)
        tick = end_tick
        add()
        if progress is not None and (k % stride == 0 or k == grid.count):
            progress(k / grid.count)
        for text, is_met, _ in stops:
            if is_met():
                return RunStatus(kind="stopped", time_s=seconds(tick), reason=text)
    return RunStatus(kind="completed", time_s=seconds(tick))


@final
class _Signals(Mapping[str, float]):
    """The outputs now, by name."""

    def __init__(self, names: tuple[str, ...], values: Vector) -> None:
        self._places = {name: i for i, name in enumerate(names)}
        self._values = values

    def __getitem__(self, name: str) -> float:
        place = self._places.get(name)
        if place is None:
            raise WiringError(_unknown(name, tuple(self._places)))
        return float(self._values[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _listed(stop_when: StopWhen | Sequence[StopWhen]) -> list[StopWhen]:
    if isinstance(stop_when, str | StopCondition) or callable(stop_when):
        return [stop_when]
    return list(stop_when)


def _compile(stop: StopWhen, system: System, values: Vector) -> Stop:
    names = system.output_names
    if isinstance(stop, str):
        stop = StopCondition.parse(stop)
    if isinstance(stop, StopCondition):
        if stop.signal not in names:
            raise WiringError(_unknown(stop.signal, names))
        condition, place = stop, names.index(stop.signal)
        return (
            str(condition),
            lambda: condition.is_met(float(values[place])),
            (place, condition),
        )
    predicate, signals = stop, _Signals(names, values)
    text = getattr(predicate, "__name__", type(predicate).__name__)
    return text, lambda: bool(predicate(signals)), None


def _match(names: tuple[str, ...], patterns: Sequence[str]) -> list[int]:
    chosen: set[int] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = [
            i
            for i, name in enumerate(names)
            if name == pattern or fnmatchcase(name, pattern)
        ]
        if not found and pattern != "*":
            raise WiringError(_unknown(pattern, names))
        chosen.update(found)
    return sorted(chosen)


def _bond_names(bonds: Sequence[PowerBond]) -> list[str]:
    return [f"{b.name}.{what}" for b in bonds for what in ("energy_J", "residual_J")]


def _unknown(name: str, names: tuple[str, ...]) -> str:
    return f"The system has no output `{name}`; nearest: {nearest_names(name, names)}."


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


@cache
def _versions() -> Mapping[str, str]:
    try:
        own = version("packtwin")
    except PackageNotFoundError:  # run from a checkout that was not installed
        own = "unknown"
    return {
        "packtwin": own,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def _provenance(
    system: System, master: AbstractMaster, stepper: AbstractStepper, step_s: float
) -> dict[str, str]:
    return {
        **_versions(),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "master": master.name,
        **stepper.provenance,
        "step_s": f"{step_s:.17g}",
        "constants": ", ".join(f"{k} = {v:.17g}" for k, v in system.constants.items()),
    }
