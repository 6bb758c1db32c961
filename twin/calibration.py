"""Makes bounds and guard true on runs that training never saw; see `trust`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.coverage import BOUNDED, TrustedRun, follow_runs
from packtwin.twin.errors import CertificateError
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.trust import ALARM_SHARES, CALIBRATED_LEVEL

__all__ = ["calibrate", "calibrate_tolerance", "declare_tolerance"]

Array: TypeAlias = NDArray[np.float64]


def calibrate(spec: SurrogateSpec, runs: Sequence[Trajectory]) -> SurrogateSpec:
    """Scale bounds and guard by split conformal prediction.

    Every sample counts as much as every other: the bound then covers
    `CALIBRATED_LEVEL` of the samples of exchangeable runs, and each part of the guard
    alarms at its share of them.

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
    weights, followed = dict(spec.weights), follow_runs(spec, runs)
    factors = [
        _upper_quantile(
            np.concatenate([np.abs(r.error_V[key]) / r.bound_V[key] for r in followed]),
            CALIBRATED_LEVEL,
        )
        for key in BOUNDED
    ]
    weights["bound_factor"] = weights["bound_factor"] * np.array(factors)
    for part, share in ALARM_SHARES.items():
        if f"{part}_range" in weights:
            alone = (
                followed
                if _is_only(part, spec)
                else follow_runs(_with_only(part, spec), runs)
            )
            weights[f"{part}_range"] = _new_range(
                weights[f"{part}_range"], alone, share
            )
    return replace(spec, weights=weights)


def calibrate_tolerance(
    spec: SurrogateSpec, runs: Sequence[Trajectory], tolerance: float
) -> SurrogateSpec:
    """Learn how much wider the bounds are for cells with other parameters.

    The surrogate cannot know that a cell is not quite the one of its parameter set; who
    uses it may, and says so by `declare_tolerance`.

    Args:
        spec: With calibrated bounds.
        runs: Of cells whose parameters differ by up to `tolerance`, each its own.
        tolerance: Relative, such as 0.05.

    Raises:
        CertificateError: There is no run.
    """
    if not runs:
        msg = (
            f"The tolerance of `{spec.name}` cannot be calibrated: no run of a cell "
            "with other parameters was solved; look at the manifest's reasons or set "
            "`trust.n_spread_run` to 0."
        )
        raise CertificateError(msg)
    followed = follow_runs(spec, runs)
    wider = [
        _upper_quantile(
            np.concatenate([np.abs(r.error_V[key]) / r.bound_V[key] for r in followed]),
            CALIBRATED_LEVEL,
        )
        for key in BOUNDED
    ]
    gain = np.maximum(0.0, np.array(wider) - 1.0) / tolerance
    return replace(spec, weights={**spec.weights, "bound_tolerance": gain})


def declare_tolerance(spec: SurrogateSpec, parameter_tolerance: float) -> SurrogateSpec:
    """Return the spec with bounds for cells whose parameters differ by a tolerance.

    Args:
        spec: A calibrated cell.
        parameter_tolerance: Relative, 0 for the cell of the parameter set itself.

    Raises:
        CertificateError: The bounds were not calibrated for that.
    """
    if parameter_tolerance == 0.0:
        return spec
    if "bound_tolerance" not in spec.weights or not parameter_tolerance > 0.0:
        msg = (
            f"Surrogate `{spec.name}` has no bounds for a parameter tolerance of "
            f"{parameter_tolerance}, expected 0 or, where `bound_tolerance` is "
            "calibrated, a positive number; certify it with `trust.n_spread_run` > 0."
        )
        raise CertificateError(msg)
    wider = 1.0 + spec.weights["bound_tolerance"] * parameter_tolerance
    weights = {**spec.weights, "bound_factor": spec.weights["bound_factor"] * wider}
    return replace(spec, weights=weights)


def _is_only(part: str, spec: SurrogateSpec) -> bool:
    return all(k == part or f"{k}_range" not in spec.weights for k in ALARM_SHARES)


def _with_only(part: str, spec: SurrogateSpec) -> SurrogateSpec:
    """Return the spec without the guard's other parts."""
    others = tuple(f"{k}_" for k in ALARM_SHARES if k != part)
    kept = {k: v for k, v in spec.weights.items() if not k.startswith(others)}
    return replace(spec, weights=kept)


def _new_range(ends: Array, followed: Sequence[TrustedRun], share: float) -> Array:
    distance = np.concatenate([run.distance for run in followed])
    new = np.array([float(np.median(distance)), _upper_quantile(distance, 1.0 - share)])
    low, high = ends
    moved: Array = low + (high - low) * new
    return moved


def _upper_quantile(values: Array, level: float) -> float:
    """Return the quantile of split conformal prediction, the next value above."""
    return float(np.quantile(values, level, method="higher"))
