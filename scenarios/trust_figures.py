"""Figures of what a run can be trusted for: energy ledger and solve times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from packtwin.scenarios.drawing import BLUE, INK, SKY, page_figure, plot_thinned
from packtwin.scenarios.quantity_text import quantity_text
from packtwin.scenarios.recording import charge_window, find_series
from packtwin.scenarios.report_inputs import Recorded, Summary, Vector

__all__ = ["Ledger", "ledger_colors", "ledger_figure", "ledger_of", "solve_figure"]

# ("in", "out", "stored") -> term -> J of a subsystem; run -> subsystem -> that.
Sides: TypeAlias = Mapping[str, Mapping[str, float]]
Ledger: TypeAlias = dict[str, dict[str, dict[str, dict[str, float]]]]

_TERM = re.compile(r"ledger\.([^.]+)\.([^.]+)\.(in|out|stored)\.([^.]+)_J\Z")
_FILLS = (
    "#9fd0ee",
    "#f6c16b",
    "#8ed6bf",
    "#f1b79a",
    "#e3bdd3",
    "#cfcfcf",
    "#f3eb9c",
    "#b9b4dd",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One term of a subsystem's ledger on the side where it counts, > 0."""

    side: str
    term: str
    label: str
    energy_J: float


def ledger_of(summary: Summary) -> Ledger:
    """Return the ledger's energies from the flat keys of a summary."""
    ledger: Ledger = {}
    for key, value in summary.items():
        match = _TERM.match(key)
        if match is not None and value is not None:
            run, subsystem, side, term = match.groups()
            sides = ledger.setdefault(run, {}).setdefault(subsystem, {})
            sides.setdefault(side, {})[term] = float(value)
    return ledger


def ledger_colors(sides: Sides) -> dict[tuple[str, str], str]:
    """Return the colour of each (side, term) in the figure of its subsystem."""
    return {
        (flow.side, flow.term): _FILLS[i % len(_FILLS)]
        for flows in _came_and_went(sides)
        for i, flow in enumerate(flows)
    }


def ledger_figure(
    subsystems: Mapping[str, Sides], run: str, summary: Summary
) -> Figure:
    """Draw where the energy of each subsystem came from and went, as shares.

    Energy taken out of a storage counts as coming in.
    """
    with page_figure(0.55 + 0.78 * len(subsystems)) as figure:
        axes = figure.subplots()
        places: list[float] = []
        names: list[str] = []
        for i, (name, sides) in enumerate(subsystems.items()):
            came, went = _came_and_went(sides)
            colors = ledger_colors(sides)
            sums = [sum(flow.energy_J for flow in flows) for flows in (came, went)]
            y = 2.6 * i
            for row, flows in enumerate((came, went)):
                _stack(axes, y + row, flows, max(*sums, 1e-300), colors)
            places += [y, y + 1.0]
            words = [quantity_text("energy_J", energy_J) for energy_J in sums]
            names += [f"{name.replace('_', ' ')}: in {words[0]}", f"out {words[1]}"]
            residual = summary.get(f"ledger.{run}.{name}.residual_fraction")
            text = "residual\n" + quantity_text("residual_fraction", residual)
            axes.text(101.5, y + 0.5, text, va="center", fontsize=8.0)
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0.0, 100.0)
        axes.set_xlabel("Share of the subsystem's energy [%]")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return figure


def _came_and_went(sides: Sides) -> tuple[list[Flow], list[Flow]]:
    """Return the terms that came in and that went, the largest first."""
    came: list[Flow] = []
    went: list[Flow] = []
    for side, here, there in (
        ("in", came, went),
        ("out", went, came),
        ("stored", went, came),
    ):
        for term, value in sides.get(side, {}).items():
            if not np.isfinite(value) or value == 0.0:
                continue
            label = term.replace("_", " ")
            if side == "stored":
                label = f"{'stored' if value > 0.0 else 'from storage'}: {label}"
            flow = Flow(side=side, term=term, label=label, energy_J=abs(value))
            (here if value > 0.0 else there).append(flow)
    for flows in (came, went):
        flows.sort(key=lambda flow: -flow.energy_J)
    return came, went


def _stack(
    axes: Axes,
    y: float,
    flows: list[Flow],
    total_J: float,
    colors: Mapping[tuple[str, str], str],
) -> None:
    left = 0.0
    for flow in flows:
        width = 100.0 * flow.energy_J / total_J
        color = colors[flow.side, flow.term]
        axes.barh(y, width, left=left, height=0.9, color=color, edgecolor="white")
        text = f"{flow.label} {width:.0f} %"
        if width > 1.25 * len(text):
            axes.text(left + 0.5 * width, y, text, ha="center", va="center", fontsize=8)
        left += width


def solve_figure(run: Recorded, name: str, summary: Summary) -> Figure | None:
    """Draw the solve times with median and 99th percentile, and the slack over time."""
    window, solve = charge_window(run), find_series(run, "charger.solve_time_s")
    if window is None or solve is None:
        return None
    times_ms = 1e3 * _decisions(solve[window])
    if not len(times_ms):
        return None
    minutes = np.asarray(run.time_s, dtype=float)[window] / 60.0
    slack = find_series(run, "charger.slack_V")
    with page_figure(2.5) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.1, 1.0])
        left.hist(times_ms, bins=min(40, 8 + len(times_ms) // 3), color=SKY)
        _mark(left, "median", summary.get(f"{name}_solve_time_median_s"), "-")
        p99_s = summary.get(f"{name}_solve_time_p99_s")
        _mark(left, "99th percentile", p99_s, (0, (4, 2)))
        left.set_xlim(left=0.0)
        left.set_xlabel("Solve time [ms]")
        left.set_ylabel("Plans [count]")
        left.yaxis.set_major_locator(MaxNLocator(integer=True))
        if left.get_legend_handles_labels()[0]:
            left.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=1)
        if slack is not None:
            x = minutes - minutes[0]
            plot_thinned(right, x, 1e3 * slack[window], color=BLUE)
        low, high = right.get_ylim()
        right.set_ylim(min(low, -0.05), max(high, 1.0))
        right.set_xlabel("Time since plugging in [min]")
        right.set_ylabel("Largest slack\nof a plan [mV]")
    return figure


def _mark(axes: Axes, words: str, time_s: float | None, dashes: Any) -> None:
    if time_s is not None and np.isfinite(time_s):
        axes.axvline(
            1e3 * time_s,
            color=INK,
            linewidth=1.1,
            linestyle=dashes,
            label=f"{words} {quantity_text('solve_time_s', time_s)}",
        )


def _decisions(solve_s: Vector) -> Vector:
    """Return one value per plan of a series that holds between plans."""
    finite = solve_s[np.isfinite(solve_s)]
    changed = np.concatenate(([True], np.diff(finite) != 0.0))
    values: Vector = finite[changed[: len(finite)]]
    return values[values > 0.0]
