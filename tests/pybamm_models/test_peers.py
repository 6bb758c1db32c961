from __future__ import annotations

import numpy as np
import pytest

from packtwin.pybamm_models.peers import replay_segments, step_currents, time_steps
from packtwin.pybamm_models.physics import simulation_of
from packtwin.twin.errors import ModelError
from tests.pybamm_models.physics_cases import physics

STARTS = {"soc_start": 0.5}


def test_steps_of_one_current_are_one_solve_of_it() -> None:
    case = physics()
    steps = step_currents(case, np.full(5, 3.0), STARTS, (1e-8, 1e-9))
    solution = simulation_of(case, 3.0, STARTS).solve(np.arange(6.0))
    voltage_V = solution["voltage_V"](np.arange(1.0, 6.0))
    assert steps.voltage_V == pytest.approx(voltage_V, abs=1e-5)
    assert steps.temperature_K[-1] > 298.15


def test_a_peer_that_cannot_be_built_says_why() -> None:
    outside = {"soc_start": 1.2}
    time = time_steps(physics(), np.ones(9), outside)
    assert np.isnan(time.step_s)
    assert "`soc_start` starts at 1.2" in time.reason
    assert "`soc_start`" in replay_segments(physics(), [(1.0, 1.0)], outside)
    with pytest.raises(ModelError, match="`soc_start`"):
        step_currents(physics(), np.ones(9), outside, (1e-6, 1e-7))
