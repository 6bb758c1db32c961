from __future__ import annotations

import numpy as np

from packtwin.pybamm_models.cells import find_cell
from packtwin.pybamm_models.evaluation import Evaluation, evaluation_requests


def test_every_cycle_and_rate_at_every_temperature() -> None:
    cell = find_cell("lg_m50_oregan2022")
    cycles = {"ramp": (np.arange(11.0), np.linspace(0.0, 5.0, 11))}
    requests = evaluation_requests(cell, cycles)
    plan = Evaluation()
    places, warm = len(plan.temperatures_K), 3  # fast charges where it is warm
    assert len(requests) == places * (1 + 2 * len(plan.c_rates)) + warm
    assert len({r.name for r in requests}) == len(requests)
    for request in requests:
        assert np.all(request.coolant_temperature_K == request.start_temperature_K)
    charges = [r for r in requests if r.kind == "constant_charge"]
    assert all(r.start_soc == 0.1 and r.current_A.min() < 0 for r in charges)
    assert max(r.current_A.max() for r in requests) == 10.0
    fast = [r for r in requests if r.current_A.min() == -15.0]
    assert [r.start_temperature_K for r in fast] == [293.15, 308.15, 318.15]
