"""What the order of steps is worth to Gauss-Seidel: declared, turned, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_cosim_cases import (
    cell_and_controller,
    exact_cell,
    exact_quarter_car,
    quarter_car,
)
from packtwin.scenarios.bench_cosim_linear import exact_displacements, two_masses

__all__ = ["rows"]

Vector: TypeAlias = NDArray[np.float64]
Case: TypeAlias = tuple[str, System, Callable[[Vector], Vector], float, float]


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    cases: tuple[Case, ...] = (
        ("two masses", two_masses(), exact_displacements, 20.0, 0.1),
        ("quarter car", quarter_car(), exact_quarter_car, 2.0, 1e-3),
        ("cell", cell_and_controller(), exact_cell, 1200.0, 10.0),
    )
    found: list[BenchRow] = []
    for name, system, exact, stop_s, step_s in cases:
        turned = System(system.components[::-1], system.connections)
        errors = {}
        for label, one, master in (
            ("declared", system, GaussSeidel()),
            ("turned", turned, GaussSeidel()),
            ("measured", turned, GaussSeidel(is_measured=True)),
        ):
            result = simulate(one, stop_s=stop_s, step_s=step_s, master=master)
            # Columns by name, for the order of components differs.
            names = system.output_names
            values = np.column_stack([result[n] for n in names])
            errors[label] = _share(values, exact(result.time_s))
            what = f"{name}, {label} order: error, share of size"
            key = f"order.{name.replace(' ', '_')}.{label}"
            found.append(BenchRow(id=key, what=what, value=errors[label], unit="1"))
        best = min(errors["declared"], errors["turned"])
        gap = errors["measured"] / best
        what = f"{name}, measured order by the better of two"
        key = f"order.{name.replace(' ', '_')}.ratio"
        found.append(at_most(key, what, gap, "1", 1.05))
    return found


def _share(values: Vector, wanted: Vector) -> float:
    size = np.maximum(np.abs(wanted).max(axis=0), 1e-300)
    return float(np.sqrt(np.mean(((values - wanted) / size) ** 2)))
