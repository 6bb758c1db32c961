"""What a surrogate is certified for: errors against the truth, bounds and domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.certificate_target import (
    N_TARGET,
    OUTPUTS,
    SHORT_RUN_S,
    CertificateTargets,
    RunError,
    certified_domain,
    verdicts_of,
)
from packtwin.twin.errors import CertificateError
from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.trust import UNKNOWN_BOUND_V

__all__ = ["certify", "run_errors"]

Array: TypeAlias = NDArray[np.float64]

_PLATING = "plating_potential_V"
POOLED_LEVEL = 0.99


def run_errors(
    spec: SurrogateSpec,
    runs: Sequence[Trajectory],
    progress: Callable[[float, str], None] | None = None,
) -> tuple[list[RunError], dict[str, Array]]:
    """Roll the surrogate over runs and compare over all valid samples.

    Returns:
        Errors by run, and all predicted-less-true values by output; the plating
        potential's while charging only, where it matters.
    """
    roller = Roller(spec)
    errors: list[RunError] = []
    pooled: dict[str, list[Array]] = {key: [] for key in OUTPUTS}
    for i, run in enumerate(runs):
        predicted = roller.follow(run)
        valid = run.is_valid
        if valid.sum() < 2:
            continue
        rms, p99, most = {}, {}, {}
        for key in OUTPUTS:
            signed = predicted[key] - run.series[key]
            chosen = valid & (run.current_A < 0.0) if key == _PLATING else valid
            pooled[key].append(signed[chosen])
            gap = np.abs(signed[valid])
            rms[key] = float(np.sqrt(np.mean(gap**2)))
            p99[key] = float(np.quantile(gap, 0.99))
            most[key] = float(gap.max())
        errors.append(
            RunError(
                name=run.name,
                labels=run.labels,
                duration_s=float(run.time_s[valid][-1] - run.time_s[0]),
                start_temperature_K=float(run.series["temperature_K"][0]),
                rms=rms,
                p99=p99,
                maximum=most,
            )
        )
        if progress is not None:
            progress((i + 1) / len(runs), run.name)
    return errors, {k: np.concatenate(v) for k, v in pooled.items() if v}


def certify(
    spec: SurrogateSpec,
    held_out: Sequence[Trajectory],
    *,
    calibration: Sequence[Trajectory] = (),
    targets: CertificateTargets | None = None,
    strict: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> SurrogateSpec:
    """Measure the surrogate on runs that training never saw and attach a certificate.

    The certificate is a plain dictionary (it becomes `certificate.json`): `runs`,
    `summary`, `targets` with what was asked and measured, `bounds` and `domain`. A
    bound is the pooled 99 % quantile over held-out and calibration runs: of the
    absolute error, but for the plating potential of the error on the unsafe side
    (predicted above true) while charging.

    Args:
        spec: The trained cell.
        held_out: Drive cycles and constant currents the targets speak about.
        calibration: Designed runs kept out of training; they widen bounds and domain.
        targets: What must be met.
        strict: Raise `CertificateError` when a target is missed.
        progress: Called with the fraction done and a message.
    """
    wanted = targets or CertificateTargets()
    errors, pooled = run_errors(spec, held_out, progress)
    if not errors:
        msg = (
            f"The certificate of `{spec.name}` is refused: none of {len(held_out)} "
            "held-out runs has two valid samples; give runs inside the voltage window."
        )
        raise CertificateError(msg)
    others, pooled_others = run_errors(spec, calibration)
    both = {
        key: np.concatenate([pooled[key], *([pooled_others[key]] if others else [])])
        for key in OUTPUTS
    }
    verdicts = verdicts_of(errors, wanted)
    certificate = {
        "cell": spec.name,
        "held_out_runs": len(errors),
        "calibration_runs": len(others),
        "bound_level": POOLED_LEVEL,
        "bounds": {k: _bound(k, v) for k, v in both.items()},
        "bound_meaning": "99 % of all samples of held-out and calibration runs have a "
        "smaller error; of the plating potential: of all charging samples, on the "
        "unsafe side",
        "domain": certified_domain(spec, [*held_out, *calibration], errors, wanted),
        "summary": _summary(errors),
        "summary_calibration": _summary(others),
        "targets": verdicts,
        "runs": [asdict(e) for e in errors],
        "runs_calibration": [asdict(e) for e in others],
    }
    if strict and len(verdicts) < N_TARGET:
        msg = (
            f"The certificate of `{spec.name}` is refused: the held-out runs speak "
            f"about {len(verdicts)} of {N_TARGET} targets; give warm and cold runs and "
            f"fast charges of {SHORT_RUN_S:.0f} s or more."
        )
        raise CertificateError(msg)
    missed = [v for v in verdicts if not v["met"]]
    if strict and missed:
        listing = "; ".join(
            f"{v['what']}: got {v['value']:.4g} {v['unit']}, asked {v['target']:.4g}"
            for v in missed
        )
        msg = f"The certificate of `{spec.name}` is refused: {listing}."
        raise CertificateError(msg)
    return replace(spec, certificate=certificate)


def _bound(key: str, signed: Array) -> float:
    if not len(signed):
        return UNKNOWN_BOUND_V  # no sample speaks about it: nothing is claimed
    gap = signed if key == _PLATING else np.abs(signed)
    return max(0.0, float(np.quantile(gap, POOLED_LEVEL)))


def _summary(errors: Sequence[RunError]) -> dict[str, Any]:
    groups = {
        "long": [e for e in errors if not e.is_short],
        "short": [e for e in errors if e.is_short],
    }
    table: dict[str, Any] = {}
    for label, group in groups.items():
        table[label] = {"count": len(group)}
        for key in OUTPUTS:
            if not group:
                continue
            rms = np.array([e.rms[key] for e in group])
            table[label][key] = {
                "rms_mean": float(rms.mean()),
                "rms_worst": float(rms.max()),
                "worst_run": group[int(rms.argmax())].name,
                "p99_worst": max(e.p99[key] for e in group),
                "maximum": max(e.maximum[key] for e in group),
            }
    return table
