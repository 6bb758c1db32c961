"""Figures of the charge: trajectories and errors against the DFN.

Time is in minutes, each axis names its unit, legends stand above the data. A figure
whose series were not recorded is None.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from packtwin.scenarios.drawing import (
    DARK_COLORS,
    INK,
    RUN_COLORS,
    RUN_LINES,
    SKY,
    certified_bound,
    label_limits,
    page_figure,
    plot_thinned,
    run_label,
)
from packtwin.scenarios.recording import (
    charge_window,
    find_series,
    replay_errors,
)
from packtwin.scenarios.report_inputs import (
    Certificate,
    Recorded,
    Replayed,
    Summary,
)

__all__ = ["charge_figure", "error_figure"]

KELVIN = 273.15


def charge_figure(
    results: Mapping[str, Recorded],
    replays: Mapping[str, Replayed | None],
    summary: Summary,
) -> Figure | None:
    """Draw rate, cell voltage, plating potential and temperature of all chargers.

    Time runs from plugging in. The surrogate's lines are the worst cells, the dotted
    lines the replayed cell on the DFN.
    """
    windows = {name: charge_window(run) for name, run in results.items()}
    windows = {name: window for name, window in windows.items() if window is not None}
    if not windows:
        return None
    panels = (
        ("pack.c_rate", None, -1.0, 0.0, "Charging rate\n[C]"),
        ("pack.cell_voltage_max_V", "voltage_V", 1.0, 0.0, "Cell voltage\n[V]"),
        (
            "pack.plating_potential_min_V",
            "plating_potential_V",
            1e3,
            0.0,
            "Plating\npotential [mV]",
        ),
        (
            "pack.temperature_max_K",
            "temperature_K",
            1.0,
            -KELVIN,
            "Temperature\n[°C]",
        ),
    )
    handles: list[Line2D] = []
    with page_figure(7.4) as figure:
        axes = figure.subplots(4, 1, sharex=True)
        for i, (name, window) in enumerate(windows.items()):
            run, replay = results[name], replays.get(name)
            run_time_s = np.asarray(run.time_s, dtype=float)[window]
            begin, end = float(run_time_s[0]), float(run_time_s[-1])
            surrogate = {"color": RUN_COLORS[i % 4], "linestyle": RUN_LINES[i % 4]}
            truth = {
                "color": DARK_COLORS[i % 4],
                "linestyle": (0, (1.2, 1.6)),
                "linewidth": 1.6,
            }
            for panel, (series, quantity, factor, offset, _) in zip(
                axes, panels, strict=True
            ):
                values = find_series(run, series)
                if values is not None:
                    x = (run_time_s - begin) / 60.0
                    plot_thinned(
                        panel, x, values[window] * factor + offset, **surrogate
                    )
                if quantity and replay is not None:
                    time_s = np.asarray(replay.time_s, dtype=float)
                    here = (time_s >= begin) & (time_s <= end)
                    y = np.asarray(getattr(replay, quantity), dtype=float)[here]
                    x = (time_s[here] - begin) / 60.0
                    plot_thinned(panel, x, y * factor + offset, **truth)
            handles.append(
                _handle(f"{run_label(name)}, surrogate (worst cell)", surrogate)
            )
            if replay is not None:
                handles.append(_handle(f"DFN on the {run_label(name)} current", truth))
        for panel, (*_, label) in zip(axes, panels, strict=True):
            panel.set_ylabel(label)
        _charge_limits(list(axes), summary)
        axes[-1].set_xlabel("Time since plugging in [min]")
        figure.legend(
            handles=handles, loc="outside upper center", ncols=2, handlelength=3.2
        )
        figure.align_ylabels()
    return figure


def _handle(label: str, style: Mapping[str, object]) -> Line2D:
    return Line2D([], [], label=label, **style)  # type: ignore[arg-type]


def _charge_limits(axes: list[Axes], summary: Summary) -> None:
    def figure_of(key: str) -> float:
        value = summary.get(key)
        return float("nan") if value is None else float(value)

    voltage = figure_of("cell_voltage_limit_V")
    margin = 1e3 * figure_of("plating_margin_V")
    temperature = figure_of("temperature_limit_K") - KELVIN
    label_limits(axes[1], [(voltage, f"limit\n{voltage:.2f} V")])
    plating = [(0.0, "0 V plates")]
    if abs(margin) > 0.05:
        plating.append((margin, f"margin\n{margin:.0f} mV"))
    label_limits(axes[2], plating)
    label_limits(axes[3], [(temperature, f"limit\n{temperature:.0f} °C")])


def error_figure(
    results: Mapping[str, Recorded],
    replays: Mapping[str, Replayed | None],
    certificate: Certificate,
) -> Figure | None:
    """Draw surrogate less DFN on the same current, with the certified bound as band."""
    errors = {
        name: replay_errors(results[name], replay)
        for name, replay in replays.items()
        if replay is not None and name in results
    }
    errors = {name: found for name, found in errors.items() if found}
    if not errors:
        return None
    panels = (
        ("voltage_V", 1e3, "Voltage error\n[mV]", "mV"),
        ("plating_potential_V", 1e3, "Plating potential\nerror [mV]", "mV"),
        ("temperature_K", 1.0, "Temperature error\n[K]", "K"),
    )
    handles: list[Line2D] = []
    with page_figure(4.6) as figure:
        axes = figure.subplots(3, 1, sharex=True)
        for i, (name, found) in enumerate(errors.items()):
            style = {"color": RUN_COLORS[i % 4], "linestyle": RUN_LINES[i % 4]}
            for panel, (quantity, factor, _, _) in zip(axes, panels, strict=True):
                for item in found:
                    if item.quantity == quantity:
                        plot_thinned(
                            panel, item.time_s / 60.0, factor * item.error, **style
                        )
            handles.append(_handle(f"surrogate − DFN, {run_label(name)}", style))
        for panel, (quantity, factor, label, unit) in zip(axes, panels, strict=True):
            panel.set_ylabel(label)
            panel.axhline(0.0, color=INK, linewidth=0.6)
            limit = factor * certified_bound(certificate, quantity)
            if np.isfinite(limit):
                panel.axhspan(
                    -limit, limit, color=SKY, alpha=0.25, linewidth=0.0, zorder=0
                )
                text = f"{limit:.3g} {unit}"
                label_limits(panel, [(limit, f"+{text}"), (-limit, f"−{text}")])
        axes[-1].set_xlabel("Time [min]")
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
        figure.align_ylabels()
    return figure
