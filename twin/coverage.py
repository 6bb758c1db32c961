"""Whether bounds and guard keep their promises, on runs that neither has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.trust import EXCEEDANCE

__all__ = [
    "BOUNDED",
    "Coverage",
    "GuardRecord",
    "TrustedRun",
    "coverage_by_bin",
    "coverage_of",
    "follow_runs",
    "judge_guard",
]

Array: TypeAlias = NDArray[np.float64]

BOUNDED = {
    "voltage_V": "voltage_bound_V",
    "plating_potential_V": "plating_bound_V",
}
_RESAMPLES = 400
_MANY = 100  # runs, from which on compiling the cell pays


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRun:
    """Errors and claims of the valid samples of one run, each of shape `(n,)`.

    Attributes:
        name: Of the run.
        error_V: Predicted less true, by output.
        bound_V: Claimed, by output.
        distance: Of the guard, 1 at its threshold.
        temperature_K: True cell temperature.
        c_rate: Current as a C-rate, discharge > 0.
        soc: True state of charge.
    """

    name: str
    error_V: dict[str, Array]
    bound_V: dict[str, Array]
    distance: Array
    temperature_K: Array
    c_rate: Array
    soc: Array


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often errors stay inside their bound.

    Attributes:
        share: Of all samples.
        low: 2.5 % quantile of the share over resampled trajectories.
        high: 97.5 % quantile.
        width_over_rms: Mean width of the bound, both sides, over the rms error.
        n_run: Trajectories.
        n_sample: Samples.
    """

    share: float
    low: float
    high: float
    width_over_rms: float
    n_run: int
    n_sample: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRecord:
    """What the guard saw of the errors beyond `EXCEEDANCE` bounds.

    Attributes:
        n_exceedance: Samples with such an error.
        n_run: Trajectories with such a sample.
        flagged_share: Of these samples, flagged at the step or before in their run.
        alarm_share: Of all samples, flagged at the step.
    """

    n_exceedance: int
    n_run: int
    flagged_share: float
    alarm_share: float


def follow_runs(
    spec: SurrogateSpec,
    runs: Sequence[Trajectory],
    progress: Callable[[float, str], None] | None = None,
    current_noise_A: float = 0.0,
) -> list[TrustedRun]:
    """Roll a calibrated surrogate over runs and keep errors and claims.

    Args:
        spec: The surrogate.
        runs: What is true.
        progress: Called with the fraction done and the run's name.
        current_noise_A: Standard deviation of noise on the current it is given.
    """
    roller = Roller(spec, is_compiled=len(runs) >= _MANY)
    rng, found = np.random.default_rng(0), []
    for i, run in enumerate(runs):
        given = run.current_A
        if current_noise_A:
            given = given + rng.normal(0.0, current_noise_A, len(given))
        out, valid = roller.follow(run, current_A=given), run.is_valid
        found.append(
            TrustedRun(
                name=run.name,
                error_V={k: (out[k] - run.series[k])[valid] for k in BOUNDED},
                bound_V={k: out[b][valid] for k, b in BOUNDED.items()},
                distance=out["domain_distance"][valid],
                temperature_K=run.series["temperature_K"][valid],
                c_rate=run.current_A[valid] / spec.constants.nominal_capacity_Ah,
                soc=run.series["soc"][valid],
            )
        )
        if progress is not None:
            progress((i + 1) / len(runs), run.name)
    return found


def coverage_of(
    runs: Sequence[TrustedRun], output: str, *, in_domain: bool = False
) -> Coverage:
    """Return the coverage of one output's bound, bootstrapped over trajectories.

    Args:
        runs: Followed runs.
        output: A key of `BOUNDED`.
        in_domain: Count only the samples that the guard lets pass.
    """
    inside, count, square, width = [], [], 0.0, 0.0
    for run in runs:
        kept = run.distance <= 1.0 if in_domain else np.ones(len(run.distance), bool)
        error, bound = run.error_V[output][kept], run.bound_V[output][kept]
        inside.append(int(np.sum(np.abs(error) <= bound)))
        count.append(len(error))
        square += float(np.sum(error**2))
        width += float(np.sum(2.0 * bound))
    hits, sizes = np.array(inside), np.array(count)
    n = int(sizes.sum())
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(runs), (_RESAMPLES, len(runs)))
    shares = hits[picks].sum(axis=1) / np.maximum(1, sizes[picks].sum(axis=1))
    low, high = np.quantile(shares, [0.025, 0.975])
    return Coverage(
        share=float(hits.sum() / max(1, n)),
        low=float(low),
        high=float(high),
        width_over_rms=(width / n) / np.sqrt(square / n) if n and square else np.nan,
        n_run=len(runs),
        n_sample=n,
    )


def coverage_by_bin(
    runs: Sequence[TrustedRun], output: str, by: str, edges: Sequence[float]
) -> list[tuple[float, float, float, int]]:
    """Return `(lower edge, upper edge, share, samples)` of every bin that has samples.

    Args:
        runs: Followed runs.
        output: A key of `BOUNDED`.
        by: `temperature_K`, `c_rate` or `soc`.
        edges: Rising edges of the bins.
    """
    values = np.concatenate([getattr(run, by) for run in runs])
    inside = np.concatenate(
        [np.abs(run.error_V[output]) <= run.bound_V[output] for run in runs]
    )
    table = []
    for low, high in pairwise(edges):
        chosen = inside[(values >= low) & (values < high)]
        if len(chosen):
            table.append((low, high, float(chosen.mean()), len(chosen)))
    return table


def judge_guard(runs: Sequence[TrustedRun]) -> GuardRecord:
    """Return what the guard saw of the errors that matter, of all outputs."""
    n_exceedance = n_run = n_flagged = n_alarm = n_sample = 0
    for run in runs:
        beyond = np.zeros(len(run.distance), dtype=bool)
        for key in BOUNDED:
            beyond |= np.abs(run.error_V[key]) > EXCEEDANCE * run.bound_V[key]
        alarm = run.distance > 1.0
        n_exceedance += int(beyond.sum())
        n_run += bool(beyond.any())
        n_flagged += int((beyond & np.logical_or.accumulate(alarm)).sum())
        n_alarm += int(alarm.sum())
        n_sample += len(alarm)
    return GuardRecord(
        n_exceedance=n_exceedance,
        n_run=n_run,
        flagged_share=n_flagged / n_exceedance if n_exceedance else 1.0,
        alarm_share=n_alarm / max(1, n_sample),
    )
