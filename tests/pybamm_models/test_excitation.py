from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtwin.pybamm_models.cells import find_cell
from packtwin.pybamm_models.excitation import KINDS, Design, design_requests
from packtwin.pybamm_models.facts import cell_facts

CELL = find_cell("lg_m50_oregan2022")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n_runs=st.integers(1, 12),
    duration_s=st.integers(30, 2400),
)
def test_requests_stay_in_their_bounds(seed: int, n_runs: int, duration_s: int) -> None:
    design = Design(seed=seed, n_runs=n_runs, n_deep=3, duration_s=duration_s)
    requests = design_requests(CELL, design)
    assert len(requests) == n_runs + 3
    capacity_Ah = cell_facts(CELL).capacity_Ah
    for request in requests:
        assert request.kind in (*KINDS, "deep")
        assert request.time_s[0] == 0
        assert request.time_s[-1] == duration_s
        assert np.all(request.time_s == np.round(request.time_s))
        assert np.all(np.abs(request.current_A) <= 15.0 * 1.2)
        assert 0.05 <= request.start_soc <= 0.95
        assert 263.15 <= request.start_temperature_K <= 318.15
        assert request.coolant_temperature_K.min() >= 263.15 - 1e-9
        assert request.coolant_temperature_K.max() <= 323.15 + 1e-9
        assert 1.999 <= request.heat_transfer_coefficient_W_per_m2_K <= 300.001
        if request.kind in ("sweep", "deep"):
            continue  # these are meant to end at a voltage limit
        grid_s = np.arange(duration_s + 1.0)
        current_A = np.interp(grid_s, request.time_s, request.current_A)
        passed_Ah = np.cumsum(current_A) / 3600.0
        soc = request.start_soc - passed_Ah / capacity_Ah
        assert soc.min() > -0.05
        assert soc.max() < 1.05


def test_whole_runs_pass_through_the_window_unless_time_runs_out() -> None:
    design = Design(n_runs=1, n_deep=0, n_whole=60, seed=4)
    whole = [r for r in design_requests(CELL, design) if r.kind == "whole"]
    assert len(whole) == 60
    capacity_Ah = cell_facts(CELL).capacity_Ah
    for request in whole:
        charge_A_s = np.trapezoid(request.current_A, request.time_s)
        end_soc = request.start_soc - charge_A_s / 3600.0 / capacity_Ah
        assert len(set(np.sign(request.current_A[1:]))) == 1
        assert request.time_s[-1] <= 3600.0
        if request.time_s[-1] < 3600.0:
            assert end_soc < 0.0 or end_soc > 1.0
    signs = [np.sign(request.current_A[-1]) for request in whole]
    assert 0.5 < np.mean(np.array(signs) > 0) < 0.8


def test_whole_runs_leave_the_others_as_they_are() -> None:
    few = Design(n_runs=3, n_deep=2, n_pulse=2, seed=4)
    plain = {r.name: r for r in design_requests(CELL, few)}
    more = {r.name: r for r in design_requests(CELL, replace(few, n_whole=2))}
    assert set(more) - set(plain) == {"whole_000", "whole_001"}
    for name, request in plain.items():
        np.testing.assert_array_equal(request.current_A, more[name].current_A)


def test_pulses_start_anywhere_and_go_to_the_largest_rate() -> None:
    requests = design_requests(CELL, Design(n_runs=1, n_deep=0, n_pulse=200, seed=4))
    pulses = [r for r in requests if r.kind == "pulse"]
    assert len(pulses) == 200
    socs = np.array([r.start_soc for r in pulses])
    assert (socs.min(), socs.max()) == (
        pytest.approx(0.0, abs=0.03),
        pytest.approx(1.0, abs=0.03),
    )
    extremes_A = np.array([(r.current_A.min(), r.current_A.max()) for r in pulses])
    assert -15.0 <= extremes_A.min() < -14.0
    assert 14.0 < extremes_A.max() <= 15.0
    assert all(r.time_s[-1] == 100.0 for r in pulses)


def test_same_seed_gives_same_currents() -> None:
    first, second = (
        design_requests(CELL, Design(n_runs=6, n_deep=2, seed=5)) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        assert a.name == b.name
        assert np.array_equal(a.current_A, b.current_A)
    (other, *_) = design_requests(CELL, Design(n_runs=6, n_deep=2, seed=6))
    assert not np.array_equal(other.current_A, first[0].current_A)


def test_currents_scale_with_the_cell() -> None:
    """A level is a C-rate: half the capacity, half the largest current."""
    small = replace(CELL, nominal_capacity_Ah=2.5)
    design = Design(n_runs=60, seed=5)
    largest_A = [
        max(np.abs(r.current_A).max() for r in design_requests(cell, design))
        for cell in (CELL, small)
    ]
    assert 7.5 < largest_A[0] <= 15.0 * 1.2
    assert largest_A[1] <= 7.5 * 1.2
    assert largest_A[1] == pytest.approx(largest_A[0] / 2.0, rel=0.1)


def test_cold_cells_get_smaller_currents() -> None:
    requests = design_requests(CELL, Design(n_runs=120, seed=2))

    def mean_A(is_cold: bool) -> float:
        chosen = [
            np.abs(r.current_A).max()
            for r in requests
            if (r.start_temperature_K < 275.0) == is_cold
            and r.heat_transfer_coefficient_W_per_m2_K > 30.0
        ]
        return float(np.mean(chosen))

    assert mean_A(True) < mean_A(False)


def test_all_kinds_and_both_signs_occur() -> None:
    requests = design_requests(CELL, Design(n_runs=50))
    assert {r.kind for r in requests} == {*KINDS, "deep"}
    assert min(r.current_A.min() for r in requests) < -10.0
    assert max(r.current_A.max() for r in requests) > 10.0
