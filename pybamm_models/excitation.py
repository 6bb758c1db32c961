"""Designed currents: seeded, pure, piecewise linear with knots on whole seconds.

A `CrudeCell` bounds every level, so that runs seldom leave the voltage window in their
first minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.crude_cell import CrudeCell
from packtwin.pybamm_models.excitation_levels import as_knots, draw_levels
from packtwin.pybamm_models.facts import CellFacts, cell_facts
from packtwin.pybamm_models.request import Request

__all__ = ["KINDS", "Design", "design_requests"]

KINDS = ("levels", "charge", "discharge", "drive", "filtered", "sweep")
_SHARE = (0.19, 0.23, 0.14, 0.16, 0.1, 0.18)
_PULSE_SOC, _PULSES_S, _PULSE_S = (0.005, 0.995), 100, (2, 40)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Ranges of a training set; every designed run lasts `duration_s`.

    `n_whole` more runs go from one end of the window towards the other and last up to
    twice as long: profiles in the electrodes that a shorter run never reaches.

    `n_deep` more runs are single levels that end near an end of the window, where the
    open-circuit voltage is steepest. `n_pulse` more are a minute or two of strong
    pulses from rest at any state of charge, most of them beyond what the cell bears:
    what a power limit asks about.
    """

    n_runs: int = 200
    n_deep: int = 60
    n_whole: int = 0
    n_pulse: int = 0
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

    The pulses come first, then the `n_deep` single levels, the `n_whole` long runs and
    the `n_runs` designed ones, whose start SOC, temperatures, heat transfer and
    amplitude are a Latin hypercube.
    """
    facts = cell_facts(cell)
    sampler = qmc.LatinHypercube(d=6, rng=np.random.default_rng(design.seed))
    samples = sampler.random(design.n_runs)
    bounds = np.cumsum(_SHARE) * design.n_runs
    order = np.random.default_rng([design.seed, 0]).permutation(design.n_runs)
    requests = [_pulse_request(cell, design, index) for index in range(design.n_pulse)]
    requests += [
        _deep_request(cell, facts, design, index) for index in range(design.n_deep)
    ]
    requests += [
        _whole_request(cell, facts, design, index) for index in range(design.n_whole)
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
    guard = CrudeCell(cell, facts, float(soc), float(start_K))
    scale = 0.25 + 0.75 * float(span[4])
    levels = draw_levels(kind, guard, design.duration_s, scale, (coolant_K, h), rng)
    time_s, current_A = as_knots(levels, design.duration_s, kind == "filtered")
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


def _pulse_request(cell: Cell, design: Design, index: int) -> Request:
    """Pulses of any rate and sign, with rests, in a soaked cell."""
    rng = np.random.default_rng([design.seed, 3, index])
    most_A = cell.current_max_c_rate * cell.nominal_capacity_Ah
    levels: list[tuple[int, float]] = []
    while sum(duration_s for duration_s, _ in levels) < _PULSES_S:
        level_A = 0.0 if levels and rng.random() < 0.25 else rng.uniform(-1.0, 1.0)
        levels.append((int(rng.integers(*_PULSE_S)), float(level_A * most_A)))
    time_s, current_A = as_knots(levels, _PULSES_S, is_ramp=False)
    start_K = float(rng.uniform(design.temperature_min_K, design.temperature_max_K))
    h = rng.uniform(
        np.log(design.heat_transfer_min_W_per_m2_K),
        np.log(design.heat_transfer_max_W_per_m2_K),
    )
    return Request(
        name=f"pulse_{index:03d}",
        kind="pulse",
        time_s=time_s,
        current_A=current_A,
        start_soc=float(rng.uniform(*_PULSE_SOC)),
        start_temperature_K=start_K,
        coolant_temperature_K=np.full(time_s.shape, start_K),
        heat_transfer_coefficient_W_per_m2_K=float(np.exp(h)),
    )


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
    guard = CrudeCell(cell, facts, soc, start_K)
    level_A = min(c_rate * cell.nominal_capacity_Ah, guard.limit_A(sign, 30.0))
    knots = as_knots(
        [(design.duration_s, sign * level_A)], design.duration_s, is_ramp=False
    )
    return _soaked_request(design, f"deep_{index:03d}", "deep", knots, guard, rng)


def _whole_request(cell: Cell, facts: CellFacts, design: Design, index: int) -> Request:
    """One to three levels in one direction through the window, in a soaked cell."""
    rng = np.random.default_rng([design.seed, 4, index])
    sign = 1 if rng.random() < 0.65 else -1
    left = float(rng.uniform(design.soc_max - 0.15, design.soc_max))
    start_K = rng.uniform(design.temperature_min_K, design.temperature_max_K)
    guard = CrudeCell(cell, facts, left if sign > 0 else 1.0 - left, start_K)
    # A run may leave the window early: cold cells bear more than the crude one says.
    most_A, most_c_rate = 2.0 * guard.limit_A(sign, 30.0), cell.current_max_c_rate
    levels, total_s = [], 0
    for more in reversed(range(int(rng.integers(1, 4)))):
        share = rng.random()
        c_rate = 0.3 * (most_c_rate / 0.3) ** share
        if sign < 0:  # fast charging is what a pack is designed for
            c_rate = 0.3 + share * (most_c_rate - 0.3)
        level_A = min(c_rate * cell.nominal_capacity_Ah, most_A)
        part = rng.uniform(0.2, 0.7) if more else 1.1
        level_s = round(3600.0 * part * left * facts.capacity_Ah / level_A)
        level_s = min(level_s, 2 * design.duration_s - total_s)
        levels.append((level_s, sign * level_A))
        total_s += level_s
        left -= level_s * level_A / (3600.0 * facts.capacity_Ah)
    knots = as_knots(levels, total_s, is_ramp=False)
    return _soaked_request(design, f"whole_{index:03d}", "whole", knots, guard, rng)


def _soaked_request(
    design: Design,
    name: str,
    kind: str,
    knots: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    start: CrudeCell,
    rng: np.random.Generator,
) -> Request:
    """Return a request with a coolant close to the start's temperature."""
    time_s, current_A = knots
    coolant_K = float(
        np.clip(
            start.temperature_K + rng.uniform(-5.0, 5.0),
            design.coolant_min_K,
            design.coolant_max_K,
        )
    )
    h_low = np.log(design.heat_transfer_min_W_per_m2_K)
    h_high = np.log(design.heat_transfer_max_W_per_m2_K)
    return Request(
        name=name,
        kind=kind,
        time_s=time_s,
        current_A=current_A,
        start_soc=start.soc,
        start_temperature_K=float(start.temperature_K),
        coolant_temperature_K=np.full(time_s.shape, coolant_K),
        heat_transfer_coefficient_W_per_m2_K=float(np.exp(rng.uniform(h_low, h_high))),
    )
