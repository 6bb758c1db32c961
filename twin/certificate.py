"""What a surrogate is certified for: errors against the truth, bounds and domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import CertificateError
from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = ["OUTPUTS", "CertificateTargets", "RunError", "certify", "run_errors"]

Array: TypeAlias = NDArray[np.float64]

OUTPUTS = ("voltage_V", "plating_potential_V", "temperature_K")
_PLATING = "plating_potential_V"
SHORT_RUN_S = 60.0
N_TARGET = 7
WARM_RATE, COLD_RATE = 2.0, 1.0
BOUND_LEVEL = 0.99
UNKNOWN_BOUND = 1e3  # of an output that no sample speaks about: nothing is claimed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateTargets:
    """What a certificate must show; rms per run, before the first limit.

    Attributes:
        voltage_rms_V: Mean over warm runs up to `WARM_RATE`.
        voltage_rms_worst_V: Worst of them.
        voltage_rms_cold_V: Mean over cold runs up to `COLD_RATE`.
        voltage_rms_fast_V: Mean over faster charges, none of them cold.
        plating_rms_V: Mean over all charges at constant current (all runs if none is).
        plating_rms_worst_V: Worst of them.
        temperature_rms_K: Mean over all runs.
        cold_below_K: A run that starts at or below it is cold.
    """

    voltage_rms_V: float = 0.002
    voltage_rms_worst_V: float = 0.006
    voltage_rms_cold_V: float = 0.006
    voltage_rms_fast_V: float = 0.006
    plating_rms_V: float = 0.003
    plating_rms_worst_V: float = 0.008
    temperature_rms_K: float = 0.1
    cold_below_K: float = 273.15


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """The errors of one run, by output."""

    name: str
    labels: dict[str, Any]
    duration_s: float
    start_temperature_K: float
    rms: dict[str, float] = field(default_factory=dict)
    p99: dict[str, float] = field(default_factory=dict)
    maximum: dict[str, float] = field(default_factory=dict)

    @property
    def c_rate(self) -> float:
        """C-rate of a constant current; 0 where it varies."""
        return float(self.labels.get("c_rate") or 0.0)

    @property
    def is_charge(self) -> bool:
        """Whether it is a charge at constant current."""
        return self.labels.get("kind") == "constant_charge"

    @property
    def is_short(self) -> bool:
        """Runs under a minute are tabulated apart."""
        return self.duration_s < SHORT_RUN_S


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
    verdicts = _verdicts(errors, wanted)
    certificate = {
        "cell": spec.name,
        "held_out_runs": len(errors),
        "calibration_runs": len(others),
        "bound_level": BOUND_LEVEL,
        "bounds": {k: _bound(k, v) for k, v in both.items()},
        "bound_meaning": "99 % of all samples of held-out and calibration runs have a "
        "smaller error; of the plating potential: of all charging samples, on the "
        "unsafe side",
        "domain": _domain(spec, [*held_out, *calibration], errors, wanted),
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
        return UNKNOWN_BOUND
    gap = signed if key == _PLATING else np.abs(signed)
    return max(0.0, float(np.quantile(gap, BOUND_LEVEL)))


def _verdicts(
    errors: Sequence[RunError], wanted: CertificateTargets
) -> list[dict[str, Any]]:
    long = [e for e in errors if not e.is_short]
    warm = [e for e in long if e.start_temperature_K > wanted.cold_below_K]
    cold = [e for e in long if e.start_temperature_K <= wanted.cold_below_K]
    fast = [e for e in warm if e.c_rate > WARM_RATE and e.is_charge]
    warm = [e for e in warm if e.c_rate <= WARM_RATE]
    cold = [e for e in cold if e.c_rate <= COLD_RATE]
    charges = [e for e in long if e.is_charge] or long

    def entry(
        what: str, group: list[RunError], key: str, target: float, how: str
    ) -> dict[str, Any] | None:
        if not group:
            return None
        values = np.array([e.rms[key] for e in group])
        value = float(values.max() if how == "worst" else values.mean())
        return {
            "id": f"{key}_{how}_{what.partition(',')[0]}",
            "what": f"{how} rms of {key}, {what} ({len(group)} runs)",
            "value": value,
            "unit": "K" if key.endswith("_K") else "V",
            "target": target,
            "met": value <= target,
        }

    v, pl, temperature = OUTPUTS
    warm_words = f"warm, start above 0 °C, up to {WARM_RATE:g}C"
    entries = [
        entry(warm_words, warm, v, wanted.voltage_rms_V, "mean"),
        entry(warm_words, warm, v, wanted.voltage_rms_worst_V, "worst"),
        entry(
            f"cold, start at or below 0 °C, up to {COLD_RATE:g}C",
            cold,
            v,
            wanted.voltage_rms_cold_V,
            "mean",
        ),
        entry(
            f"fast, charges above {WARM_RATE:g}C",
            fast,
            v,
            wanted.voltage_rms_fast_V,
            "mean",
        ),
        entry("charges, all", charges, pl, wanted.plating_rms_V, "mean"),
        entry("charges, all", charges, pl, wanted.plating_rms_worst_V, "worst"),
        entry("all", long, temperature, wanted.temperature_rms_K, "mean"),
    ]
    return [e for e in entries if e is not None]


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


def _domain(
    spec: SurrogateSpec,
    runs: Sequence[Trajectory],
    errors: Sequence[RunError],
    wanted: CertificateTargets,
) -> dict[str, float]:
    """The range of each quantity in the compared samples, less 0.1 % at each side.

    Each range stands alone: no run need have come near a corner of them all. Cold
    cells have a smaller limit of the rate: the largest one up to which every cold run
    at constant current met the voltage target.
    """

    def pool(values: list[Array]) -> Array:
        return np.concatenate(
            [v[r.is_valid] for v, r in zip(values, runs, strict=True)]
        )

    temperature = pool([r.series["temperature_K"] for r in runs])
    soc = pool([r.series["soc"] for r in runs])
    rate = pool([r.current_A for r in runs]) / spec.constants.nominal_capacity_Ah
    low, high = 0.001, 0.999
    cold = [
        (float(e.labels["c_rate"]), e.rms["voltage_V"] <= wanted.voltage_rms_cold_V)
        for e in errors
        if e.labels.get("c_rate") and e.start_temperature_K <= wanted.cold_below_K
    ]
    missed = [r for r, is_met in cold if not is_met]
    met = [r for r, is_met in cold if is_met and r < min(missed, default=np.inf)]
    return {
        "cold_below_K": wanted.cold_below_K,
        "cold_rate_maximum": max(met, default=0.0),
        "temperature_minimum_K": float(np.quantile(temperature, low)),
        "temperature_maximum_K": float(np.quantile(temperature, high)),
        "discharge_rate_maximum": max(0.0, float(np.quantile(rate, high))),
        "charge_rate_maximum": max(0.0, float(-np.quantile(rate, low))),
        "soc_minimum": float(np.quantile(soc, low)),
        "soc_maximum": float(np.quantile(soc, high)),
    }
