"""Rests, pulses and reversals from random starts: no failure, no NaN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.peers import replay_segments
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_physics_cases import (
    Bench,
    Case,
    Progress,
    Stepper,
    part_of,
    starts_of,
)
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus

__all__ = ["Outcome", "drive", "random_segments", "random_starts", "rows"]

Vector: TypeAlias = npt.NDArray[np.float64]
Segments: TypeAlias = tuple[tuple[float, float], ...]

_C_RATE = 2.0
_LONGEST_S = 60
_SOC, _TEMPERATURE_K = (0.1, 0.9), (263.15, 318.15)
_KINDS = ("rest", "pulse", "reversal")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went.

    Attributes:
        events: Names of the limits that were reached, in order.
        nan_count: Outputs that are not finite.
        failure: Why the integrator gave up; empty if it did not.
    """

    events: tuple[str, ...] = ()
    nan_count: int = 0
    failure: str = ""


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Drive every case and count what went wrong."""
    found: list[BenchRow] = []
    cases = bench.size.robustness
    for index, case in enumerate(cases):
        found += _case_rows(case, bench, part_of(progress, index, len(cases)))
    return found


def random_segments(seed: int, n_second: int, capacity_Ah: float) -> Segments:
    """Return rests, pulses and reversals `(duration_s, current_A)`; a rest first."""
    rng = np.random.default_rng([seed, 1])
    found: list[tuple[float, float]] = []
    left_s, last_A = n_second, 0.0
    while left_s > 0:
        duration_s = min(left_s, int(rng.integers(1, _LONGEST_S + 1)))
        kind = _KINDS[int(rng.integers(len(_KINDS)))] if found else "rest"
        level_A = capacity_Ah * float(rng.uniform(-_C_RATE, _C_RATE))
        if kind == "rest":
            level_A = 0.0
        elif kind == "reversal" and last_A != 0.0:
            level_A = -float(np.sign(last_A)) * abs(level_A)
        found.append((float(duration_s), level_A))
        left_s, last_A = left_s - duration_s, level_A
    return tuple(found)


def random_starts(seed: int) -> Mapping[str, float]:
    """Return a start state of charge and temperature."""
    rng = np.random.default_rng([seed, 2])
    return starts_of(float(rng.uniform(*_SOC)), float(rng.uniform(*_TEMPERATURE_K)))


def drive(stepper: Stepper, segments: Segments, starts: Mapping[str, float]) -> Outcome:
    """Step second by second; a limit turns the rest of its segment into a rest."""
    p = stepper.parameters(**starts)
    rest = stepper.inputs(np.zeros(1), **starts)[0]
    try:
        memory, _ = stepper.map.start(rest, p)
    except StepError as error:
        return Outcome(failure=str(error))
    events: list[str] = []
    nan_count, begin_s = 0, 0.0
    for duration_s, current_A in segments:
        end_s, begin = begin_s + duration_s, begin_s
        for level_A in (current_A, 0.0):
            times_s = _grid(begin, end_s)
            u = stepper.inputs(np.full(len(times_s) - 1, level_A), **starts)
            stops = level_A != 0.0
            done = stepper.map.run(memory, times_s, u, p, stops=stops)
            nan_count += int(np.sum(~np.isfinite(done.outputs)))
            memory, begin = done.memory, done.end_time_s
            if done.status != StepStatus.EVENT:
                break
            events.append(done.event)
        if done.status == StepStatus.REFUSED:
            at = len(done.outputs)
            h = times_s[at + 1] - times_s[at]
            refusal = stepper.map.refusal(memory, times_s[at], h, u[at], p)
            return Outcome(
                events=tuple(events), nan_count=nan_count, failure=str(refusal)
            )
        begin_s = end_s
    return Outcome(events=tuple(events), nan_count=nan_count)


def _grid(begin_s: float, end_s: float) -> Vector:
    """Return whole seconds, begun where the last segment ended."""
    later_s = np.arange(np.floor(begin_s) + 1.0, end_s + 0.5)
    return np.concatenate([[begin_s], later_s])


def _case_rows(case: Case, bench: Bench, progress: Progress) -> Iterator[BenchRow]:
    size, stepper = bench.size, bench.stepper(case)
    outcomes, complaints = [], []
    for seed in range(size.n_seed):
        segments = random_segments(seed, size.n_robust_second, stepper.capacity_Ah)
        starts = random_starts(seed)
        outcomes.append(drive(stepper, segments, starts))
        if seed < size.n_pybamm_seed:
            progress(seed / size.n_pybamm_seed, f"{case.name}: seed {seed}")
            complaints.append(replay_segments(case.physics, segments, starts))
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    events = Counter(name for outcome in outcomes for name in outcome.events)
    reached = ", ".join(f"{name} {n} times" for name, n in sorted(events.items()))
    key = f"robust.{case.name}"
    what = (
        f"{case.name}, {case.mesh}: failed runs of {size.n_seed}, each "
        f"{size.n_robust_second} s of rests, pulses and reversals up to 2C"
    )
    what += f" (limits reached: {reached or 'none'})"
    if failures:
        what += f"; first: {failures[0]}"
    yield at_most(f"{key}.failures", what, float(len(failures)), "1", 0.0)
    yield at_most(
        f"{key}.nan",
        f"{case.name}: outputs that are not finite",
        float(sum(outcome.nan_count for outcome in outcomes)),
        "1",
        0.0,
    )
    failed = [text for text in complaints if text]
    what = f"{case.name}: peer Simulation.step, failed of {len(complaints)} runs"
    what += " up to the first limit" + (f"; first: {failed[0]}" if failed else "")
    yield BenchRow(id=f"peer.{key}", what=what, value=float(len(failed)), unit="1")
