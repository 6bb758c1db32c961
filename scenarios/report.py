"""`write_report`: one self-contained HTML page of a run, legible on screen and paper.

The page loads nothing: figures are inline SVG, the style is inline, there is no
script. Every figure quoted in words or in the tables comes from the summary, which
stands in full at the end. See `packtwin.scenarios.report_inputs` for what goes in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from packtwin.scenarios import (
    certificate_figures,
    drive_figures,
    figures,
    report_tables,
    trust_figures,
)
from packtwin.scenarios.certificate_tables import certificate_tables
from packtwin.scenarios.drawing import run_label, svg_text
from packtwin.scenarios.recording import find_gaps
from packtwin.scenarios.report_inputs import (
    Certificate,
    Recorded,
    Replayed,
    Stages,
    Summary,
)
from packtwin.scenarios.report_verdict import verdicts

__all__ = ["write_report"]


def write_report(  # noqa: PLR0913 (what a report is made of)
    folder: Path,
    *,
    title: str,
    scenario_text: str,
    results: Mapping[str, Recorded],
    replays: Mapping[str, Replayed | None],
    certificate: Certificate,
    summary: Summary,
    stages: Stages,
) -> Path:
    """Write `report.html` into a folder, wholly or not at all, and return its path.

    Args:
        folder: Where; made if missing.
        title: Headline.
        scenario_text: The resolved scenario.
        results: Runs by the name of their charger, the main one first.
        replays: The DFN on each run's current; None where it could not be run.
        certificate: The surrogate's; empty if it has none.
        summary: Every figure that may be quoted.
        stages: What the pipeline did.
    """
    page = _template().render(
        title=title,
        scenario_text=scenario_text,
        runs=[run_label(name) for name in results],
        verdicts=verdicts(results, replays, certificate, summary),
        gaps=find_gaps(results, replays),
        key_figures=report_tables.key_figures(list(results), summary, certificate),
        peer=report_tables.peer_sentence(summary),
        replay_rows=report_tables.replay_rows(list(results), replays, summary),
        missing_replays=[
            run_label(name) for name in results if replays.get(name) is None
        ],
        ledgers=report_tables.ledgers(summary),
        controller_rows=report_tables.controller_rows(list(results), summary),
        certificate=certificate_tables(certificate, summary),
        stages=report_tables.stage_rows(stages),
        provenance=report_tables.provenance_rows(results, certificate),
        summary_rows=report_tables.summary_rows(summary),
        pictures=_pictures(results, replays, certificate, summary),
        ledger_pictures={
            run: _svg(
                trust_figures.ledger_figure(subsystems, run, summary), f"ledger_{run}"
            )
            for run, subsystems in trust_figures.ledger_of(summary).items()
        },
        run_label=run_label,
    )
    path = Path(folder) / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = Path(__file__).with_name("report.html.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))


def _pictures(
    results: Mapping[str, Recorded],
    replays: Mapping[str, Replayed | None],
    certificate: Certificate,
    summary: Summary,
) -> dict[str, str | None]:
    main = next(iter(results.values()), None)
    planned = results.get("mpc")
    drawn: dict[str, Any] = {
        "overview": drive_figures.overview_figure(results),
        "drive": main and drive_figures.drive_figure(main, certificate, summary),
        "charge": figures.charge_figure(results, replays, summary),
        "error": figures.error_figure(results, replays, certificate),
        "solve": planned and trust_figures.solve_figure(planned, "mpc", summary),
        "distribution": certificate_figures.distribution_figure(certificate),
        "error_map": certificate_figures.error_map_figure(certificate),
    }
    return {name: _svg(figure, name) for name, figure in drawn.items()}


def _svg(figure: Figure | None, name: str) -> str | None:
    return None if figure is None else svg_text(figure, name)
