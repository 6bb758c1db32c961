"""Series, phases, gaps and errors are found as they were recorded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from packtwin.scenarios.recording import (
    charge_window,
    find_gaps,
    find_series,
    replay_errors,
)


def _run(**series: Any) -> SimpleNamespace:
    named = {k.replace("__", "."): np.array(v, float) for k, v in series.items()}
    return SimpleNamespace(time_s=60.0 * np.arange(5), series=named)


def _replay(**changes: Any) -> SimpleNamespace:
    flat = dict.fromkeys(
        ("voltage_V", "temperature_K", "plating_potential_V", "soc"), np.zeros(2)
    )
    return SimpleNamespace(**{"time_s": np.array([60.0, 90.0]), **flat, **changes})


def test_port_is_found_under_another_component_only_if_unique() -> None:
    run = _run(battery__soc=range(5), a__x=range(5), b__x=range(5))
    assert find_series(run, "pack.soc") is not None
    assert find_series(run, "pack.x") is None
    assert find_series(run, "pack.y") is None


def test_charge_starts_at_the_sample_before_the_first_charging_one() -> None:
    run = _run(charger__is_charging=[0, 0, 1, 1, 0])
    assert charge_window(run) == slice(1, 4)
    assert charge_window(_run(charger__is_charging=[0] * 5)) is None


def test_error_is_surrogate_less_dfn_at_the_replay_times() -> None:
    run = _run(pack__cell_voltage_mean_V=[3.0, 3.1, 3.3, 3.3, 3.3])
    replay = _replay(voltage_V=np.array([3.05, 3.05]))
    (found,) = replay_errors(run, replay)
    assert found.quantity == "voltage_V"
    # Half way between the samples at 60 s and 120 s: 3.2 V.
    assert found.error == pytest.approx([0.05, 0.15], abs=1e-12)


def test_replay_may_name_the_series_it_is_compared_with() -> None:
    run = _run(surrogate__voltage_V=[1, 1, 1, 1, 1], pack__cell_voltage_mean_V=[2] * 5)
    replay = _replay(compared={"voltage_V": "surrogate.voltage_V"})
    (found,) = replay_errors(run, replay)
    assert found.series == "surrogate.voltage_V"
    assert list(found.error) == [1.0, 1.0]


def test_outside_the_run_an_error_is_unknown_not_extrapolated() -> None:
    run = _run(pack__temperature_mean_K=[300] * 5)
    replay = _replay(time_s=np.array([0.0, 241.0]))
    (found,) = replay_errors(run, replay)
    assert found.error[0] == 300.0
    assert np.isnan(found.error[1])


def test_gap_names_series_run_count_and_first_time() -> None:
    run = _run(pack__soc=[0.5, np.nan, np.inf, 0.5, 0.5])
    replay = _replay(voltage_V=np.array([np.nan, 3.0]))
    assert find_gaps({"mpc": run}, {"mpc": replay, "cccv": None}) == [
        "`pack.soc` of the run `mpc` is not finite at 2 of 5 samples, the first at "
        "1.00 min.",
        "`voltage_V` of the DFN replay `mpc` is not finite at 1 of 2 samples, the "
        "first at 1.00 min.",
    ]
