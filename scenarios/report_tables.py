"""The tables of a report as rows of text, from the summary and the certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from packtwin.scenarios.drawing import run_label
from packtwin.scenarios.quantity_text import quantity_text
from packtwin.scenarios.report_inputs import (
    Certificate,
    Recorded,
    Replayed,
    Stages,
    Summary,
)
from packtwin.scenarios.report_verdict import is_kept
from packtwin.scenarios.trust_figures import ledger_colors, ledger_of

__all__ = [
    "controller_rows",
    "key_figures",
    "ledgers",
    "peer_sentence",
    "provenance_rows",
    "replay_rows",
    "stage_rows",
    "summary_rows",
]

Row: TypeAlias = dict[str, Any]

# (label, figure of a run, what it is compared with, relation)
_KEY_FIGURES = (
    ("Charge time", "charge_time_s", "", ""),
    ("Energy into the pack", "charge_energy_J", "", ""),
    ("Peak cell temperature", "temperature_max_K", "temperature_limit_K", "≤"),
    ("Highest cell voltage", "cell_voltage_max_V", "cell_voltage_limit_V", "≤"),
    (
        "Lowest plating potential, pack on the surrogate",
        "plating_potential_min_V",
        "plating_margin_V",
        "MPC aims ≥",
    ),
    (
        "Lowest plating potential, mean cell on the DFN",
        "dfn_plating_potential_min_V",
        "plating_target_V",
        "≥",
    ),
    ("Time outside the certified domain", "out_of_domain_s", "", "0 s"),
)


def key_figures(
    runs: list[str], summary: Summary, certificate: Certificate
) -> list[Row]:
    """Return the ten lines of the headline: label, a cell per run, what is aimed at."""
    rows = []
    for label, name, limit, relation in _KEY_FIGURES:
        aim = f"{relation} {quantity_text(limit, summary.get(limit))}" if limit else ""
        rows.append(
            {
                "label": _charge_label(label, summary),
                "cells": [
                    {
                        "text": quantity_text(name, summary.get(f"{run}_{name}")),
                        "is_broken": is_kept(summary, run, name) is False,
                    }
                    for run in runs
                ],
                "aim": (aim or relation) if limit in summary or not limit else "",
            }
        )
    stated = certificate.get("bounds") or {}
    bounds = {"voltage_bound_V": "voltage_V", "plating_bound_V": "plating_potential_V"}
    rows.append(
        _joint(
            "Certified error bound: voltage, plating (unsafe side)",
            bounds,
            {name: stated.get(quantity) for name, quantity in bounds.items()},
            "±",
        )
    )
    rows.append(
        _joint("Energy ledger residual", ("ledger_residual_fraction",), summary)
    )
    times = ("mpc_solve_time_median_s", "mpc_solve_time_p99_s")
    rows.append(_joint("MPC solve time: median, 99th percentile", times, summary))
    return rows


def peer_sentence(summary: Summary) -> str:
    """Return at which rate the peer charged and how that rate was chosen."""
    if summary.get("cccv_c_rate") is None:
        return ""
    rate = quantity_text("c_rate", summary["cccv_c_rate"])
    if not summary.get("cccv_is_searched"):
        return f"CC-CV charges at {rate}, as the scenario asks."
    return (
        f"CC-CV charges at {rate}, the fastest rate found that keeps the same limits."
    )


def _charge_label(label: str, summary: Summary) -> str:
    begin, end = summary.get("charge_start_soc"), summary.get("charge_end_soc")
    if label != "Charge time" or begin is None or end is None:
        return label
    return f"{label} {100 * begin:.0f} → {100 * end:.0f} %"


def _joint(label: str, names: Iterable[str], summary: Summary, sign: str = "") -> Row:
    texts = [quantity_text(name, summary.get(name)) for name in names]
    shown = [sign + text if text[:1].isdigit() else text for text in texts]
    return {"label": label, "joint": ", ".join(dict.fromkeys(shown)), "aim": ""}


def _figure_rows(
    runs: list[str], summary: Summary, figures: Iterable[tuple[str, str]]
) -> list[Row]:
    return [
        {
            "label": label,
            "cells": [
                quantity_text(name, summary.get(f"{run}_{name}")) for run in runs
            ],
        }
        for label, name in figures
        if any(summary.get(f"{run}_{name}") is not None for run in runs)
    ]


def replay_rows(
    runs: list[str], replays: Mapping[str, Replayed | None], summary: Summary
) -> list[Row]:
    """Return what the DFN answers and the surrogate's errors over the charge."""
    figures = (
        ("Highest cell voltage on the DFN", "dfn_cell_voltage_max_V"),
        ("Lowest plating potential on the DFN", "dfn_plating_potential_min_V"),
        ("Highest cell temperature on the DFN", "dfn_temperature_max_K"),
        ("Voltage error, rms", "dfn_voltage_rms_V"),
        ("Voltage error, largest", "dfn_voltage_error_max_V"),
        ("Plating potential error, rms", "dfn_plating_potential_rms_V"),
        ("Plating potential error, largest", "dfn_plating_potential_error_max_V"),
        ("Temperature error, rms", "dfn_temperature_rms_K"),
        ("Temperature error, largest", "dfn_temperature_error_max_K"),
    )
    return _figure_rows(
        [run for run in runs if replays.get(run) is not None], summary, figures
    )


def controller_rows(runs: list[str], summary: Summary) -> list[Row]:
    """Return what the MPC needed and where it gave way."""
    figures = (
        ("Plans made", "plan_count"),
        ("Solve time, median", "solve_time_median_s"),
        ("Solve time, 99th percentile", "solve_time_p99_s"),
        ("Solve time, longest", "solve_time_max_s"),
        ("Plans that do not keep a limit", "infeasible_count"),
        ("Plans replaced by an earlier one", "fallback_count"),
        ("Largest slack, voltage or plating", "slack_max_V"),
        ("Largest slack, temperature", "slack_max_K"),
    )
    return _figure_rows([run for run in runs if run == "mpc"], summary, figures)


def ledgers(summary: Summary) -> list[Row]:
    """Return the terms of each subsystem of each run with its residual."""
    signs = {"in": "in", "out": "out", "stored": "stored"}
    return [
        {
            "run": run,
            "subsystems": [
                {
                    "name": name.replace("_", " "),
                    "terms": [
                        {
                            "way": signs[side],
                            "name": term.replace("_", " "),
                            "color": ledger_colors(sides).get((side, term), ""),
                            "text": quantity_text(f"{term}_J", value),
                        }
                        for side in signs
                        for term, value in sides.get(side, {}).items()
                    ],
                    "residual": quantity_text(
                        "residual_J", summary.get(f"ledger.{run}.{name}.residual_J")
                    ),
                    "share": quantity_text(
                        "residual_fraction",
                        summary.get(f"ledger.{run}.{name}.residual_fraction"),
                    ),
                }
                for name, sides in subsystems.items()
            ],
        }
        for run, subsystems in ledger_of(summary).items()
    ]


def stage_rows(stages: Stages) -> list[Row]:
    """Return what each stage did and how long it took."""
    return [
        {
            "name": str(stage.get("name", "")),
            "status": str(stage.get("status", "")),
            "time": quantity_text("wall_s", stage.get("seconds")),
            "fingerprint": str(stage.get("fingerprint", "")),
            "reason": str(stage.get("reason", "")),
        }
        for stage in stages
    ]


def provenance_rows(
    results: Mapping[str, Recorded], certificate: Certificate
) -> list[tuple[str, str]]:
    """Return versions, seeds and fingerprints of the runs and of the surrogate."""
    rows = []
    for name, run in results.items():
        for key, value in getattr(run, "provenance", {}).items():
            rows.append((f"run {run_label(name)}: {key}", str(value)))
    for key, value in (certificate.get("provenance") or {}).items():
        rows.append((f"surrogate: {key}", str(value)))
    return rows


def summary_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return every figure with its unit, in the summary's order."""
    return [(name, quantity_text(name, value)) for name, value in summary.items()]
