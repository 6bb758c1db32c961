"""A synthetic but realistic day: a drive, then a charge by MPC and by CC-CV."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.report_numbers import report_certificate, report_summary

Vector = NDArray[np.float64]
CAPACITY_AH = 5.0
N_SERIES, N_PARALLEL = 96, 31
DRIVE_S = 2400


@dataclass(kw_only=True)
class Recording:
    """What the report reads of a run."""

    time_s: Vector
    series: dict[str, Vector]
    provenance: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Replay:
    """The DFN on the current of the mean cell."""

    time_s: Vector
    voltage_V: Vector
    temperature_K: Vector
    plating_potential_V: Vector
    soc: Vector


@dataclass(kw_only=True)
class Case:
    """Everything `write_report` takes, to be changed by a test."""

    title: str = "Model 3, WLTC + US06 at 35 °C, then 10 → 80 %"
    scenario_text: str = '[scenario]\nname = "ev_fast_charge_day"\nnote = "<&>"\n'
    results: dict[str, Recording]
    replays: dict[str, Replay | None]
    certificate: dict[str, Any]
    summary: dict[str, Any]
    stages: list[dict[str, Any]]

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `write_report`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _drive() -> tuple[Vector, Vector, Vector]:
    time = np.arange(DRIVE_S + 1.0)
    generator = np.random.default_rng(3)
    raw = np.convolve(generator.normal(size=len(time)), np.ones(40) / 40, "same")
    envelope = 14 + 14 * (time > 700) + 8 * (time > 1400)
    speed = np.clip(envelope * (0.6 + 4 * raw) * np.sin(np.pi * time / 300) ** 2, 0, 38)
    speed = np.convolve(speed, np.ones(9) / 9, "same")
    speed[[0, -1]] = 0.0
    acceleration = np.gradient(speed)
    wheel = speed * (1850 * acceleration + 170 + 0.38 * speed**2)
    power = np.where(wheel > 0, wheel / 0.88, np.maximum(wheel * 0.8, -6e4)) + 700.0
    return time, speed, power


def _run(is_mpc: bool) -> Recording:
    time, speed, power = _drive()
    rate = power / (N_SERIES * 3.7 * N_PARALLEL * CAPACITY_AH)
    soc = 0.55 - np.cumsum(rate) / 3600
    soc = 0.1 + (soc - soc[-1]) * 0.45 / (soc[0] - soc[-1])
    duration = 1750 if is_mpc else 2900
    after = np.arange(1.0, duration + 1)
    shape = (
        np.interp(after, [0, 30, 300, duration], [0.5, 2.3, 2.2, 0.9])
        if is_mpc
        else np.interp(after, [0, 10, 2300, duration], [0.2, 1.0, 1.0, 0.6])
    )
    charge_rate = -shape * 0.7 * 3600 / shape.sum()
    charge_soc = 0.1 - np.cumsum(charge_rate) / 3600
    rate = np.concatenate([rate, charge_rate])
    soc = np.concatenate([soc, charge_soc])
    time = np.arange(len(rate), dtype=float)
    ocv = 3.35 + 0.75 * soc + 0.05 * np.sin(9 * soc)
    smooth = np.convolve(rate, np.ones(30) / 30, "same")
    voltage = ocv - 0.08 * rate - 0.06 * smooth
    heat = 0.6 * rate**2
    warm = (
        308.15
        + 6.5 * np.convolve(heat, np.exp(-np.arange(900) / 300) / 300)[: len(rate)]
    )
    plating = 0.09 - 0.055 * -smooth - 0.05 * (soc - 0.3)
    plating = np.maximum(plating, 0.010) if is_mpc else plating - 0.012
    is_driving = (time <= DRIVE_S).astype(float)
    pad = np.zeros(len(rate) - len(speed))
    decision = np.floor(np.maximum(time - DRIVE_S, 0) / 30)
    generator = np.random.default_rng(5)
    solve = (0.011 + generator.gamma(2.0, 0.002, size=int(decision[-1]) + 1))[
        decision.astype(int)
    ]
    series = {
        "cycle.speed_m_per_s": np.concatenate([speed, pad]),
        "cycle.is_driving": is_driving,
        "cycle.ambient_temperature_K": np.full(len(rate), 308.15),
        "pack.c_rate": rate,
        "pack.power_W": np.concatenate([power, charge_rate * 5.6e4]),
        "pack.voltage_V": N_SERIES * voltage,
        "pack.soc": soc,
        "pack.cell_voltage_mean_V": voltage,
        "pack.cell_voltage_max_V": voltage + 0.006,
        "pack.plating_potential_min_V": plating,
        "pack.temperature_mean_K": warm,
        "pack.temperature_min_K": warm - 0.4,
        "pack.temperature_max_K": warm + 1.4,
        "pack.is_in_domain": np.ones(len(rate)),
        "cooling.coolant_temperature_K": 308.15 + 0.55 * (warm - 308.15),
        "charger.is_charging": 1.0 - is_driving,
    }
    if is_mpc:
        series["charger.solve_time_s"] = solve * (1.0 - is_driving)
        series["charger.slack_V"] = np.zeros(len(rate))
    provenance = {"packtwin": "0.1.0", "master": "Gauss-Seidel, 1 s"}
    return Recording(time_s=time, series=series, provenance=provenance)


def _replay(run: Recording, offset_V: float) -> Replay:
    part = run.time_s >= DRIVE_S
    time = run.time_s[part]
    wave = np.sin(2 * np.pi * (time - time[0]) / 700)
    return Replay(
        time_s=time,
        voltage_V=run.series["pack.cell_voltage_mean_V"][part] + 3e-3 * wave,
        temperature_K=run.series["pack.temperature_mean_K"][part] - 0.1 * wave,
        plating_potential_V=run.series["pack.plating_potential_min_V"][part]
        + offset_V
        - 4e-3 * wave,
        soc=run.series["pack.soc"][part],
    )


def make_case() -> Case:
    """Return everything that `write_report` takes."""
    mpc, cccv = _run(is_mpc=True), _run(is_mpc=False)
    stages = [
        {"name": n, "seconds": s, "status": w, "fingerprint": f, "reason": ""}
        for n, s, w, f in (
            ("generate", 0.0, "up to date", "9f8a61c0"),
            ("train", 0.0, "up to date", "41d2e077"),
            ("certify", 0.0, "up to date", "77b0a4c2"),
            ("export", 4.2, "run", "0c1f9a55"),
            ("simulate", 31.5, "run", "b1d5e2a8"),
        )
    ]
    return Case(
        results={"mpc": mpc, "cccv": cccv},
        replays={"mpc": _replay(mpc, 2e-3), "cccv": _replay(cccv, -5e-3)},
        certificate=report_certificate(),
        summary=report_summary(),
        stages=stages,
    )
