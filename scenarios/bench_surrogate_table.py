"""The alternatives of `packtwin bench surrogate` as one table, a model per column."""

from __future__ import annotations

from typing import Any

from packtwin.scenarios.inspection import Listing

__all__ = ["alternatives_listing"]

_PREFIX = "alternative."
# What a row shows, and the end of the figure's name.
_ROWS: tuple[tuple[str, str], ...] = (
    ("V in, mean, mV", "in.voltage_V.mean"),
    ("V in, worst, mV", "in.voltage_V.worst"),
    ("V out, mean, mV", "out.voltage_V.mean"),
    ("V out, worst, mV", "out.voltage_V.worst"),
    ("plating in, mean, mV", "in.plating_potential_V.mean"),
    ("plating out, mean, mV", "out.plating_potential_V.mean"),
    ("plating out, worst, mV", "out.plating_potential_V.worst"),
    ("T out, mean, K", "out.temperature_K.mean"),
    ("T out, worst, K", "out.temperature_K.worst"),
    ("answered in, %", "in.answered"),
    ("answered out, %", "out.answered"),
    ("runs learned from", "runs"),
    ("training, s", "training"),
    ("step in Python, µs", "step_python"),
    ("step in C, µs", "step_c"),
)
_DATA = "data_"


def alternatives_listing(document: dict[str, Any]) -> Listing | None:
    """Return figures by models, or None where none was measured.

    Args:
        document: As `run_bench` returns it.
    """
    models: dict[str, dict[str, float]] = {}
    for row in document["rows"]:
        if str(row["id"]).startswith(_PREFIX):
            _, model, figure = str(row["id"]).split(".", 2)
            models.setdefault(model, {})[figure] = float(row["value"])
    if not models:
        return None
    counts = sorted(
        {
            int(figure.removeprefix(_DATA))
            for figures in models.values()
            for figure in figures
            if figure.startswith(_DATA)
        }
    )
    shown = [
        *_ROWS,
        *((f"V in from {n} runs, mV", f"{_DATA}{n}") for n in counts),
    ]
    return Listing(
        title="Alternatives: rms errors per run, in and out of distribution",
        columns=("figure", *models),
        rows=[
            (heading, *(_shown(figures.get(key)) for figures in models.values()))
            for heading, key in shown
        ],
    )


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100.0 else f"{value:.3g}"
