"""Figures of a certificate: how the errors of the held-out runs are distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from packtwin.scenarios.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    certified_bound,
    page_figure,
)
from packtwin.scenarios.held_out_errors import QUANTITIES, held_out_groups
from packtwin.scenarios.report_inputs import Certificate

__all__ = ["distribution_figure", "error_map_figure"]

_DASHED = (0, (4, 2))
# Key, words, colour, line.
_STATISTICS: tuple[tuple[str, str, str, Any], ...] = (
    ("rms", "rms", BLUE, "-"),
    ("p99", "99th percentile", VERMILION, _DASHED),
    ("maximum", "maximum", INK, (0, (1, 1))),
)
_MARKERS = (
    ("o", BLUE),
    ("s", VERMILION),
    ("^", GREEN),
    ("D", ORANGE),
    ("v", PURPLE),
    ("P", INK),
)


def distribution_figure(certificate: Certificate) -> Figure | None:
    """Draw the share of held-out runs whose rms, p99 or maximum is below an error."""
    runs = [
        *(certificate.get("runs") or ()),
        *(certificate.get("runs_calibration") or ()),
    ]
    if not runs:
        return None
    with page_figure(2.5) as figure:
        panels = figure.subplots(1, len(QUANTITIES), sharey=True)
        for axes, (quantity, factor, label, unit) in zip(
            panels, QUANTITIES, strict=True
        ):
            for key, name, color, dashes in _STATISTICS:
                values = [run[key][quantity] for run in runs if quantity in run[key]]
                x = factor * np.sort(np.array([0.0, *values], dtype=float))
                share = 100.0 * np.arange(len(x)) / max(len(x) - 1, 1)
                axes.step(
                    x, share, where="post", color=color, linestyle=dashes, label=name
                )
            limit = factor * certified_bound(certificate, quantity)
            if np.isfinite(limit):
                axes.axvspan(0.0, limit, color=SKY, alpha=0.25, linewidth=0.0, zorder=0)
                axes.set_title(f"bound {limit:.3g} {unit}", fontsize=8.5)
            axes.set_xlim(left=0.0)
            axes.set_ylim(0.0, 101.0)
            axes.set_xlabel(f"{label} [{unit}]")
        panels[0].set_ylabel("Runs with less [%]")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def error_map_figure(certificate: Certificate) -> Figure | None:
    """Draw the 99th percentile of the error by start temperature, kind and C-rate."""
    groups = held_out_groups(certificate)
    if not groups:
        return None
    kinds = sorted({group.kind for group in groups})
    temperatures_K = sorted({group.temperature_K for group in groups})
    with page_figure(2.6) as figure:
        figure.get_layout_engine().set(w_pad=0.09)  # type: ignore[union-attr, call-arg]
        panels = figure.subplots(1, len(QUANTITIES))
        for axes, (quantity, factor, label, unit) in zip(
            panels, QUANTITIES, strict=True
        ):
            for i, kind in enumerate(kinds):
                marker, color = _MARKERS[i % len(_MARKERS)]
                chosen = [
                    (
                        temperatures_K.index(group.temperature_K)
                        + 0.6 * ((i + 0.5) / len(kinds) - 0.5),
                        factor * group.statistics[quantity]["p99"],
                    )
                    for group in groups
                    if group.kind == kind and quantity in group.statistics
                ]
                x, y = np.array(chosen, dtype=float).reshape(-1, 2).T
                axes.plot(
                    x,
                    y,
                    marker=marker,
                    color=color,
                    linestyle="none",
                    markersize=4.5,
                    markerfacecolor="none",
                    label=kind.replace("_", " "),
                )
            limit = factor * certified_bound(certificate, quantity)
            if np.isfinite(limit):
                axes.axhline(limit, color=INK, linewidth=1.0, linestyle=_DASHED)
                axes.set_title(f"bound {limit:.3g} {unit}", fontsize=8.5)
            axes.set_ylim(bottom=0.0)
            axes.set_xlim(-0.5, len(temperatures_K) - 0.5)
            ticks = [f"{t - 273.15:.0f}".replace("-", "−") for t in temperatures_K]
            axes.set_xticks(range(len(ticks)), ticks)
            axes.grid(visible=False, axis="x")
            axes.set_xlabel("Start temperature [°C]")
            axes.set_ylabel(f"{label} [{unit}]")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(kinds))
    return figure
