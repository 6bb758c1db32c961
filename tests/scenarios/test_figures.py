"""Figures show what was recorded, name their units and stay legible."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from packtwin.scenarios.certificate_figures import distribution_figure, error_map_figure
from packtwin.scenarios.drawing import svg_text, thinned
from packtwin.scenarios.drive_figures import drive_figure, overview_figure
from packtwin.scenarios.figures import charge_figure, error_figure
from packtwin.scenarios.trust_figures import (
    ledger_colors,
    ledger_figure,
    ledger_of,
    solve_figure,
)

FIGURES: dict[str, Callable[[Any], Figure | None]] = {
    "overview": lambda c: overview_figure(c.results),
    "drive": lambda c: drive_figure(c.results["mpc"], c.certificate, c.summary),
    "charge": lambda c: charge_figure(c.results, c.replays, c.summary),
    "error": lambda c: error_figure(c.results, c.replays, c.certificate),
    "ledger": lambda c: ledger_figure(ledger_of(c.summary)["mpc"], "mpc", c.summary),
    "solve": lambda c: solve_figure(c.results["mpc"], "mpc", c.summary),
    "distribution": lambda c: distribution_figure(c.certificate),
    "error_map": lambda c: error_map_figure(c.certificate),
}
WITH_UNIT = re.compile(r"\[(km/h|kW|V|mV|%|°C|K|C|min|ms|count)\]")


@pytest.fixture(params=FIGURES)
def figure(request: pytest.FixtureRequest, case: Any) -> Figure:
    drawn = FIGURES[request.param](case)
    assert drawn is not None
    return drawn


def _lines(axes: Axes, color: str) -> list[Any]:
    return [line for line in axes.get_lines() if line.get_color() == color]


def _levels(axes: Axes) -> list[float]:
    """Heights of the horizontal lines that limits are drawn with."""
    return [
        float(line.get_ydata()[0])
        for line in axes.get_lines()
        if len(line.get_xdata()) == 2 and line.get_linewidth() == 0.9
    ]


def test_every_axis_is_labelled_with_its_unit(figure: Figure) -> None:
    for axes in figure.axes:
        below = axes.get_shared_x_axes().get_siblings(axes)
        beside = axes.get_shared_y_axes().get_siblings(axes)
        assert any(WITH_UNIT.search(other.get_xlabel()) for other in below)
        ticks = [text.get_text() for text in axes.get_yticklabels()]
        is_named = all(re.search(r"\u00a0(k?Wh|J)\Z", text) for text in ticks)
        assert is_named or any(WITH_UNIT.search(o.get_ylabel()) for o in beside)


def test_text_and_lines_are_legible_in_print(figure: Figure) -> None:
    texts = [t for t in figure.findobj(Text) if t.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7.5
    widths = [line.get_linewidth() for axes in figure.axes for line in axes.get_lines()]
    assert min(widths, default=1.0) >= 0.5
    assert figure.get_figwidth() <= 180 / 25.4  # A4 with margins of 15 mm
    assert figure.get_figheight() <= 267 / 25.4


def test_no_legend_covers_data(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    panels = [axes.get_window_extent() for axes in figure.axes]
    own = [legend for a in figure.axes if (legend := a.get_legend()) is not None]
    for legend in (*figure.legends, *own):
        box = legend.get_window_extent()
        for panel in panels:
            overlap = min(box.y1, panel.y1) - max(box.y0, panel.y0)
            is_beside = box.x0 >= panel.x1 or box.x1 <= panel.x0
            # A legend's own padding, up to 4 points, may touch the frame.
            assert is_beside or overlap <= 4 * figure.dpi / 72


def test_svg_loads_nothing(figure: Figure) -> None:
    text = svg_text(figure, "name")
    assert text.startswith("<svg")
    assert "http" not in text
    assert set(re.findall(r'href="(.)', text)) <= {"#"}
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:url\(|href=")#([^)"]+)', text)
    assert set(used) <= set(ids)


def test_thinned_line_keeps_extremes_ends_and_gaps() -> None:
    x = np.arange(100_000.0)
    y = np.sin(x / 5000.0)
    y[31_234], y[77_777], y[50_000] = 9.0, -9.0, np.nan
    few_x, few_y = thinned(x, y, bucket_count=300)
    assert len(few_x) <= 900
    assert np.nanmax(few_y) == 9.0
    assert np.nanmin(few_y) == -9.0
    assert np.isnan(few_y[few_x == 50_000.0]).all()
    assert (few_x[0], few_x[-1]) == (0.0, 99_999.0)


def test_short_line_is_drawn_as_it_is() -> None:
    x, y = np.arange(10.0), np.array([0, 1, np.inf, 3, 4, 5, 6, 7, 8, 9.0])
    few_x, few_y = thinned(x, y)
    assert list(few_x) == list(x)
    assert np.isnan(few_y[2])


def test_drive_shows_the_largest_speed_and_the_certified_band(case: Any) -> None:
    drawn = FIGURES["drive"](case)
    assert drawn is not None
    run = case.results["mpc"]
    top = drawn.axes[0].get_lines()[0].get_ydata().max()
    assert top == pytest.approx(3.6 * run.series["cycle.speed_m_per_s"].max())
    (band,) = drawn.axes[2].collections
    corners = band.get_paths()[0].vertices[:, 1]
    voltage = run.series["pack.voltage_V"][:2401]
    assert corners.max() == pytest.approx(voltage.max() + 96 * 0.018)
    assert corners.min() == pytest.approx(voltage.min() - 96 * 0.018)


def test_time_outside_the_domain_is_hatched(case: Any) -> None:
    case.results["mpc"].series["pack.is_in_domain"][600:1201] = 0.0
    drawn = FIGURES["drive"](case)
    assert drawn is not None
    (span,) = [p for p in drawn.axes[0].patches if p.get_hatch()]
    corners = span.get_path().vertices[:, 0]
    extent = span.get_patch_transform().transform(span.get_path().vertices)[:, 0]
    assert len(corners)
    assert (extent.min(), extent.max()) == pytest.approx((10.0, 1201 / 60))


def test_charge_shows_the_limits_where_they_are(case: Any) -> None:
    drawn = FIGURES["charge"](case)
    assert drawn is not None
    assert _levels(drawn.axes[1]) == [4.2]
    assert _levels(drawn.axes[2]) == [0.0, 10.0]
    assert _levels(drawn.axes[3]) == pytest.approx([50.0])


def test_charge_overlays_the_lowest_plating_potential_of_the_dfn(case: Any) -> None:
    drawn = FIGURES["charge"](case)
    assert drawn is not None
    lows = sorted(
        float(np.nanmin(line.get_ydata()))
        for line in drawn.axes[2].get_lines()
        if line.get_linewidth() == 1.6
    )
    truths = [1e3 * r.plating_potential_V.min() for r in case.replays.values()]
    assert lows == pytest.approx(sorted(truths))


def test_error_lines_are_surrogate_less_dfn_in_the_bound(case: Any) -> None:
    drawn = FIGURES["error"](case)
    assert drawn is not None
    line = next(x for x in drawn.axes[0].get_lines() if len(x.get_xdata()) > 2)
    # The replay was made 3 mV times a sine above the surrogate.
    assert np.abs(line.get_ydata()).max() == pytest.approx(3.0, abs=1e-3)
    assert _levels(drawn.axes[0]) == [-18.0, 18.0]


def test_ledger_bars_fill_the_larger_side_and_keep_the_table_colours(case: Any) -> None:
    ledger = ledger_of(case.summary)["mpc"]
    drawn = ledger_figure({"pack": ledger["pack"]}, "mpc", case.summary)
    bars = drawn.axes[0].patches
    ends = {
        round(b.get_y(), 2): max(
            o.get_x() + o.get_width() for o in bars if o.get_y() == b.get_y()
        )
        for b in bars
    }
    assert list(ends.values()) == pytest.approx([100.0, 100.0], abs=1e-4)
    assert len(bars) == len(ledger_colors(ledger["pack"])) == 5


def test_negative_flow_counts_on_the_other_side() -> None:
    sides = {"in": {"chemical": -90.0}, "out": {"terminals": -100.0, "coolant": 10.0}}
    drawn = ledger_figure({"pack": sides}, "mpc", {})
    widths = [round(bar.get_width()) for bar in drawn.axes[0].patches]
    assert widths == [100, 90, 10]


def test_histogram_counts_each_plan_once(case: Any) -> None:
    drawn = FIGURES["solve"](case)
    assert drawn is not None
    solve = case.results["mpc"].series["charger.solve_time_s"]
    n_plan = len(np.unique(solve[solve > 0]))
    assert sum(patch.get_height() for patch in drawn.axes[0].patches) == n_plan


def test_solve_time_marks_come_from_the_summary(case: Any) -> None:
    drawn = FIGURES["solve"](case)
    assert drawn is not None
    texts = [t.get_text() for t in drawn.axes[0].get_legend().get_texts()]
    assert texts == ["median 14.3\u00a0ms", "99th percentile 24.7\u00a0ms"]


def test_distribution_reaches_100_percent_at_the_largest_error(case: Any) -> None:
    drawn = distribution_figure(case.certificate)
    assert drawn is not None
    largest = drawn.axes[0].get_lines()[2]
    runs = [*case.certificate["runs"], *case.certificate["runs_calibration"]]
    worst_mV = 1e3 * max(run["maximum"]["voltage_V"] for run in runs)
    assert largest.get_xdata()[-1] == pytest.approx(worst_mV)
    assert largest.get_ydata()[-1] == 100.0


def test_figure_without_its_series_is_none(case: Any) -> None:
    case.results["mpc"].series.clear()
    case.results.pop("cccv")
    nothing = {"mpc": None}
    assert drive_figure(case.results["mpc"], {}, {}) is None
    assert overview_figure(case.results) is None
    assert charge_figure(case.results, nothing, {}) is None
    assert error_figure(case.results, nothing, {}) is None
    assert solve_figure(case.results["mpc"], "mpc", {}) is None
    assert distribution_figure({}) is None
    assert error_map_figure({}) is None
