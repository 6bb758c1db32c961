"""The single-particle model with electrolyte alone, as a rival of learned cells.

Nothing is fitted: the same parameters and mesh as the truth, fewer equations (S. G.
Marquis et al., J. Electrochem. Soc. 166 (2019) A3693, doi:10.1149/2.0341915jes).
"""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.physics import physics_model, physics_of_cell
from packtwin.twin.compiled import CompiledStepMap, integrate_implicitly
from packtwin.twin.step_map import StepStatus
from packtwin.twin.trajectory import Trajectory

__all__ = ["SpmePredictor"]

Array: TypeAlias = npt.NDArray[np.float64]


@final
class SpmePredictor:
    """The compiled SPMe of a shipped cell.

    Attributes:
        stepper: Its compiled step map.
    """

    name = "spme"

    def __init__(self, cell: Cell) -> None:
        """Build and compile; seconds, unless the cache has it.

        Raises:
            CompilerError: there is no working C compiler.
            ModelError: PyBaMM cannot build the model.
        """
        physics = physics_of_cell(cell, "SPMe")
        self.stepper: CompiledStepMap = integrate_implicitly(physics_model(physics))

    def follow(self, run: Trajectory) -> dict[str, Array]:
        """Return every output at the run's samples.

        Where the model reaches one of its own limits, or refuses a step, its answers
        end: from there on all is nan.
        """
        interface = self.stepper.interface
        h = run.heat_transfer_coefficient_W_per_m2K
        knots = {
            "current_A": run.current_A,
            "ambient_temperature_K": run.coolant_temperature_K,
            "heat_transfer_coefficient_W_per_m2K": np.full(len(run.time_s), h),
        }
        u = np.column_stack([knots[name] for name in interface.input_names])
        starts = {
            "soc_start": run.start_soc,
            "temperature_start_K": float(run.series["temperature_K"][0]),
        }
        p = np.array([starts.get(v.name, v.start) for v in interface.parameters])
        slopes = np.diff(u, axis=0) / np.diff(run.time_s)[:, None]
        memory, first = self.stepper.start(u[0], p)
        done = self.stepper.run(memory, run.time_s, u[:-1], p, slopes=slopes)
        # The last row of a run that an event ended is not one of the samples.
        count = len(done.outputs) - (done.status == StepStatus.EVENT)
        rows = np.full((len(run.time_s), len(first)), np.nan)
        rows[0] = first
        rows[1 : 1 + count] = done.outputs[:count]
        return {name: rows[:, k] for k, name in enumerate(interface.output_names)}
