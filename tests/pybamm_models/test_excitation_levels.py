from __future__ import annotations

import numpy as np

from packtwin.pybamm_models.excitation_levels import as_knots


def test_a_level_is_reached_within_a_second() -> None:
    time_s, current_A = as_knots([(10, 2.0), (5, -3.0)], 15, is_ramp=False)
    assert np.array_equal(time_s, [0, 1, 10, 11, 15])
    assert np.array_equal(current_A, [0, 2, 2, -3, -3])


def test_a_ramp_reaches_its_level_at_its_end() -> None:
    time_s, current_A = as_knots([(10, 2.0), (5, -3.0)], 15, is_ramp=True)
    assert np.array_equal(time_s, [0, 10, 15])
    assert np.array_equal(current_A, [0, 2, -3])


def test_the_last_level_is_cut_at_the_runs_end() -> None:
    time_s, current_A = as_knots([(10, 2.0), (10, -3.0)], 15, is_ramp=True)
    assert np.array_equal(time_s, [0, 10, 15])
    assert np.array_equal(current_A, [0.0, 2.0, -0.5])
