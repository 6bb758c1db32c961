"""Solve a run of a data set by PyBaMM too, and compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import read_run
from packtwin.pybamm_models.simulation import solve_with_pybamm
from packtwin.twin.errors import ModelError

__all__ = ["SpotCheck", "spot_check"]

VOLTAGE_LIMIT_V = 1e-3
TEMPERATURE_LIMIT_K = 1e-2
END_TIME_LIMIT = 1e-3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheck:
    """Largest differences between a run and PyBaMM's, over their common time."""

    name: str
    voltage_max_V: float
    voltage_rms_V: float
    plating_potential_max_V: float
    temperature_max_K: float
    end_time_fraction: float
    solve_s: float
    pybamm_solve_s: float

    @property
    def is_met(self) -> bool:
        """Whether all limits hold."""
        return (
            self.voltage_max_V <= VOLTAGE_LIMIT_V
            and self.plating_potential_max_V <= VOLTAGE_LIMIT_V
            and self.temperature_max_K <= TEMPERATURE_LIMIT_K
            and self.end_time_fraction <= END_TIME_LIMIT
        )

    def demand(self) -> None:
        """Accept or refuse.

        Raises:
            ModelError: a limit is missed.
        """
        if self.is_met:
            return
        message = (
            f"Run `{self.name}` differs from PyBaMM's by "
            f"{1e3 * self.voltage_max_V:.3g} mV, "
            f"{1e3 * self.plating_potential_max_V:.3g} mV of plating potential, "
            f"{self.temperature_max_K:.3g} K and {100 * self.end_time_fraction:.3g} % "
            f"of its end time, expected at most {1e3 * VOLTAGE_LIMIT_V:g} mV, "
            f"{TEMPERATURE_LIMIT_K:g} K and {100 * END_TIME_LIMIT:g} %. Do not train "
            "on this data set; report the cell and the request."
        )
        raise ModelError(message)


def spot_check(cell: Cell, request: Request, directory: Path) -> SpotCheck:
    """Compare the stored run of `request` with PyBaMM's.

    Raises:
        ModelError: the run cannot be read, or PyBaMM cannot solve it.
    """
    run = read_run(directory / f"{request.name}.npz")
    peer = solve_with_pybamm(cell, request)
    n = min(len(run.time_s), len(peer.time_s))

    def largest(name: str) -> float:
        difference = getattr(run, name)[:n] - getattr(peer, name)[:n]
        return float(np.abs(difference).max())

    voltage_V = run.voltage_V[:n] - peer.voltage_V[:n]
    return SpotCheck(
        name=request.name,
        voltage_max_V=largest("voltage_V"),
        voltage_rms_V=math.sqrt(float(np.mean(voltage_V**2))),
        plating_potential_max_V=largest("plating_potential_V"),
        temperature_max_K=largest("temperature_K"),
        end_time_fraction=abs(run.end_time_s / peer.end_time_s - 1.0),
        solve_s=run.solve_s,
        pybamm_solve_s=peer.solve_s,
    )
