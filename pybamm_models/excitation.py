"""Designed currents: seeded, pure, piecewise linear with knots on whole seconds.

A crude cell (open-circuit voltage, two resistances, one temperature) bounds every
level, so that runs seldom leave the voltage window in their first minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.facts import CellFacts, cell_facts
from packtwin.pybamm_models.request import Request

__all__ = ["KINDS", "Design", "design_requests"]

KINDS = ("levels", "charge", "discharge", "drive", "filtered", "sweep")
_SHARE = (0.19, 0.23, 0.14, 0.16, 0.1, 0.18)

_SLOW_S = 200.0
_FAST_OHM, _SLOW_OHM, _OHM_OF_Ah = 0.026, 0.022, 5.0  # of a cell of that size
_ACTIVATION_K = 2500.0
_HOT_K, _HOTTEST_K = 316.0, 330.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Ranges of a training set; every run lasts `duration_s`.

    `n_deep` more runs are single levels that end near an end of the window: cheap, and
    where the open-circuit voltage is steepest.
    """

    n_runs: int = 200
    n_deep: int = 60
    duration_s: int = 1800
    seed: int = 1
    soc_min: float = 0.05
    soc_max: float = 0.95
    temperature_min_K: float = 263.15
    temperature_max_K: float = 318.15
    coolant_min_K: float = 263.15
    coolant_max_K: float = 323.15
    heat_transfer_min_W_per_m2_K: float = 2.0
    heat_transfer_max_W_per_m2_K: float = 300.0


def design_requests(cell: Cell, design: Design) -> tuple[Request, ...]:
    """Return the requests of a design; the same design gives the same ones.

    The `n_deep` single levels come first, then the `n_runs` designed runs, whose start
    SOC, temperatures, heat transfer and amplitude are a Latin hypercube.
    """
    facts = cell_facts(cell)
    sampler = qmc.LatinHypercube(d=6, rng=np.random.default_rng(design.seed))
    samples = sampler.random(design.n_runs)
    bounds = np.cumsum(_SHARE) * design.n_runs
    order = np.random.default_rng([design.seed, 0]).permutation(design.n_runs)
    requests = [
        _deep_request(cell, facts, design, index) for index in range(design.n_deep)
    ]
    for index, sample in enumerate(samples):
        kind = KINDS[
            min(int(np.searchsorted(bounds, order[index], "right")), len(KINDS) - 1)
        ]
        rng = np.random.default_rng([design.seed, 1, index])
        requests.append(
            _request(cell, facts, design, f"{index:04d}_{kind}", kind, (sample, rng))
        )
    return tuple(requests)


class _Guard:
    """The crude cell that is advanced along a current being designed."""

    def __init__(
        self, cell: Cell, facts: CellFacts, soc: float, temperature_K: float
    ) -> None:
        self._cell, self._facts = cell, facts
        self.soc, self.temperature_K, self._slow_V = soc, temperature_K, 0.0

    def _resistances(self) -> tuple[float, float]:
        factor = float(np.exp(_ACTIVATION_K * (1 / self.temperature_K - 1 / 298.15)))
        factor *= _OHM_OF_Ah / self.nominal_capacity_Ah
        return _FAST_OHM * factor, _SLOW_OHM * factor

    @property
    def nominal_capacity_Ah(self) -> float:
        """Capacity that C-rates refer to."""
        return self._cell.nominal_capacity_Ah

    @property
    def current_max_A(self) -> float:
        """Largest current of the cell."""
        return self._cell.current_max_c_rate * self.nominal_capacity_Ah

    def limit_A(self, sign: int, duration_s: float) -> float:
        """Largest magnitude the cell bears in direction `sign` (+1 discharges)."""
        one_c_A = self._cell.nominal_capacity_Ah
        current_A = sign * np.linspace(0.0, self._cell.current_max_c_rate, 61) * one_c_A
        heat = (_HOTTEST_K - self.temperature_K) / (_HOTTEST_K - _HOT_K)
        cap_A = one_c_A * (0.3 + 2.7 * min(1.0, max(0.0, heat)))
        span_s = max(duration_s, 30.0)
        soc = self.soc - current_A * span_s / 3600.0 / self._facts.capacity_Ah
        fast, slow = self._resistances()
        decay = np.exp(-span_s / _SLOW_S)
        slow_V = self._slow_V * decay + current_A * slow * (1.0 - decay)
        voltage_V = self._facts.ocv_V(np.clip(soc, 0, 1)) - current_A * fast - slow_V
        if sign > 0:
            is_borne = (voltage_V >= self._cell.voltage_min_V + 0.1) & (soc >= 0.03)
        else:
            is_borne = (voltage_V <= self._cell.voltage_max_V) & (soc <= 0.98)
        is_borne &= np.abs(current_A) <= cap_A
        first_bad = int(np.argmin(is_borne)) if not is_borne.all() else len(is_borne)
        return float(abs(current_A[max(first_bad - 1, 0)]))

    def advance(
        self, current_A: float, duration_s: float, coolant_K: float, h: float
    ) -> None:
        """Move on by one level."""
        fast, slow = self._resistances()
        decay = float(np.exp(-duration_s / _SLOW_S))
        self._slow_V = self._slow_V * decay + current_A * slow * (1.0 - decay)
        self.soc -= current_A * duration_s / 3600.0 / self._facts.capacity_Ah
        loss_W = current_A**2 * (fast + 0.5 * slow)
        conductance = h * self._facts.cooling_area_m2
        rest = float(
            np.exp(-conductance / self._facts.heat_capacity_J_per_K * duration_s)
        )
        final_K = coolant_K + loss_W / conductance
        self.temperature_K = final_K + (self.temperature_K - final_K) * rest


def _request(
    cell: Cell,
    facts: CellFacts,
    design: Design,
    name: str,
    kind: str,
    draw: tuple[npt.NDArray[np.float64], np.random.Generator],
) -> Request:
    sample, rng = draw
    span = sample * 1.0
    soc = design.soc_min + span[0] * (design.soc_max - design.soc_min)
    if kind == "charge":
        soc = design.soc_min + 0.6 * (soc - design.soc_min)
    if kind in ("drive", "discharge"):
        soc = design.soc_max - 0.75 * (design.soc_max - soc)
    if kind == "sweep":
        soc = _sweep_start(float(span[0]), design, rng)
    start_K = design.temperature_min_K + span[1] * (
        design.temperature_max_K - design.temperature_min_K
    )
    coolant_K = design.coolant_min_K + span[2] * (
        design.coolant_max_K - design.coolant_min_K
    )
    if rng.random() < 0.5:  # a soaked cell: warm or cold with its surroundings
        soaked_K = start_K + 10.0 * (span[2] - 0.5)
        coolant_K = np.clip(soaked_K, design.coolant_min_K, design.coolant_max_K)
    h_low = np.log(design.heat_transfer_min_W_per_m2_K)
    h_high = np.log(design.heat_transfer_max_W_per_m2_K)
    h = float(np.exp(h_low + span[3] * (h_high - h_low)))
    guard = _Guard(cell, facts, float(soc), float(start_K))
    scale = 0.25 + 0.75 * float(span[4])
    levels = _levels(kind, guard, design, scale, (coolant_K, h), rng)
    time_s, current_A = _as_knots(levels, design.duration_s, kind == "filtered")
    drift_K = 16.0 * (float(span[5]) - 0.5) * float(rng.random() < 0.5)
    end_K = np.clip(coolant_K + drift_K, design.coolant_min_K, design.coolant_max_K)
    return Request(
        name=name,
        kind=kind,
        time_s=time_s,
        current_A=current_A,
        start_soc=float(soc),
        start_temperature_K=float(start_K),
        coolant_temperature_K=np.interp(
            time_s, [0.0, design.duration_s], [coolant_K, end_K]
        ),
        heat_transfer_coefficient_W_per_m2_K=h,
    )


def _sweep_start(position: float, design: Design, rng: np.random.Generator) -> float:
    """Start half of the sweeps at an end of the window, the others anywhere."""
    if rng.random() < 0.5:
        position = float(position > 0.5)
    return design.soc_min + position * (design.soc_max - design.soc_min)


def _deep_request(cell: Cell, facts: CellFacts, design: Design, index: int) -> Request:
    """One level that uses up what is left in its direction, in a soaked cell."""
    rng = np.random.default_rng([design.seed, 2, index])
    sign = 1 if rng.random() < 0.65 else -1
    c_rate = rng.uniform(0.3, 2.5)
    used = c_rate * design.duration_s / 3600.0
    low, high = min(0.7 * used, 0.88), min(0.9, used + 0.1)
    left = rng.uniform(max(0.15, low), max(0.25, high))
    soc = float(np.clip(left + 0.05, design.soc_min, design.soc_max))
    soc = soc if sign > 0 else 1.0 - soc
    start_K = rng.uniform(design.temperature_min_K, design.temperature_max_K)
    coolant_K = float(
        np.clip(
            start_K + rng.uniform(-5.0, 5.0),
            design.coolant_min_K,
            design.coolant_max_K,
        )
    )
    h_low = np.log(design.heat_transfer_min_W_per_m2_K)
    h_high = np.log(design.heat_transfer_max_W_per_m2_K)
    guard = _Guard(cell, facts, soc, start_K)
    level_A = min(c_rate * cell.nominal_capacity_Ah, guard.limit_A(sign, 30.0))
    time_s, current_A = _as_knots(
        [(design.duration_s, sign * level_A)], design.duration_s, is_ramp=False
    )
    return Request(
        name=f"deep_{index:03d}",
        kind="deep",
        time_s=time_s,
        current_A=current_A,
        start_soc=soc,
        start_temperature_K=float(start_K),
        coolant_temperature_K=np.full(time_s.shape, coolant_K),
        heat_transfer_coefficient_W_per_m2_K=float(np.exp(rng.uniform(h_low, h_high))),
    )


def _levels(
    kind: str,
    guard: _Guard,
    design: Design,
    scale: float,
    surroundings: tuple[float, float],
    rng: np.random.Generator,
) -> list[tuple[int, float]]:
    """Return (duration in s, current in A) until the run is full.

    A sweep is one level that ends at the run's end or a voltage limit.
    """
    levels: list[tuple[int, float]] = []
    total_s, state = 0, 0.0
    if kind == "sweep":
        sign = 1 if rng.random() < guard.soc else -1
        c_rate = float(np.exp(rng.uniform(np.log(0.1), np.log(2.5))))
        wanted_A = guard.nominal_capacity_Ah * c_rate
        return [(design.duration_s, sign * min(wanted_A, guard.limit_A(sign, 30.0)))]
    while total_s < design.duration_s:
        duration_s, share, state = _NEXT[kind](guard.soc, state, rng)
        sign = 1 if share > 0 else -1
        current_A = share * scale * guard.current_max_A
        limit_A = guard.limit_A(sign, float(duration_s)) * rng.uniform(0.85, 1.2)
        current_A = sign * min(abs(current_A), limit_A)
        guard.advance(current_A, float(duration_s), *surroundings)
        levels.append((duration_s, current_A))
        total_s += duration_s
    return levels


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


def _as_knots(
    levels: list[tuple[int, float]], duration_s: int, is_ramp: bool
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
    end_A = float(np.interp(duration_s, time_s, current_A))
    is_inside = np.asarray(time_s) < duration_s
    return (
        np.append(np.asarray(time_s)[is_inside], float(duration_s)),
        np.append(np.asarray(current_A)[is_inside], end_A),
    )
