"""The figures of `packtwin bench trust` on runs whose answers are known."""

import numpy as np
import pytest

from packtwin.scenarios import bench_trust
from packtwin.scenarios.bench import BenchOptions
from packtwin.twin.coverage import BOUNDED, TrustedRun


def normal_run(seed, *, spread=1.0, distance=0.5):
    """Errors of unit spread with the bound that 95 % of them keep."""
    rng = np.random.default_rng(seed)
    n = 2000
    error = rng.normal(0.0, spread, n)
    return TrustedRun(
        name=f"normal_{seed}",
        error_V=dict.fromkeys(BOUNDED, error),
        bound_V=dict.fromkeys(BOUNDED, np.full(n, 1.959964)),
        distance=np.full(n, distance),
        temperature_K=rng.uniform(263.0, 318.0, n),
        c_rate=rng.uniform(-2.0, 2.0, n),
        soc=rng.uniform(0.0, 1.0, n),
    )


def by_id(rows):
    return {row.id: row for row in rows}


def test_gaussian_errors_are_covered_at_the_level_with_the_width_of_a_gaussian():
    rows = by_id(bench_trust._exchangeable_rows([normal_run(k) for k in range(40)]))
    assert rows["trust.exchangeable.voltage_V"].value == pytest.approx(95.0, abs=0.4)
    assert rows["trust.width.voltage_V"].value == pytest.approx(2 * 1.96, rel=0.02)
    assert all(row.met for row in rows.values())


def test_wider_errors_under_shift_miss_the_target():
    rows = by_id(bench_trust._shifted_rows("hot", [normal_run(1, spread=2.0)]))
    assert not rows["trust.shifted.hot.voltage_V"].met
    assert rows["trust.shifted_width.hot.voltage_V"].met


def test_a_monitored_cell_covers_what_its_bounds_alone_do_not():
    alone = normal_run(1, spread=2.0)
    beside = bench_trust._monitored(alone)
    for run, is_met in ((alone, False), (beside, True)):
        rows = by_id(bench_trust._shifted_rows("parameters", [run]))
        assert rows["trust.shifted.parameters.voltage_V"].met is is_met
        assert rows["trust.shifted.parameters.plating_potential_V"].met is is_met
    for output in BOUNDED:
        assert (beside.bound_V[output] >= alone.bound_V[output]).all()


def test_unflagged_exceedances_miss_the_target():
    usual = [normal_run(k) for k in range(3)]
    silent = by_id(
        bench_trust._guard_rows(usual, {"wild": [normal_run(9, spread=9.0)]})
    )
    assert not silent["trust.guard.flagged"].met
    assert silent["trust.guard.alarms"].value == 0.0
    warned = [normal_run(9, spread=9.0, distance=2.0)]
    rows = by_id(bench_trust._guard_rows(usual, {"hot": usual, "wild": warned}))
    assert rows["trust.guard.flagged"].met
    assert rows["trust.guard.flagged.hot"].value == 100.0


@pytest.mark.slow
def test_quick_bench_solves_its_runs_and_gives_every_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = BenchOptions(is_quick=True)
    rows = bench_trust.rows(lambda _share, _text: None, options)
    assert len(rows) == 6 + 6 * 4 + 2 + 5
    assert (tmp_path / "runs/bench/trust/exchangeable/manifest.json").is_file()
