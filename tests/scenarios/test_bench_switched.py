"""The figures of `packtwin bench switched` on hand-overs whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from packtwin.scenarios import bench_switched
from packtwin.scenarios.bench import BenchOptions
from packtwin.scenarios.bench_switched import BOUNDS, Handover, handover_rows, time_rows


def handover(error_V: float, *, is_forced: bool = False) -> Handover:
    return Handover(
        is_forced=is_forced,
        bound_V=dict.fromkeys(BOUNDS, 5e-3),
        error_V=dict.fromkeys(BOUNDS, np.linspace(0.0, error_V, 61)),
        stated_V=dict.fromkeys(BOUNDS, 1e-3),
    )


def by_id(rows):
    return {row.id: row for row in rows}


def test_a_switch_counts_by_its_worst_sample() -> None:
    forced = handover(4e-3, is_forced=True)
    rows = by_id(handover_rows([handover(1e-3), handover(6e-3), forced]))
    asked = rows["handover.asked.voltage_V.share"]
    assert (asked.value, asked.met) == (50.0, False)
    assert rows["handover.asked.voltage_V.worst"].value == pytest.approx(1.2)
    assert rows["handover.forced.voltage_V.share"].met
    assert rows["handover.forced.plating_potential_V.worst"].value == pytest.approx(0.8)
    # 61, 11 and 16 of 61 samples are within the millivolt that the physics states.
    coverage = rows["handover.coverage.voltage_V"]
    assert coverage.value == pytest.approx(100.0 * (61 + 11 + 16) / 183)
    assert not coverage.met


def test_no_handover_is_a_missed_row() -> None:
    rows = by_id(handover_rows([handover(1e-3)]))
    assert not rows["handover.forced"].met


def test_times_are_ratios_of_the_same_steps() -> None:
    own = np.full(1000, 200e-6)
    fallback = np.where(np.arange(1000) < 5, 40e-3, 210e-6)
    is_switch = (np.arange(1000) < 5).astype(float)
    rows = by_id(
        time_rows(np.full(50, 2e-6), np.full(50, 2.2e-6), own, fallback, is_switch)
    )
    assert rows["time.in_domain"].value == pytest.approx(1.1)
    assert rows["time.fallback.p99"].value == pytest.approx(1.05)
    assert rows["time.fallback.p99"].met
    assert rows["time.switch.longest"].value == pytest.approx(40.0)


@pytest.mark.slow
@pytest.mark.fmu
def test_quick_bench_gives_every_row() -> None:
    options = BenchOptions(is_quick=True)
    rows = by_id(bench_switched.rows(lambda _share, _text: None, options))
    assert rows["handover.forced.voltage_V.worst"].met
    assert rows["time.fallback.p50"].value > 0.9
    assert "fast.switched" in rows
