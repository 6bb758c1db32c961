"""What error is left when a tolerance is asked: four problems, five tolerances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.masters import Adaptive, GaussSeidel
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios import bench_cosim_bouncing as bouncing
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_cosim_bouncing import Ball
from packtwin.scenarios.bench_cosim_cases import (
    cell_and_controller,
    exact_cell,
    exact_quarter_car,
    quarter_car,
)
from packtwin.scenarios.bench_cosim_linear import exact_displacements, two_masses
from packtwin.twin.component import Component

__all__ = ["rows"]

Vector: TypeAlias = NDArray[np.float64]

_TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_CASES: tuple[
    tuple[str, Callable[[], System], Callable[[Vector], Vector], float, float], ...
] = (
    ("two_masses", two_masses, exact_displacements, 20.0, 2.0),
    ("quarter_car", quarter_car, exact_quarter_car, 1.0, 0.05),
    ("cell", cell_and_controller, exact_cell, 600.0, 60.0),
)
_BOND = PowerBond("leg", effort="chassis.force_N", flow="wheel.speed_m_per_s")


@final
class _OneWay:
    """A component that cannot go back."""

    def __init__(self, component: Component) -> None:
        self._component = component
        self.capabilities = replace(component.capabilities, can_rewind=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._component, name)


def _one_way(system: System) -> System:
    return System([_OneWay(c) for c in system.components], system.connections)


def _ratio(
    system: System,
    exact: Callable[[Vector], Vector],
    span: tuple[float, float],
    tolerance: float,
) -> float:
    """Return the largest error of the run by the tolerance."""
    master = Adaptive(tolerance=tolerance)
    result = simulate(system, stop_s=span[0], step_s=span[1], master=master)
    wanted = exact(result.time_s)
    nominal = [v.nominal for c in system.components for v in c.interface.outputs]
    error = np.abs(result.values - wanted) / np.maximum(nominal, np.abs(wanted))
    return float(error.max()) / tolerance


def _bouncing_ratio(tolerance: float) -> tuple[float, float]:
    """Return the errors of states and impact times by the tolerance."""
    system = bouncing.bouncing()
    step_s = 0.1
    result = simulate(
        system,
        stop_s=bouncing.DURATION_S,
        step_s=step_s,
        master=Adaptive(tolerance=tolerance),
    )
    wanted, impacts = bouncing.exact_bouncing(result.time_s)
    away = np.abs(result.time_s[:, None] - np.array(impacts)).min(axis=1) > step_s
    error = np.abs(result.values - wanted)[away] / np.maximum(1.0, np.abs(wanted[away]))
    ball = system.components[0]
    found = ball.impacts if isinstance(ball, Ball) else ()
    if len(found) != len(impacts):
        return float("inf"), float("inf")
    late = np.abs(np.subtract(found, impacts)).max()
    return float(error.max()) / tolerance, float(late) / tolerance


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    found: list[BenchRow] = []
    for name, make, exact, stop_s, step_s in _CASES:
        span = (stop_s, step_s)
        blind = [_ratio(_one_way(make()), exact, span, t) for t in _TOLERANCES[:-1]]
        what = f"{name}: the same to 1e-5, no component can rewind"
        found.append(at_most(f"one_way.{name}", what, max(blind), "1", 10.0))
        ratios = [_ratio(make(), exact, span, t) for t in _TOLERANCES]
        for word, value in (("most", max(ratios)), ("least", min(ratios))):
            what = f"{name}: error by tolerance, {word} of 1e-2 to 1e-6"
            if word == "most":
                found.append(at_most(f"tolerance.{name}", what, value, "1", 10.0))
            else:
                key = f"tolerance.{name}.least"
                found.append(BenchRow(id=key, what=what, value=value, unit="1"))
    pairs = [_bouncing_ratio(t) for t in _TOLERANCES]
    for k, what in enumerate(("states away from impacts", "impact times")):
        key = f"tolerance.bouncing.{('states', 'times')[k]}"
        value = max(pair[k] for pair in pairs)
        found.append(at_most(key, f"bouncing: {what} by tolerance", value, "1", 10.0))
    for master, key in ((Adaptive(tolerance=1e-4), "ours"), (GaussSeidel(), "held")):
        step_s = 0.05 if key == "ours" else 1e-3
        result = simulate(
            quarter_car(), stop_s=1.0, step_s=step_s, master=master, bonds=[_BOND]
        )
        lost = np.abs(result["leg.residual_J"]).max() / abs(result["leg.energy_J"][-1])
        what = f"quarter car: energy lost across the leg, {master.name}"
        found.append(
            BenchRow(id=f"energy.{key}", what=what, value=float(lost), unit="1")
        )
    return found
