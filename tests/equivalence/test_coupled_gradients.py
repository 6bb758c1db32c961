"""Gradients through the shipped cell and the cooling loop, native and as FMUs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.differentiable_run import DifferentiableRun
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.scenarios.catalogue import find_path
from packtwin.twin.component import Component, StepMapComponent
from packtwin.twin.cooling import cooling_step_map
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import load_spec

PARAMETERS = (
    "cell.start_soc",
    "cell.capacity_factor",
    "cell.start_temperature_K",
    "cooling.plate_film_coefficient_W_per_m2K",
    "cooling.initial_coolant_temperature_K",
    "cell.current_A",
    "cooling.pump_command",
)
STARTS = {
    "cell": {"start_soc": 0.8},
    "cooling": {"initial_coolant_temperature_K": 290.0},
}


@pytest.fixture(scope="module")
def step_maps():
    spec = load_spec(find_path("surrogate", "lg_m50_oregan2022"))
    return {"cell": cell_step_map(spec), "cooling": cooling_step_map()}


def gradient_run(cell: Component, cooling: Component) -> DifferentiableRun:
    rest = ("air_speed_m_per_s", "fan_command", "chiller_command")
    system = System(
        [cell, cooling],
        [
            Connection("cell.heat_cell_to_coolant_W", "cooling.heat_cell_to_coolant_W"),
            Connection("cooling.coolant_temperature_K", "cell.coolant_temperature_K"),
            Connection(
                "cooling.heat_transfer_coefficient_W_per_m2K",
                "cell.heat_transfer_coefficient_W_per_m2K",
            ),
        ],
        constants={
            "cell.current_A": 7.5,
            "cooling.pump_command": 0.5,
            "cooling.ambient_temperature_K": 300.0,
            "cooling.heater_power_request_W": 0.0,
            **{f"cooling.{name}": 0.0 for name in rest},
        },
    )
    return DifferentiableRun(
        system,
        parameters=PARAMETERS,
        outputs=("cell.temperature_K", "cell.voltage_V"),
        stop_s=120.0,
        step_s=5.0,
    )


def end_weights(run: DifferentiableRun) -> np.ndarray:
    weights = np.zeros((len(run.times_s), 2))
    weights[-1] = 1.0, 20.0
    return weights


def native(step_maps) -> DifferentiableRun:
    return gradient_run(
        *(
            StepMapComponent(m, name=n, parameters=STARTS[n])
            for n, m in step_maps.items()
        )
    )


@pytest.mark.slow
def test_seven_gradients_of_cell_and_cooling_are_central_differences(step_maps):
    run = native(step_maps)
    weights = end_weights(run)
    found = run.gradient(run.start, weights)
    want = []
    for unit in np.eye(len(found)):
        move = 2e-4 * run.start * unit
        if unit[PARAMETERS.index("cell.start_temperature_K")]:
            move *= 0.1  # of an absolute temperature
        losses = [
            float(np.sum(weights * run.values(run.start + k * move)))
            for k in (2, 1, -1, -2)
        ]
        near, far = losses[1] - losses[2], losses[0] - losses[3]
        want.append((8.0 * near - far) / (12.0 * move.sum()))
    # The tables of the cell have kinks of this size in their slopes.
    np.testing.assert_allclose(found, want, rtol=1e-5)
    assert run.provenance["gradient"] == "adjoint"


@pytest.mark.slow
@pytest.mark.fmu
def test_through_their_fmus_gradients_are_the_same(step_maps, tmp_path: Path):
    fmus = [
        FmuComponent(
            export_fmu(m, tmp_path / f"{n}.fmu", fmi_version="3.0"),
            name=n,
            parameters=STARTS[n],
        )
        for n, m in step_maps.items()
    ]
    run, other = gradient_run(*fmus), native(step_maps)
    found = run.gradient(run.start, end_weights(run))
    want = other.gradient(other.start, end_weights(other))
    np.testing.assert_allclose(found, want, rtol=1e-9)
    run.close()
