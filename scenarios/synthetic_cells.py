"""Made records in the form of the measured ones, so that every machine walks the path.

Cells are circuits with known parameters: one that ages over many discharges, with rests
after which some capacity comes back, and one with pulses and discharges at two rates.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from packtwin.twin.ageing_circuit import CircuitNodes, ageing_circuit
from packtwin.twin.identification import Record, model_traces
from packtwin.twin.identification_problem import TEMPERATURE, VOLTAGE
from packtwin.twin.measurement import Measurement, Vector
from packtwin.twin.model import Model

__all__ = ["SEEDS", "synthetic_circuit", "write_ageing_cell", "write_pulsed_cell"]

_NODES = CircuitNodes(ocv=(0.0, 0.1, 0.4, 0.8, 1.0), resistance=(0.0, 0.15, 1.0))
_STARTS = {
    "capacity_fresh_Ah": 2.0,
    "fade_charge_Ah": 1e9,
    "inventory_share": 0.8,
    "pair_share": 1.0,
    "pair_1_time_s": 60.0,
    "ohmic_Ohm": 0.06,
    "heat_capacity_J_per_K": 45.0,
    "cooling_W_per_K": 0.06,
    "ocv_start_V": 3.2,
    **{f"ocv_step_{k}_V": v for k, v in enumerate((0.45, 0.25, 0.25, 0.2), 1)},
    **{f"resistance_{k}_Ohm": v for k, v in enumerate((0.2, 0.05, 0.04))},
    **{f"growth_{k}_Ohm": v for k, v in enumerate((0.6, 0.3, 0.15))},
}
_AMBIENT_K = 297.15
_CURRENT_A, _IDLE_S, _STEP_S = 2.0, 40.0, 20.0
_NOISE_V, _NOISE_K = 1e-3, 0.05
_FADE_Ah, _WANDER_Ah, _RECOVERY_Ah, _REST_EVERY = 0.006, 0.003, 0.03, 7
SEEDS = {"ageing_cell": 5, "pulsed_cell": 6}


def synthetic_circuit() -> Model:
    """Return the circuit of both cells with the values that make their records."""
    return ageing_circuit(_NODES, _STARTS)


def write_ageing_cell(path: Path, n: int) -> Vector:
    """Write `n` discharges as `.csv.gz` in NASA's columns; return the capacities.

    The capacity falls by 6 mAh a cycle and wanders by 3; every seventh follows a rest
    that gives 30 mAh back.
    """
    rng = np.random.default_rng(SEEDS["ageing_cell"])
    cycle = np.arange(n)
    wander_Ah = _WANDER_Ah * rng.normal(size=n)
    back_Ah = _RECOVERY_Ah * (_REST_EVERY - cycle % _REST_EVERY) / _REST_EVERY
    capacity_Ah = 2.0 - _FADE_Ah * cycle + wander_Ah + back_Ah * (cycle >= _REST_EVERY)
    lines = ["cycle,voltage,current,temperature,discharge_time"]
    for k, record in enumerate(_discharge(c) for c in capacity_Ah.tolist()):
        m = _followed(synthetic_circuit(), record, rng)
        temperature_C = np.asarray(m.temperature_K) - 273.15
        columns = (m.voltage_V, -m.current_A, temperature_C, m.time_s)
        lines += [
            f"{k + 1},{v:.5f},{i:.5f},{c:.4f},{t:.3f}"
            for v, i, c, t in zip(*columns, strict=True)
        ]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return capacity_Ah


def _discharge(capacity_Ah: float) -> Record:
    """Return a rest, a discharge to empty and a rest, without voltages yet."""
    end_s = _IDLE_S + 3.0 * _STEP_S + 3600.0 * capacity_Ah / _CURRENT_A
    time_s = np.concatenate(
        [[0.0, _IDLE_S, _IDLE_S + 1.0], np.arange(_IDLE_S + _STEP_S, end_s, _STEP_S)]
    )
    rest_s = time_s[-1] + 1.0 + _STEP_S * np.arange(12.0)
    current_A = np.full(len(time_s) + len(rest_s), _CURRENT_A)
    current_A[:2], current_A[len(time_s) :] = 0.0, 0.0
    return _record(
        np.concatenate([time_s, rest_s]), current_A, capacity_start_Ah=capacity_Ah
    )


def write_pulsed_cell(folder: Path) -> None:
    """Write `pulses.csv`, `1c.csv` and `2c.csv` in the columns of a Bitrode cycler."""
    rng = np.random.default_rng(SEEDS["pulsed_cell"])
    # Four times: a pulse, a rest, a charge pulse and a quarter of the charge.
    levels = [(4.0, 30.0), (0.0, 240.0), (-3.0, 10.0), (1.0, 1600.0)]
    parts = [(0.0, 60.0), *(levels * 4), (0.0, 600.0)]
    records = {"pulses": _steps(parts)}
    for name, current_A, hours in (("1c", 2.0, 0.96), ("2c", 4.0, 0.45)):
        records[name] = _steps(
            [(0.0, 60.0), (current_A, 3600.0 * hours), (0.0, 1200.0)]
        )
    for name, record in records.items():
        m = _followed(synthetic_circuit(), record, rng)
        lines = ["Time(s),Current(A),Voltage(V)"]
        lines += [
            f"{t:.2f},{i:.4f},{v:.5f}"
            for t, i, v in zip(m.time_s, -m.current_A, m.voltage_V, strict=True)
        ]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _steps(parts: Sequence[tuple[float, float]]) -> Record:
    """Return a record of currents held for times, sampled 25 times each."""
    time_s, current_A, now_s = [0.0], [parts[0][0]], 0.0
    for level_A, hold_s in parts:
        at_s = now_s + np.concatenate([[0.1], np.linspace(1.0, hold_s, 24)])
        time_s += at_s.tolist()
        current_A += [level_A] * len(at_s)
        now_s += hold_s
    return _record(np.array(time_s), np.array(current_A))


def _record(time_s: Vector, current_A: Vector, **parameters: float) -> Record:
    return Record(
        measurement=Measurement(
            name="made",
            time_s=time_s,
            current_A=current_A,
            voltage_V=np.zeros(len(time_s)),
        ),
        inputs={"ambient_temperature_K": _AMBIENT_K},
        parameters={"temperature_start_K": _AMBIENT_K, **parameters},
    )


def _followed(model: Model, record: Record, rng: np.random.Generator) -> Measurement:
    """Return the record with what the model shows, and noise."""
    series = (VOLTAGE, TEMPERATURE)
    ((_, _, found),) = model_traces(model, [record], None, series)
    noise = rng.normal(size=found.shape) * np.array([_NOISE_V, _NOISE_K])
    voltage_V, temperature_K = (found + noise).T
    return replace(
        record.measurement,
        voltage_V=voltage_V.copy(),
        temperature_K=temperature_K.copy(),
    )
