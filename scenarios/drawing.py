"""How figures look: page size, colours, thinned lines, limit labels and inline SVG.

Figures are made with matplotlib's object interface, so that no global state of pyplot
is touched. Colours are those of Okabe and Ito, told apart in all kinds of colour
vision; runs differ in line style as well, for black and white prints.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from packtwin.scenarios.report_inputs import Certificate, Vector

__all__ = [
    "BLUE",
    "DARK_COLORS",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PURPLE",
    "RUN_COLORS",
    "RUN_LINES",
    "SKY",
    "VERMILION",
    "certified_bound",
    "label_limits",
    "page_figure",
    "plot_thinned",
    "run_label",
    "svg_text",
    "thinned",
]

INK = "#1a1a1a"
GREY = "#6e6e6e"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"

# One per run, in order: the surrogate's line, the DFN's colour, the line style.
RUN_COLORS = (BLUE, VERMILION, GREEN, ORANGE)
DARK_COLORS = ("#00263d", "#5c2800", "#00382a", "#5a3d00")
RUN_LINES = ("-", (0, (5, 1.2)), (0, (7, 1.5, 1.5, 1.5)), "-")
RUN_LABELS = {"mpc": "MPC", "cccv": "CC-CV"}

PAGE_WIDTH_INCH = 7.08  # the text width of A4 with margins of 15 mm
_BUCKETS = 500
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.0,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.xmargin": 0.01,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#dcdcdc",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "hatch.linewidth": 0.4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
}


def run_label(name: str) -> str:
    """Return how a run is called in the report."""
    return RUN_LABELS.get(name, name)


def certified_bound(certificate: Certificate, quantity: str) -> float:
    """Return a certified error bound, nan if there is none."""
    value = (certificate.get("bounds") or {}).get(quantity)
    return float("nan") if value is None else float(value)


@contextmanager
def page_figure(height_inch: float) -> Iterator[Figure]:
    """Yield a figure as wide as the page, with the report's style while it is drawn."""
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(PAGE_WIDTH_INCH, height_inch), layout="constrained")


def svg_text(figure: Figure, name: str) -> str:
    """Return a figure as an `<svg>` element that loads nothing and scales.

    A figure that is drawn again gives the same text; `name` keeps the ids of several
    figures on one page apart.
    """
    buffer = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(
        r' id="(?!m?[0-9a-f]{10}|p[0-9a-f]{10}|h[0-9a-f]{10})[^"]*"', "", text
    )
    return re.sub(r"\n\s*", "\n", text).replace("\n\n", "\n")


def thinned(
    x: Vector, y: Vector, bucket_count: int = _BUCKETS
) -> tuple[Vector, Vector]:
    """Return few points that draw the same line: extremes, ends and gaps are kept.

    Of each bucket of samples the smallest, the largest and a non-finite one remain.
    """
    y = np.where(np.isfinite(y), y, np.nan)
    if len(y) <= 4 * bucket_count:
        return x, y
    keep = {0, len(y) - 1}
    for part in np.array_split(np.arange(len(y)), bucket_count):
        gap = np.isnan(y[part])
        if gap.any():
            keep.add(int(part[np.argmax(gap)]))
        if not gap.all():
            keep.update(
                (int(part[np.nanargmin(y[part])]), int(part[np.nanargmax(y[part])]))
            )
    index = np.array(sorted(keep))
    return x[index], y[index]


def plot_thinned(axes: Axes, x: Vector, y: Vector, **style: object) -> None:
    """Draw a line of any length with few points."""
    axes.plot(*thinned(x, y), **style)  # type: ignore[arg-type]


def label_limits(axes: Axes, limits: Sequence[tuple[float, str]]) -> None:
    """Draw horizontal limit lines, named at the right outside the data.

    Labels of lines that are close together are moved apart. Non-finite limits are left
    out.
    """
    known = sorted((v, text) for v, text in limits if np.isfinite(v))
    for value, _ in known:
        axes.axhline(value, color=INK, linewidth=0.9, linestyle=(0, (6, 2, 1, 2)))
    low, high = axes.get_ylim()
    pad = 0.04 * (high - low)
    if known:
        low, high = min(low, known[0][0] - pad), max(high, known[-1][0] + pad)
        axes.set_ylim(low, high)
    for i, (value, text) in enumerate(known):
        near = 0.13 * (high - low)
        above = i + 1 < len(known) and known[i + 1][0] - value < near
        below = i > 0 and value - known[i - 1][0] < near
        place = "top" if above and not below else "bottom" if below else "center"
        axes.text(
            1.01,
            value,
            text,
            transform=axes.get_yaxis_transform(),
            va=place,
            ha="left",
            fontsize=8.0,
        )
