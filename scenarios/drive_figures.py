"""Figures of the whole day and of the drive."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from packtwin.scenarios.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    RUN_COLORS,
    RUN_LINES,
    SKY,
    VERMILION,
    certified_bound,
    page_figure,
    plot_thinned,
    run_label,
    thinned,
)
from packtwin.scenarios.recording import drive_window, find_series
from packtwin.scenarios.report_inputs import Certificate, Recorded, Summary, Vector

__all__ = ["drive_figure", "overview_figure"]

KELVIN = 273.15


def overview_figure(results: Mapping[str, Recorded]) -> Figure | None:
    """Draw state of charge and hottest cell of every run over the whole day."""
    panels = (
        ("pack.soc", 100.0, 0.0, "Charge\nstate [%]"),
        ("pack.temperature_max_K", 1.0, -KELVIN, "Hottest cell\n[°C]"),
    )
    if not any(
        find_series(r, p[0]) is not None for r in results.values() for p in panels
    ):
        return None
    with page_figure(2.35) as figure:
        axes = figure.subplots(2, 1, sharex=True)
        for i, (name, run) in enumerate(results.items()):
            minutes = np.asarray(run.time_s, dtype=float) / 60.0
            for panel, (series, factor, offset, _) in zip(axes, panels, strict=True):
                values = find_series(run, series)
                if values is not None:
                    plot_thinned(
                        panel,
                        minutes,
                        values * factor + offset,
                        color=RUN_COLORS[i % 4],
                        linestyle=RUN_LINES[i % 4],
                        label=run_label(name),
                    )
        main = next(iter(results.values()))
        window, minutes = drive_window(main), np.asarray(main.time_s) / 60.0
        for panel in axes if window is not None else ():
            panel.axvspan(
                minutes[0],
                minutes[window][-1],
                color="#eeeeee",
                zorder=0,
                label="drive",
            )
        for panel, (*_, label) in zip(axes, panels, strict=True):
            panel.set_ylabel(label)
        axes[-1].set_xlabel("Time [min]")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside upper right", ncols=len(names), handlelength=3
        )
        figure.align_ylabels()
    return figure


def drive_figure(
    run: Recorded, certificate: Certificate, summary: Summary
) -> Figure | None:
    """Draw speed, power, voltage with its certified band, SOC and temperatures.

    Time outside the certified domain is shaded.
    """
    window = drive_window(run)
    speed = find_series(run, "cycle.speed_m_per_s")
    voltage = find_series(run, "pack.voltage_V")
    if window is None or speed is None or voltage is None:
        return None
    minutes = np.asarray(run.time_s, dtype=float)[window] / 60.0

    def part(name: str) -> Vector:
        values = find_series(run, name)
        return np.full(minutes.shape, np.nan) if values is None else values[window]

    with page_figure(7.6) as figure:
        axes = figure.subplots(
            5, 1, sharex=True, gridspec_kw={"height_ratios": [1, 1, 1.1, 0.8, 1.3]}
        )
        plot_thinned(axes[0], minutes, 3.6 * speed[window], color=INK, linewidth=0.9)
        axes[0].set_ylabel("Speed\n[km/h]")
        power = part("pack.power_W") / 1e3
        plot_thinned(axes[1], minutes, power, color=BLUE, linewidth=0.9)
        axes[1].axhline(0.0, color=INK, linewidth=0.6)
        axes[1].set_ylabel("Pack power\n[kW]")
        _voltage_band(axes[2], minutes, voltage[window], certificate, summary)
        plot_thinned(axes[3], minutes, 100.0 * part("pack.soc"), color=BLUE)
        axes[3].set_ylabel("State of charge\n[%]")
        _temperatures(axes[4], minutes, part)
        axes[4].set_xlabel("Time [min]")
        _shade_outside(list(axes), minutes, part("pack.is_in_domain"))
        figure.align_ylabels()
    return figure


def _voltage_band(
    axes: Axes,
    minutes: Vector,
    voltage: Vector,
    certificate: Certificate,
    summary: Summary,
) -> None:
    band = certified_bound(certificate, "voltage_V") * float(
        summary.get("n_series", np.nan)
    )
    x, y = thinned(minutes, voltage)
    if np.isfinite(band):
        label = "certified band"
        axes.fill_between(
            x, y - band, y + band, color=SKY, alpha=0.6, linewidth=0.0, label=label
        )
    axes.plot(x, y, color=BLUE, linewidth=0.9, label="pack")
    axes.set_ylabel("Pack voltage\n[V]")
    _legend_above(axes, 2)


def _temperatures(axes: Axes, minutes: Vector, part: Callable[[str], Vector]) -> None:
    lines = (
        ("pack.temperature_max_K", "hottest cell", VERMILION, "-"),
        ("pack.temperature_mean_K", "mean", INK, "-"),
        ("pack.temperature_min_K", "coldest", BLUE, "-"),
        ("cooling.coolant_temperature_K", "coolant", GREEN, (0, (5, 1.5))),
        ("cycle.ambient_temperature_K", "ambient", GREY, (0, (1, 1.5))),
    )
    for name, label, color, dashes in lines:
        values = part(name)
        if np.isfinite(values).any():
            plot_thinned(
                axes,
                minutes,
                values - KELVIN,
                color=color,
                linestyle=dashes,
                label=label,
            )
    axes.set_ylabel("Temperature\n[°C]")
    _legend_above(axes, 5)


def _legend_above(axes: Axes, n_column: int) -> None:
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.97),
        ncols=n_column,
        borderaxespad=0.0,
        columnspacing=1.2,
        handlelength=2.2,
    )


def _shade_outside(axes: list[Axes], minutes: Vector, inside: Vector) -> None:
    outside = np.concatenate(([0], (inside < 0.5).astype(int), [0]))
    starts, ends = (
        np.flatnonzero(np.diff(outside) > 0),
        np.flatnonzero(np.diff(outside) < 0),
    )
    for start, end in zip(starts, ends, strict=True):
        last = min(int(end), len(minutes) - 1)
        for panel in axes:
            panel.axvspan(
                minutes[start],
                minutes[last],
                facecolor="#e8e8e8",
                edgecolor="#9a9a9a",
                hatch="////",
                linewidth=0.0,
                zorder=0,
            )
