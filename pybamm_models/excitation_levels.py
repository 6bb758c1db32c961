"""The levels of a designed run, kind by kind, and their knots.

A law of `_NEXT` returns the next duration in s, the current as a share of the largest
and its own state, given the state of charge and that state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.crude_cell import CrudeCell

__all__ = ["as_knots", "draw_levels"]


def draw_levels(
    kind: str,
    cell: CrudeCell,
    run_s: int,
    scale: float,
    surroundings: tuple[float, float],
    rng: np.random.Generator,
) -> list[tuple[int, float]]:
    """Return (duration in s, current in A) until the run is full.

    A sweep is one level that ends at the run's end or a voltage limit.

    Args:
        kind: One of `excitation.KINDS`.
        cell: Bounds every level and is advanced along them.
        run_s: Duration of the run.
        scale: Share of the largest current that the levels are drawn from.
        surroundings: Coolant temperature, K, and heat transfer coefficient, W/(m2.K).
        rng: Drawn from.
    """
    levels: list[tuple[int, float]] = []
    total_s, state = 0, 0.0
    if kind == "sweep":
        sign = 1 if rng.random() < cell.soc else -1
        c_rate = float(np.exp(rng.uniform(np.log(0.1), np.log(2.5))))
        wanted_A = cell.nominal_capacity_Ah * c_rate
        return [(run_s, sign * min(wanted_A, cell.limit_A(sign, 30.0)))]
    while total_s < run_s:
        duration_s, share, state = _NEXT[kind](cell.soc, state, rng)
        sign = 1 if share > 0 else -1
        current_A = share * scale * cell.current_max_A
        limit_A = cell.limit_A(sign, float(duration_s)) * rng.uniform(0.85, 1.2)
        current_A = sign * min(abs(current_A), limit_A)
        cell.advance(current_A, float(duration_s), *surroundings)
        levels.append((duration_s, current_A))
        total_s += duration_s
    return levels


def as_knots(
    levels: list[tuple[int, float]], run_s: int, is_ramp: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return knots from 0 A; a level is reached within 1 s, a ramp at its end."""
    time_s, current_A = [0.0], [0.0]
    now_s = 0
    for level_s, level_A in levels:
        if not is_ramp:
            time_s.append(now_s + 1.0)
            current_A.append(level_A)
        now_s += level_s
        if now_s > time_s[-1]:
            time_s.append(float(now_s))
            current_A.append(level_A)
    end_A = float(np.interp(run_s, time_s, current_A))
    is_inside = np.asarray(time_s) < run_s
    return (
        np.append(np.asarray(time_s)[is_inside], float(run_s)),
        np.append(np.asarray(current_A)[is_inside], end_A),
    )


def _sign(p_discharge: float, rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < p_discharge else -1.0


def _next_level(
    soc: float, state: float, rng: np.random.Generator
) -> tuple[int, float, float]:
    duration_s = round(float(np.exp(rng.uniform(np.log(3.0), np.log(120.0)))))
    if rng.random() < 0.1:
        return duration_s, 0.0, state
    p = float(np.clip(0.5 + 0.9 * (soc - 0.5), 0.1, 0.9))
    return duration_s, _sign(p, rng) * rng.uniform(0.02, 1.0), state


def _next_charge(
    soc: float, state: float, rng: np.random.Generator
) -> tuple[int, float, float]:
    return _next_long(-1.0, 1.0 - soc, state, rng)


def _next_discharge(
    soc: float, state: float, rng: np.random.Generator
) -> tuple[int, float, float]:
    return _next_long(1.0, soc, state, rng)


def _next_long(
    sign: float, room: float, state: float, rng: np.random.Generator
) -> tuple[int, float, float]:
    """Taper from a high level in one direction, with some rests and pulses."""
    draw = rng.random()
    if draw < 0.12:
        return int(rng.integers(10, 180)), 0.0, 0.0
    if draw < 0.22:
        return int(rng.integers(3, 25)), _sign(0.5, rng) * rng.uniform(0.1, 1.0), state
    level = rng.uniform(0.3, 1.0) if state < 0.08 else state * rng.uniform(0.75, 1.0)
    if room < 0.04:
        return int(rng.integers(60, 300)), -sign * rng.uniform(0.1, 1.0), 0.0
    return int(rng.integers(20, 300)), sign * level, level


def _next_drive(
    soc: float, state: float, rng: np.random.Generator
) -> tuple[int, float, float]:
    """Random walk about a mean discharge with strong pulses of both signs."""
    state = float(np.clip(0.9 * state + rng.normal(0.03, 0.08), -0.15, 0.4))
    if soc < 0.1:
        state = -abs(state)
    draw = rng.random()
    if draw < 0.2:
        return int(rng.integers(2, 12)), rng.uniform(0.3, 1.0), state
    if draw < 0.35:
        return int(rng.integers(2, 10)), -rng.uniform(0.1, 0.7), state
    if draw < 0.45:
        return int(rng.integers(5, 60)), 0.0, state
    return int(rng.integers(2, 15)), state, state


def _next_filtered(
    soc: float, state: float, rng: np.random.Generator
) -> tuple[int, float, float]:
    duration_s = int(rng.integers(3, 15))
    keep = float(np.exp(-duration_s / 40.0))
    pull = 0.35 * (soc - 0.5)
    noise = rng.normal(0.0, 0.45) * np.sqrt(1.0 - keep**2)
    state = float(np.clip(pull + (state - pull) * keep + noise, -1.0, 1.0))
    return duration_s, state, state


_NEXT = {
    "levels": _next_level,
    "charge": _next_charge,
    "discharge": _next_discharge,
    "drive": _next_drive,
    "filtered": _next_filtered,
}
