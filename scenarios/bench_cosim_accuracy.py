"""Accuracy of masters on the two-mass problem, by what its components can do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from packtwin.cosim.masters import AbstractMaster, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.scenarios.bench import BenchRow, at_least, at_most
from packtwin.scenarios.bench_cosim_linear import (
    CUBIC,
    DURATION_S,
    exact_displacements,
    two_masses,
)
from packtwin.twin.component import Capabilities

__all__ = ["rms_error", "rows"]

_CONSTANT = replace(CUBIC, input_order=0)
_NO_REWIND = replace(CUBIC, can_rewind=False)
_EQUAL_ERROR_M = 2e-4


def _run(
    master: AbstractMaster, step_s: float, *able: Capabilities
) -> tuple[float, int]:
    """Return the RMS error in m and the steps of both components together."""
    system = two_masses(*able)
    result = simulate(system, stop_s=DURATION_S, step_s=step_s, master=master)
    counts = result.stats.counts
    n_step = sum(n for name, n in counts.items() if name.startswith("steps of"))
    error = rms_error(result.values, result.time_s)
    return error, n_step or 2 * result.stats.step_count


def rms_error(values: np.ndarray, time_s: np.ndarray) -> float:
    """Return the RMS difference from the exact displacements, m."""
    return float(np.sqrt(np.mean((values - exact_displacements(time_s)) ** 2)))


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    smooth, held = Iterated(), Iterated(substep_count=4)
    at_01, _ = _run(smooth, 0.1)
    at_02, _ = _run(smooth, 0.2)
    at_04, n_smooth = _run(smooth, 0.4)
    one, _ = _run(smooth, 0.1, _CONSTANT, _CONSTANT)
    four, _ = _run(held, 0.1, _CONSTANT, _CONSTANT)
    step_s = 2.5e-4  # close to the step of equal error
    jacobi, n_jacobi = _run(Jacobi(), step_s, _CONSTANT, _CONSTANT)
    coarse, _ = _run(Jacobi(), 0.1, _CONSTANT, _CONSTANT)
    # Both at the same error: first order for one, fourth for the other.
    n_jacobi_equal = n_jacobi * jacobi / _EQUAL_ERROR_M
    n_smooth_equal = n_smooth * (at_04 / _EQUAL_ERROR_M) ** 0.25
    one_missing, _ = _run(smooth, 0.1, CUBIC, _NO_REWIND)
    all_missing, _ = _run(smooth, 0.1, _NO_REWIND, _NO_REWIND)
    bare, _ = _run(smooth, 0.1, Capabilities(), Capabilities())
    what = "two masses, RMS at 0.1 s"
    return [
        at_most("smooth.rms", f"{what}, cubic inputs", at_01, "m", 2e-6),
        at_least(
            "smooth.order",
            "order from 0.2 to 0.1 s",
            math.log2(at_02 / at_01),
            "1",
            3.7,
        ),
        at_most("smooth.rms.coarse", "the same at 0.4 s", at_04, "m", 3e-4),
        at_most("constant.one", f"{what}, constant inputs, 1 substep", one, "m", 2e-3),
        at_most("constant.four", f"{what}, constant inputs, 4", four, "m", 1.2e-4),
        at_least(
            "steps.ratio",
            "steps of zero-order-hold Jacobi by ours at RMS 2e-4 m",
            n_jacobi_equal / n_smooth_equal,
            "1",
            100.0,
        ),
        BenchRow(id="jacobi.rms", what=f"{what}, Jacobi", value=coarse, unit="m"),
        at_most("rewind.all", f"{what}, all can rewind", at_01, "m", 2e-6),
        at_most("rewind.not_one", f"{what}, one cannot", one_missing, "m", 2e-3),
        at_most("rewind.none", f"{what}, none can", all_missing, "m", 9e-3),
        at_most(
            "rewind.bare", f"{what}, constants, no slopes, none can", bare, "m", 9e-3
        ),
    ]
