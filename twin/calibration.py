"""Makes bounds and guard true on runs that training never saw; see `trust`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.coverage import BOUNDED, follow_runs
from packtwin.twin.errors import CertificateError
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.trust import BOUND_LEVEL, FALSE_ALARM_SHARE

__all__ = ["calibrate"]

Array: TypeAlias = NDArray[np.float64]


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
    followed = follow_runs(spec, runs)
    factors = [
        _upper_quantile(
            np.concatenate([np.abs(r.error_V[key]) / r.bound_V[key] for r in followed]),
            BOUND_LEVEL,
        )
        for key in BOUNDED
    ]
    distance = np.concatenate([run.distance for run in followed])
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
