"""One day of an electric car: drive, then fast charge, co-simulated from its FMUs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeLimits
from packtwin.cosim.charge_search import ChargeRun, search_best_cccv
from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.ev_system import (
    DrivePlan,
    build_ev_system,
    cccv_charger,
    charge_limits,
    cooling_rules,
    drive_plan,
    mpc_charger,
    open_fmus,
)
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.component import Component
from packtwin.twin.cycle import load_cycle
from packtwin.twin.errors import InfeasibleError
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["Day", "EvDay", "charge_slice"]

Array: TypeAlias = NDArray[np.float64]
Report: TypeAlias = Callable[[float, str], None]

_LOWEST_C_RATE, _RATE_TOLERANCE = 0.2, 0.02
_TIMED_STEPS_S = 600.0


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """A recorded day.

    Attributes:
        result: Its series.
        drive_end_s: When the car is plugged in.
        charge_time_s: From there to the target; NaN if it was not reached in time.
    """

    result: Result
    drive_end_s: float
    charge_time_s: float


@final
class EvDay:
    """Runs the day of a scenario with different chargers."""

    def __init__(self, scenario: Scenario, spec: SurrogateSpec, folder: Path) -> None:
        """Prepare the drive.

        Args:
            scenario: The job.
            spec: The surrogate inside the pack FMU, for the MPC and the limits.
            folder: Where `vehicle.fmu`, `pack.fmu` and `cooling.fmu` are.
        """
        self._scenario, self._spec, self._folder = scenario, spec, folder
        self.limits = charge_limits(scenario, spec)
        self.plan: DrivePlan = drive_plan(
            [load_cycle(find_path("cycle", name)) for name in scenario.drive.cycles],
            rest_s=scenario.drive.rest_s,
            step_s=scenario.simulation.step_s,
        )

    def mpc(self, report: Report) -> Day:
        """Drive, then charge by MPC."""
        return self._run(mpc_charger(self._scenario, self._spec), report)

    def cccv(self, c_rate: float, report: Report) -> Day:
        """Drive, then charge by CC-CV."""
        return self._run(
            cccv_charger(self._scenario, self._spec, c_rate=c_rate), report
        )

    def best_cccv(self, report: Report) -> tuple[float, bool, Day]:
        """Search the largest C-rate whose charge keeps the limits, margins included.

        Returns:
            The rate, whether it keeps them (false if even the lowest does not), and
            its day.
        """
        days: dict[float, Day] = {}

        def charge(c_rate: float) -> ChargeRun:
            days[c_rate] = self.cccv(c_rate, lambda _fraction, _text: None)
            report(min(0.95, 0.1 * len(days)), f"CC-CV at {c_rate:.2f} C")
            return _charge_run(days[c_rate], self._spec, self._scenario)

        # Constant voltage is held by feedback and swings by a millivolt or so.
        limits = replace(self.limits, voltage_margin_V=0.0)
        try:
            best = search_best_cccv(
                charge,
                limits,
                lowest_c_rate=_LOWEST_C_RATE,
                highest_c_rate=self._scenario.charge.c_rate_maximum,
                tolerance=_RATE_TOLERANCE,
            )
        except InfeasibleError:
            return _LOWEST_C_RATE, False, days[_LOWEST_C_RATE]
        return best.c_rate, True, days[best.c_rate]

    def keeps_limits(self, day: Day, limits: ChargeLimits | None = None) -> bool:
        """Whether the charge of a day keeps limits; by default those with margins."""
        run = _charge_run(day, self._spec, self._scenario)
        wanted = limits or self.limits
        return wanted.is_kept(run.violation(wanted))

    def drive_system(self) -> System:
        """Return the car without a planning controller."""
        return self._system(cccv_charger(self._scenario, self._spec, c_rate=1.0))

    def time_drive(self) -> Result:
        """Drive without a planning controller, recording all, to measure the speed."""
        return simulate(
            self.drive_system(),
            stop_s=self.plan.duration_s,
            step_s=self._scenario.simulation.step_s,
            master=GaussSeidel(is_compiled=True),
        )

    def time_components(self) -> Mapping[str, float]:
        """Return the seconds per step of each component, over the first minutes."""
        result = simulate(
            self.drive_system(),
            stop_s=min(_TIMED_STEPS_S, self.plan.duration_s),
            step_s=self._scenario.simulation.step_s,
            has_timing=True,
        )
        count = max(result.stats.step_count, 1)
        return {k: v / count for k, v in result.stats.component_seconds.items()}

    def _system(self, charger: Component) -> System:
        ambient_K = self._scenario.drive.ambient_temperature_K
        return build_ev_system(
            cycle=self.plan.source(ambient_K),
            charger=charger,
            cooling_controller=cooling_rules(self._scenario),
            **open_fmus(self._folder),
        )

    def _run(self, charger: Component, report: Report) -> Day:
        scenario, end_s = self._scenario, self.plan.duration_s
        target = scenario.charge.target_soc

        def target_reached(signals: Mapping[str, float]) -> bool:
            is_plugged = signals["cycle.is_driving"] < 0.5
            return is_plugged and signals["pack.soc"] >= target

        result = simulate(
            self._system(charger),
            stop_s=end_s + scenario.simulation.charge_timeout_s,
            step_s=scenario.simulation.step_s,
            stop_when=target_reached,
            progress=lambda fraction: report(fraction, "co-simulation"),
        )
        return Day(
            result=result,
            drive_end_s=end_s,
            charge_time_s=_charge_time_s(result, end_s, target),
        )


def charge_slice(day: Day) -> slice:
    """Return the samples from plugging in to the end."""
    return slice(int(np.searchsorted(day.result.time_s, day.drive_end_s - 1e-6)), None)


def _charge_time_s(result: Result, start_s: float, target: float) -> float:
    soc, time_s = result["pack.soc"], result.time_s
    if soc[-1] < target or len(soc) < 2:
        return float("nan")
    if soc[-2] >= target:
        return float(time_s[-1] - start_s)
    share = (target - soc[-2]) / (soc[-1] - soc[-2])
    return float(time_s[-2] + share * (time_s[-1] - time_s[-2]) - start_s)


def _charge_run(day: Day, spec: SurrogateSpec, scenario: Scenario) -> ChargeRun:
    """Return the charge of a day as one of the worst cell, for limits and search."""
    part = charge_slice(day)
    series = {name: day.result[name][part][1:] for name in _CELL_SERIES}
    return ChargeRun(
        time_s=day.result.time_s[part][1:] - day.drive_end_s,
        current_A=series["pack.c_rate"] * spec.constants.nominal_capacity_Ah,
        soc=series["pack.soc"],
        voltage_V=series["pack.cell_voltage_max_V"],
        temperature_K=_above_start(
            day.result["pack.temperature_max_K"][part],
            scenario.charge.temperature_maximum_K,
        ),
        plating_potential_V=series["pack.plating_potential_min_V"],
        charge_time_s=day.charge_time_s,
    )


_CELL_SERIES = (
    "pack.c_rate",
    "pack.soc",
    "pack.cell_voltage_max_V",
    "pack.plating_potential_min_V",
)


def _above_start(temperature_K: Array, limit_K: float) -> Array:
    """Return the temperatures; a drive's heat is not held against the charge.

    If the charge starts above the limit, only what exceeds the start counts.
    """
    excess = max(0.0, float(temperature_K[0]) - limit_K)
    return temperature_K[1:] - excess
