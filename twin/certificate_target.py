"""What a certificate asks of a surrogate's errors, and where it then holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = [
    "N_TARGET",
    "OUTPUTS",
    "SHORT_RUN_S",
    "CertificateTargets",
    "RunError",
    "certified_domain",
    "verdicts_of",
]

Array: TypeAlias = NDArray[np.float64]

OUTPUTS = ("voltage_V", "plating_potential_V", "temperature_K")
SHORT_RUN_S = 60.0
N_TARGET = 7
WARM_RATE, COLD_RATE = 2.0, 1.0


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


def verdicts_of(
    errors: Sequence[RunError], wanted: CertificateTargets
) -> list[dict[str, Any]]:
    """Return what was asked of the errors and what was measured, target by target."""
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


def certified_domain(
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
