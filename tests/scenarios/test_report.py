"""The report is one page that loads nothing, and says in words what is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packtwin.scenarios.quantity_text import quantity_text
from packtwin.scenarios.report import write_report

VOID = {"meta", "br", "img", "link", "hr"}


class _Page(HTMLParser):
    """Collects attributes and checks that tags are balanced."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _write(case: Any, folder: Path) -> str:
    path = write_report(folder, **case.arguments())
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source(whole_case: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return _write(whole_case, tmp_path_factory.mktemp("report"))


def _words(source: str) -> str:
    """Text of a page with single spaces, without tags, style and figures."""
    source = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", source, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", source).replace("\u00a0", " ")
    return re.sub(r"\s+", " ", text)


def test_page_loads_nothing_and_is_well_formed(source: str) -> None:
    page = _Page(source)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "base"}
    links = [v for _, name, v in page.attributes if name.split(":")[-1] == "href"]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not [a for a in page.attributes if a[1] in ("src", "srcset", "data")]
    assert "http://" not in source
    assert "https://" not in source
    assert "@import" not in source
    assert set(re.findall(r"url\((.)", source)) <= {"#"}


def test_ids_are_unique_and_links_lead_somewhere(source: str) -> None:
    page = _Page(source)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {v for _, name, v in page.attributes if name == "href"}
    assert {link[1:] for link in links} <= set(ids)


def test_page_is_small_reproducible_and_alone(case: Any, tmp_path: Path) -> None:
    for run in case.results.values():
        for name in run.series:
            run.series[name] = np.repeat(run.series[name], 10)
        run.time_s = 0.1 * np.arange(len(run.series["pack.soc"]))
    first = _write(case, tmp_path)
    assert len(first.encode()) < 1_000_000
    assert _write(case, tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_every_figure_of_the_summary_stands_with_its_unit(
    whole_case: Any, source: str
) -> None:
    for name, value in whole_case.summary.items():
        text = quantity_text(name, value)
        row = rf'<td class="code">{re.escape(name)}</td><td[^>]*>{re.escape(text)}</td>'
        assert re.search(row, source)


@pytest.mark.parametrize(
    "line",
    [
        "Charge time 10 → 80 % 29.2 min 48.3 min",
        "Energy into the pack 36.7 kWh 35.8 kWh",
        "Peak cell temperature 46.2 °C 41.8 °C ≤ 50.0 °C",
        "Highest cell voltage 4.149 V 4.122 V ≤ 4.200 V",
        "Lowest plating potential, mean cell on the DFN 6.2 mV −8.6 mV ✗ ≥ −5.0 mV",
        "Certified error bound: voltage, plating (unsafe side) ±18.0 mV, ±12.0 mV",
        "Energy ledger residual 0.0031 %",
        "MPC solve time: median, 99th percentile 14.3 ms, 24.7 ms",
        "residual ( −7.8·10⁻⁶ % of ∫|P| dt) −12 J",
        "CC-CV charges at 0.62 C, the fastest rate found that keeps the same limits.",
    ],
)
def test_key_figures_stand_beside_the_peer(source: str, line: str) -> None:
    words = _words(source).replace("residual (", "residual ( ")
    assert line in words


def test_quoted_figures_follow_the_summary_alone(case: Any, tmp_path: Path) -> None:
    case.summary["mpc_charge_time_s"] = 1800.0
    words = _words(_write(case, tmp_path))
    assert "30.0 min" in words
    assert "29.2 min" not in words


def test_verdicts_answer_domain_limits_and_certificate(source: str) -> None:
    words = _words(source)
    assert "MPC: inside the certified domain? ✓ yes At all times." in words
    assert "MPC: limits kept? ✓ yes" in words
    assert (
        "CC-CV: limits kept? ✗ no Plating potential of the DFN replay −8.6 mV against "
        "−5.0 mV." in words
    )
    assert "Surrogate: certificate valid? ✓ yes All 2 targets met." in words


def test_time_outside_the_domain_is_in_the_verdict(case: Any, tmp_path: Path) -> None:
    case.summary["mpc_out_of_domain_s"] = 312.0
    words = _words(_write(case, tmp_path))
    assert "MPC: inside the certified domain? ✗ no 5.2 min outside;" in words


def test_missing_replay_is_said_in_words(case: Any, tmp_path: Path) -> None:
    case.replays = {"mpc": None, "cccv": None}
    case.summary["mpc_dfn_plating_potential_min_V"] = None
    words = _words(_write(case, tmp_path))
    assert "There is no DFN replay for MPC, CC-CV: PyBaMM is not installed" in words
    assert "No error against the DFN can be shown" in words
    assert "MPC: limits kept? ? open" in words
    assert "Lowest plating potential, mean cell on the DFN not computed" in words


def test_one_missing_replay_names_the_run(case: Any, tmp_path: Path) -> None:
    case.replays["cccv"] = None
    words = _words(_write(case, tmp_path))
    assert "There is no DFN replay for CC-CV:" in words
    assert "No error against the DFN can be shown" not in words


def test_missed_targets_are_listed_as_missed(case: Any, tmp_path: Path) -> None:
    case.certificate["targets"][0] |= {"met": False, "value": 0.0234}
    words = _words(_write(case, tmp_path))
    what = "worst rms of cell voltage, warm, start above 0 °C (42 runs)"
    assert f"1 of 2 targets missed: {what}." in words
    assert f"{what} 23.4 mV 20.0 mV ✗ missed" in words
    assert f"Surrogate: certificate valid? ✗ no 1 of 2 targets missed: {what}." in words
    assert "mean rms of cell temperature, all (56 runs) 0.084 K 0.3 K ✓ met" in words


def test_certificate_says_what_it_does_not_cover(source: str) -> None:
    words = _words(source)
    start = words.index("What it does not cover")
    assert start < words.index("Domain and bounds")
    assert "Aged cells: the truth is a fresh cell." in words
    assert "not against measured cells" in words
    assert "Cell temperature −10.0 °C 55.0 °C" in words
    assert "C-rate (charge < 0) −2.5 C 3 C" in words.replace("&lt;", "<")
    assert "cycle −10 °C varies 4 " in words
    assert "kept out of training varies varies 20 " in words


def test_missing_certificate_is_said_in_words(case: Any, tmp_path: Path) -> None:
    case.certificate = {}
    words = _words(_write(case, tmp_path))
    assert "The surrogate has no certificate; no error is bounded." in words
    assert "Certified error bound: voltage, plating (unsafe side) not computed" in words


def test_gap_in_a_series_is_said_and_drawn(case: Any, tmp_path: Path) -> None:
    case.results["mpc"].series["pack.temperature_mean_K"][600:650] = np.nan
    case.replays["mpc"].plating_potential_V[5] = np.inf
    words = _words(_write(case, tmp_path))
    assert "Values are missing in the recording." in words
    assert "`pack.temperature_mean_K` of the run `mpc` is not finite at 50 of" in words
    assert (
        "`plating_potential_V` of the DFN replay `mpc` is not finite at 1 of" in words
    )


def test_series_of_nothing_but_nan_does_not_crash(case: Any, tmp_path: Path) -> None:
    for values in case.results["mpc"].series.values():
        values[:] = np.nan
    assert "Values are missing" in _words(_write(case, tmp_path))


def test_nan_in_the_summary_is_said(case: Any, tmp_path: Path) -> None:
    case.summary["mpc_temperature_max_K"] = float("nan")
    words = _words(_write(case, tmp_path))
    assert "Peak cell temperature not a number" in words
    assert "MPC: limits kept? ✓ yes" not in words


def test_run_with_only_a_rule_based_charger_has_no_controller(
    case: Any, tmp_path: Path
) -> None:
    case.results.pop("mpc")
    case.replays.pop("mpc")
    words = _words(_write(case, tmp_path))
    assert "No solve times were recorded: no MPC took part in this run." in words


def test_provenance_shows_scenario_stages_and_versions(source: str) -> None:
    assert "note = &#34;&lt;&amp;&gt;&#34;" in source
    words = _words(source)
    assert "simulate run 31.5 s b1d5e2a8" in words
    assert "surrogate: seed 7" in words
    assert "run MPC: master Gauss-Seidel, 1 s" in words
