"""Makes bounds and guard true on runs that training never saw; see `trust`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import CertificateError
from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.trust import BOUND_LEVEL, FALSE_ALARM_SHARE

__all__ = ["calibrate"]

Array: TypeAlias = NDArray[np.float64]

_OUTPUTS = (
    ("voltage_V", "voltage_bound_V"),
    ("plating_potential_V", "plating_bound_V"),
)


def calibrate(spec: SurrogateSpec, runs: Sequence[Trajectory]) -> SurrogateSpec:
    """Scale bounds and guard by split conformal prediction.

    Every sample counts as much as every other: the bound then covers `BOUND_LEVEL` of
    the samples of exchangeable runs, the guard alarms at `FALSE_ALARM_SHARE` of them.

    Args:
        spec: The trained cell with `bound_` and `guard_` weights.
        runs: Calibration runs, of the kind that the bounds shall hold for.

    Raises:
        CertificateError: There is no bound or no run to calibrate with.
    """
    if "bound_factor" not in spec.weights or not runs:
        msg = (
            f"Surrogate `{spec.name}` cannot be calibrated: it has "
            f"{'a' if 'bound_factor' in spec.weights else 'no'} bound and {len(runs)} "
            "calibration runs were given; train it with this packtwin and keep runs "
            "aside."
        )
        raise CertificateError(msg)
    roller = Roller(spec)
    scores: list[list[Array]] = [[], []]
    distances: list[Array] = []
    for run in runs:
        out, valid = roller.follow(run), run.is_valid
        for k, (key, bound) in enumerate(_OUTPUTS):
            gap = np.abs(out[key] - run.series[key])[valid]
            scores[k].append(gap / out[bound][valid])
        distances.append(out["domain_distance"][valid])
    factors = [_upper_quantile(np.concatenate(score), BOUND_LEVEL) for score in scores]
    distance = np.concatenate(distances)
    low, high = spec.weights["guard_range"]
    ends = (
        float(np.median(distance)),
        _upper_quantile(distance, 1.0 - FALSE_ALARM_SHARE),
    )
    return replace(
        spec,
        weights={
            **spec.weights,
            "bound_factor": spec.weights["bound_factor"] * np.array(factors),
            "guard_range": low + (high - low) * np.array(ends),
        },
    )


def _upper_quantile(values: Array, level: float) -> float:
    """Return the quantile of split conformal prediction, the next value above."""
    return float(np.quantile(values, level, method="higher"))
