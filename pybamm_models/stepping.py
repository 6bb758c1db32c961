"""Solve a cell's DFN by the compiled step map: the same equations, far faster.

`simulation` solves the same requests with PyBaMM; the data factory compares the two on
one run of every batch.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.names import OUTPUTS
from packtwin.pybamm_models.physics import physics_model, physics_of_cell
from packtwin.pybamm_models.physics_names import name_of
from packtwin.pybamm_models.recording import as_run, solve_failure
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import Run
from packtwin.twin.compiled import CompiledStepMap, integrate_implicitly
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus

__all__ = [
    "TRUTH_ABSOLUTE_TOLERANCE",
    "TRUTH_RELATIVE_TOLERANCE",
    "cell_stepper",
    "replay",
    "solve_request",
]

# Tighter than a step map's default, for fast local transients near the separator.
TRUTH_RELATIVE_TOLERANCE = 1e-5
TRUTH_ABSOLUTE_TOLERANCE = 1e-6


# CasADi must not build functions in two threads at once.
_BUILDING = threading.Lock()


def cell_stepper(cell: Cell, parameters: tuple[str, ...] = ()) -> CompiledStepMap:
    """Return the compiled DFN of `cell`: seconds, more when it is not in the cache.

    Args:
        cell: Which.
        parameters: PyBaMM's names of parameters that it takes at every start.

    Raises:
        CompilerError: there is no working C compiler.
        ModelError: PyBaMM cannot build the model.
    """
    with _BUILDING:
        return _built_stepper(cell, parameters)


@lru_cache(maxsize=8)
def _built_stepper(cell: Cell, parameters: tuple[str, ...]) -> CompiledStepMap:
    physics = replace(physics_of_cell(cell), parameters=parameters)
    return integrate_implicitly(physics_model(physics))


def solve_request(cell: Cell, request: Request) -> Run:
    """Solve one request; a limit is a status, a failed solve an error.

    Raises:
        ModelError: no consistent start, or the integrator gave up; with the time.
    """
    stepper = cell_stepper(cell, tuple(request.factors))
    started = time.perf_counter()
    grid_s = np.arange(0.0, np.floor(request.time_s[-1]) + 1.0)
    model = stepper.source.model
    knots = {
        "current_A": request.current_A,
        "ambient_temperature_K": request.coolant_temperature_K,
        "heat_transfer_coefficient_W_per_m2K": np.full(
            len(request.time_s), request.heat_transfer_coefficient_W_per_m2_K
        ),
    }
    inputs = np.column_stack(
        [
            np.interp(grid_s, request.time_s, knots[name])
            for name in model.interface.input_names
        ]
    )
    starts = {
        "soc_start": request.start_soc,
        "temperature_start_K": request.start_temperature_K,
    }
    scales = {name_of(name): value for name, value in request.factors.items()}
    parameters = np.array(
        [
            starts.get(v.name, v.start * scales.get(v.name, 1.0))
            for v in model.interface.parameters
        ]
    )
    try:
        memory, first = stepper.start(
            inputs[0],
            parameters,
            tolerance=(TRUTH_RELATIVE_TOLERANCE, TRUTH_ABSOLUTE_TOLERANCE),
        )
    except StepError as error:
        raise solve_failure(cell, request, error) from error
    done = stepper.run(
        memory, grid_s, inputs[:-1], parameters, slopes=np.diff(inputs, axis=0)
    )
    if done.status == StepStatus.REFUSED:
        k = len(done.outputs)
        reason = stepper.refusal(
            done.memory,
            grid_s[k],
            1.0,
            inputs[k],
            parameters,
            slope=inputs[k + 1] - inputs[k],
        )
        raise solve_failure(cell, request, reason) from reason
    rows = np.vstack([first, done.outputs])
    solved_s = grid_s[: len(rows)].copy()
    solved_s[-1] = done.end_time_s
    column = {name: k for k, name in enumerate(model.interface.output_names)}
    return as_run(
        cell,
        request,
        solved_s,
        {output.name: rows[:, column[output.name]] for output in OUTPUTS},
        limit=done.event,
        solve_s=time.perf_counter() - started,
    )


def replay(
    cell: Cell,
    time_s: npt.NDArray[np.float64],
    current_A: npt.NDArray[np.float64],
    start_soc: float,
    temperature_K: float,
    coolant_temperature_K: npt.NDArray[np.float64] | float,
    heat_transfer_coefficient_W_per_m2_K: float,
) -> Run:
    """Solve the DFN on a given current, such as one an MPC has chosen.

    `current_A` is piecewise linear on the knots `time_s` (from 0 s); the coolant is a
    number or an array on the same knots.
    """
    knots_s = np.asarray(time_s, dtype=float)
    request = Request(
        name="replay",
        kind="replay",
        time_s=knots_s,
        current_A=np.asarray(current_A, dtype=float),
        start_soc=start_soc,
        start_temperature_K=temperature_K,
        coolant_temperature_K=np.broadcast_to(
            np.asarray(coolant_temperature_K, dtype=float), knots_s.shape
        ).copy(),
        heat_transfer_coefficient_W_per_m2_K=heat_transfer_coefficient_W_per_m2_K,
    )
    return solve_request(cell, request)
