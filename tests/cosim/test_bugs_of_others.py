"""Bugs found in other masters, and that packtwin must not have; no FMU is needed.

Each docstring names the tool; the bugs were found by running it or reading its source.
`ELSEWHERE` lists those that tests of the files concerned refute already. Those of FMUs
are in `tests/fmu/test_bugs_of_others.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.masters import Adaptive, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from tests.fakes import Clock

MASTERS = [
    Jacobi(),
    GaussSeidel(),
    GaussSeidel(is_compiled=True),
    Iterated(),
]

ELSEWHERE = {
    "FMPy SSP: time drifts by `time += H`, the end is missed": (
        "cosim/test_simulate.py::test_a_million_steps_end_exactly"
    ),
    "FMIKit-Simulink#133: time drifts in counting steps": (
        "cosim/test_time_grid.py::test_a_step_of_a_third_does_not_drift"
    ),
    "FMPy SSP, CoFMuPy: rows stamped t hold the values of t + H": (
        "cosim/test_masters.py::test_rows_hold_the_outputs_of_their_own_time"
    ),
    "PyFMI#251: values arrive one step late along a chain": (
        "cosim/test_stepper.py::"
        "test_gauss_seidel_carries_values_along_the_chain_within_the_step"
    ),
    "FMPy#704: unconnected inputs give wrong results in silence": (
        "cosim/test_system.py::test_undriven_inputs_are_all_named_with_their_units"
    ),
    "CoFMuPy: iterating gives the first-order answer again": (
        "cosim/test_iterated.py::"
        "test_components_that_take_cubics_are_coupled_to_fourth_order"
    ),
    "OMSimulator: the offset of a unit is dropped": (
        "cosim/test_stepper.py::test_units_are_converted_with_their_offset"
    ),
    "CoFMuPy: an iteration that does not converge is not told": (
        "cosim/test_iterated.py::test_signals_that_do_not_settle_name_their_connection"
    ),
    "OMSimulator#1513: the tolerance of a loop is never tested": (
        "cosim/test_loops.py::test_a_loop_without_a_unique_solution_is_refused_by_name"
    ),
    "OMSimulator#808: both roots of a loop cannot be reached": (
        "cosim/test_loops.py::"
        "test_a_constant_power_load_finds_the_root_nearest_its_start"
    ),
    "maestro#13: the longest step of an FMU is ignored": (
        "cosim/test_simulate.py::"
        "test_a_step_that_a_component_cannot_take_is_refused_before_the_run"
    ),
    "OpenModelica#12260: a restored state is trusted and is none": (
        "cosim/test_iterated.py::"
        "test_a_component_that_cannot_go_back_as_it_says_is_found_before_the_first_step"
    ),
    "OMSimulator#1554: outputs read after inputs without a step": (
        "cosim/test_protocol.py::test_no_call_breaks_the_order_that_fmi_allows"
    ),
    "FMPy#513, PyFMI#160: memory grows with every instance": (
        "fmu/test_instance.py::test_two_thousand_instances_leave_no_memory_behind"
    ),
    "FMPy: a kept folder is extracted again and deleted": (
        "fmu/test_component.py::test_cache_folder_is_filled_once_and_kept"
    ),
    "FMPy#30, #727: every run unzips and parses anew": (
        "fmu/test_component_fmi3.py::test_kept_file_is_extracted_once_and_serves_many"
    ),
}


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=lambda p: p.split("::")[1])
def test_what_is_said_to_be_tested_elsewhere_is(place: str) -> None:
    file, name = place.split("::")
    text = (Path(__file__).parents[1] / file).read_text()
    assert f"def {name}(" in text


@pytest.mark.parametrize("master", MASTERS, ids=lambda m: str(m))
def test_twenty_thousand_steps_are_twenty_thousand(master) -> None:
    """FMPy `simulate_ssp`: 20 001 steps of 1 ms in 20 s (run)."""
    n = 20_000 if not isinstance(master, Iterated) else 2_000
    stop_s = n / 1000.0
    result = simulate(
        System([Clock()]), stop_s=stop_s, step_s=1e-3, master=master, record=("*",)
    )
    assert result.stats.step_count == n
    assert len(result.time_s) == n + 1
    assert result.time_s[-1] == result["clock.time_s"][-1] == stop_s


@pytest.mark.parametrize("master", [*MASTERS, Adaptive()], ids=lambda m: str(m))
def test_a_run_starts_when_it_is_told(master) -> None:
    """CoFMuPy: the start time is always 0 (run)."""
    source = SignalSource("table", [7.0, 9.0], {"level": [7.0, 9.0]})
    result = simulate(
        System([source]), start_s=7.5, stop_s=8.5, step_s=0.25, master=master
    )
    np.testing.assert_array_equal(result["table.level"], result.time_s)
    assert result.time_s[0] == 7.5
