"""The steps on which a model follows a measured record."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError
from packtwin.twin.identification_sensitivity import Steps
from packtwin.twin.measurement import Measurement, Vector
from packtwin.twin.model import Model
from packtwin.twin.variable import nearest_names

__all__ = ["choose_samples", "steps_of"]

_JUMP = 0.02  # of the largest current
_FIRST_S = 0.05
_GROWTH = 0.3
_COARSEST = 1.0 / 150.0  # of the record


def choose_samples(measurement: Measurement, n: int) -> NDArray[np.int64]:
    """Return at most `n` samples, half of them by time and half by voltage travelled.

    So the knees and pulses of a record count beside its long plateaus.
    """
    if n >= len(measurement.time_s):
        return np.arange(len(measurement.time_s), dtype=np.int64)
    time = measurement.time_s - measurement.time_s[0]
    travel = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(measurement.voltage_V)))])
    measure = time / time[-1] + travel / max(float(travel[-1]), 1e-12)
    at = np.searchsorted(measure, np.linspace(0.0, measure[-1], n))
    return np.unique(np.clip(at, 0, len(time) - 1)).astype(np.int64)


def steps_of(
    measurement: Measurement,
    model: Model,
    samples: NDArray[np.int64],
    inputs: Mapping[str, float],
    *,
    refinement: int = 1,
) -> Steps:
    """Return steps that end at the samples and are short after jumps of the current.

    The current of a step is the mean of the measured one, so charge is conserved; it
    jumps where the measured one does. `ambient_temperature_K` follows the measured
    temperature unless `inputs` gives it.

    Args:
        measurement: The record.
        model: Has an input `current_A`.
        samples: Indices of the samples at which outputs are wanted.
        inputs: Values of the model's other inputs, start values otherwise.
        refinement: Cut every step into so many.
    """
    known = model.interface.input_names
    for name in ("current_A", *inputs):
        if name not in known:
            msg = (
                f"Model `{model.name}` has no input `{name}`; nearest: "
                f"{nearest_names(name, known)}."
            )
            raise InterfaceError(msg)
    time_s, current = measurement.time_s, measurement.current_A
    jumps = _jumps(current)
    fixed = np.unique(np.concatenate([[0, len(time_s) - 1], samples, jumps, jumps + 1]))
    fixed = fixed[fixed <= max(int(samples[-1]), 1)]
    longest_s = measurement.duration_s * _COARSEST
    grid = _grid(time_s[fixed], set(time_s[jumps + 1].tolist()), longest_s, refinement)
    row = np.array([inputs.get(v.name, v.start) for v in model.interface.inputs])
    means = np.tile(row, (len(grid) - 1, 1))
    ends = np.tile(row, (len(samples), 1))
    k = known.index("current_A")
    means[:, k] = np.diff(_charge_at(measurement, grid)) / np.diff(grid)
    ends[:, k] = current[samples]
    ambient = "ambient_temperature_K"
    if (
        measurement.temperature_K is not None
        and ambient in known
        and ambient not in inputs
    ):
        k = known.index(ambient)
        middle = (grid[1:] + grid[:-1]) / 2.0
        means[:, k] = np.interp(middle, time_s, measurement.temperature_K)
        ends[:, k] = measurement.temperature_K[samples]
    return Steps(
        time_s=grid - grid[0],
        inputs=means,
        samples=np.searchsorted(grid, time_s[samples]).astype(np.int64),
        sample_inputs=ends,
    )


def _jumps(current: Vector) -> NDArray[np.int64]:
    """Return the samples after which the current jumps."""
    limit = _JUMP * float(np.max(np.abs(current)))
    return np.flatnonzero(np.abs(np.diff(current)) > limit).astype(np.int64)


def _grid(
    fixed_s: Vector, after_jump: set[float], longest_s: float, refinement: int
) -> Vector:
    """Return the fixed times with steps between that grow with time since a jump."""
    parts: list[Vector] = [fixed_s[:1]]
    jump_s = float(fixed_s[0])
    for begin, end in pairwise(fixed_s.tolist()):
        inner, now = [], float(begin)
        while now < end:
            step = min(max(_FIRST_S, _GROWTH * (now - jump_s)), longest_s)
            left = float(end) - now
            now = float(end) if left < 1.5 * step else now + step
            inner.append(now)
        knots = np.array([float(begin), *inner])
        if refinement > 1:
            at = np.linspace(0.0, len(inner), len(inner) * refinement + 1)
            knots = np.interp(at, np.arange(len(knots)), knots)
            knots[-1] = end
        parts.append(knots[1:])
        if float(end) in after_jump:
            jump_s = float(end)
    return np.concatenate(parts)


def _charge_at(measurement: Measurement, time_s: Vector) -> Vector:
    """Return the integral of the piecewise linear current, in A s."""
    t, current = measurement.time_s, measurement.current_A
    total = measurement.charge_Ah * 3600.0
    k = np.clip(np.searchsorted(t, time_s, side="right") - 1, 0, len(t) - 2)
    d = time_s - t[k]
    slope = (current[k + 1] - current[k]) / (t[k + 1] - t[k])
    return np.asarray(total[k] + d * (current[k] + 0.5 * d * slope))
