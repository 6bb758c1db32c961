"""The errors of a certificate's runs, pooled by kind, start temperature and C-rate."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from packtwin.scenarios.report_inputs import Certificate

__all__ = ["QUANTITIES", "HeldOutGroup", "held_out_groups", "pooled_statistics"]

Runs: TypeAlias = list[Mapping[str, Any]]

# Quantity, factor to the unit it is shown in, words, that unit.
QUANTITIES = (
    ("voltage_V", 1e3, "Voltage error", "mV"),
    ("plating_potential_V", 1e3, "Plating potential error", "mV"),
    ("temperature_K", 1.0, "Temperature error", "K"),
)
_RATE = re.compile(r"_(\d+(?:\.\d+)?)C(?:_|\Z)")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutGroup:
    """Runs of one kind at one start temperature and C-rate.

    Attributes:
        kind: `cycle`, `constant_charge` and so on.
        temperature_K: At the start, rounded to 1 K from 0.15.
        c_rate: Of a constant current, else None.
        count: Number of runs.
        statistics: By quantity: rms over all samples, largest p99 of a run, maximum.
    """

    kind: str
    temperature_K: float
    c_rate: float | None
    count: int
    statistics: dict[str, dict[str, float]]


def held_out_groups(certificate: Certificate) -> list[HeldOutGroup]:
    """Return the held-out runs by kind, start temperature and C-rate, in this order."""
    groups: dict[tuple[str, float, float], Runs] = {}
    for run in certificate.get("runs") or ():
        labels = run.get("labels") or {}
        rate = labels.get("c_rate")
        if rate is None:
            match = _RATE.search(str(run.get("name", "")))
            rate = float(match.group(1)) if match else math.nan
        kind = str(labels.get("kind") or str(run.get("name", "run")).partition("_")[0])
        temperature_K = round(float(run["start_temperature_K"]) - 273.15) + 273.15
        # nan is not equal to itself: -1 stands for a rate that varies.
        key = (kind, temperature_K, -1.0 if math.isnan(rate) else float(rate))
        groups.setdefault(key, []).append(run)
    return [
        HeldOutGroup(
            kind=kind,
            temperature_K=temperature_K,
            c_rate=None if rate < 0.0 else rate,
            count=len(groups[kind, temperature_K, rate]),
            statistics=pooled_statistics(groups[kind, temperature_K, rate]),
        )
        for kind, temperature_K, rate in sorted(groups)
    ]


def pooled_statistics(runs: Runs) -> dict[str, dict[str, float]]:
    """Return rms, p99 and maximum of several runs by quantity.

    The rms weighs each run by its duration; a percentile cannot be pooled, so the
    largest of the runs is taken.
    """
    found = {}
    for quantity, *_ in QUANTITIES:
        known = [run for run in runs if quantity in run["rms"]]
        if known:
            weights = [float(run["duration_s"]) for run in known]
            squares = [float(run["rms"][quantity]) ** 2 for run in known]
            found[quantity] = {
                "rms": float(np.sqrt(np.average(squares, weights=weights))),
                "p99": max(float(run["p99"][quantity]) for run in known),
                "maximum": max(float(run["maximum"][quantity]) for run in known),
            }
    return found
