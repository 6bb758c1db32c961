"""The tables of a report's certificate page as rows of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from packtwin.scenarios.held_out_errors import (
    QUANTITIES,
    HeldOutGroup,
    held_out_groups,
    pooled_statistics,
)
from packtwin.scenarios.quantity_text import quantity_text
from packtwin.scenarios.report_inputs import Certificate, Summary

__all__ = ["certificate_tables", "target_words"]

Row: TypeAlias = dict[str, Any]

_WORDS = {
    "voltage_V": "cell voltage",
    "plating_potential_V": "plating potential",
    "temperature_K": "cell temperature",
}
_DIGITS = {"voltage_V": 1, "plating_potential_V": 1, "temperature_K": 2}


def certificate_tables(certificate: Certificate, summary: Summary) -> Row:
    """Return domain, bounds, errors and targets; empty without a certificate."""
    if not certificate:
        return {}
    targets = list(certificate.get("targets") or ())
    step_s = certificate.get("time_per_step_s") or summary.get("pack_step_time_s")
    return {
        "domain": _domain_rows(certificate.get("domain") or {}),
        "bounds": [
            (_WORDS.get(name, name), "±" + quantity_text(f"error_{name}", value))
            for name, value in (certificate.get("bounds") or {}).items()
        ],
        "meaning": str(certificate.get("bound_meaning", "")),
        "errors": _error_rows(certificate),
        "quantities": [f"{words} [{unit}]" for _, _, words, unit in QUANTITIES],
        "targets": [_target_row(target) for target in targets],
        "missed": [target_words(target) for target in targets if not target["met"]],
        "time_per_step": quantity_text("time_per_step_s", step_s),
        "limitations": [str(text) for text in certificate.get("limitations") or ()],
    }


def target_words(target: Mapping[str, Any]) -> str:
    """Return what a target is about, with words for the names of outputs."""
    text = str(target["what"])
    for name, words in _WORDS.items():
        text = text.replace(name, words)
    return text


def _domain_rows(domain: Mapping[str, Any]) -> list[Row]:
    cold_K = domain.get("cold_below_K")
    cold = "" if cold_K is None else quantity_text("temperature_K", float(cold_K))
    sides = (
        ("Cell temperature", "temperature_minimum_K", "temperature_maximum_K", 1.0),
        ("State of charge", "soc_minimum", "soc_maximum", 1.0),
        ("C-rate (charge < 0)", "charge_rate_maximum", "discharge_rate_maximum", -1.0),
        (f"… of cells below {cold}", "cold_rate_maximum", "cold_rate_maximum", -1.0),
    )
    return [
        {
            "label": label,
            "low": _side_text(low, sign * float(domain[low])),
            "high": _side_text(high, float(domain[high])),
        }
        for label, low, high, sign in sides
        if low in domain and high in domain
    ]


def _side_text(name: str, value: float) -> str:
    return quantity_text("soc" if name.startswith("soc") else name, value)


def _error_rows(certificate: Certificate) -> list[Row]:
    rows = [_error_row(group) for group in held_out_groups(certificate)]
    runs = list(certificate.get("runs_calibration") or ())
    if runs:
        rows.append(
            {
                "kind": "kept out of training",
                "temperature": "varies",
                "rate": "varies",
                "count": str(len(runs)),
                "cells": _cells(pooled_statistics(runs)),
            }
        )
    return rows


def _error_row(group: HeldOutGroup) -> Row:
    celsius = f"{group.temperature_K - 273.15:.0f}".replace("-", "−")
    is_varying = group.c_rate is None
    return {
        "kind": group.kind.replace("_", " "),
        "temperature": f"{celsius}\u00a0°C",
        "rate": "varies" if is_varying else quantity_text("c_rate", group.c_rate),
        "count": str(group.count),
        "cells": _cells(group.statistics),
    }


def _cells(statistics: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [
            f"{factor * statistics[name][key]:.{_DIGITS[name]}f}"
            if name in statistics
            else ""
            for key in ("rms", "p99", "maximum")
        ]
        for name, factor, *_ in QUANTITIES
    ]


def _target_row(target: Mapping[str, Any]) -> Row:
    unit = str(target.get("unit") or "1")

    def text(value: Any) -> str:
        if unit in ("V", "K"):
            return quantity_text(f"error_{unit}", value)
        number = quantity_text("value", value)
        return number if unit == "1" else f"{number}\u00a0{unit}"

    return {
        "what": target_words(target),
        "value": text(target.get("value")),
        "target": text(target.get("target")),
        "met": bool(target["met"]),
    }
