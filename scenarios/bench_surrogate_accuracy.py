"""Errors of the shipped hybrid cell against the truth, by the targets' groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_surrogate_cases import FAST_C_RATE, Bench
from packtwin.twin.certificate import run_errors
from packtwin.twin.certificate_target import RunError
from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = ["accuracy_rows", "rows", "temperature_rows"]

Progress: TypeAlias = Callable[[float, str], None]

_FREEZING_K = 273.15
_VOLTAGE, _PLATING = "voltage_V", "plating_potential_V"


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Measure the groups; a part of `packtwin bench surrogate`."""
    progress(0.0, "held-out runs")
    errors, _ = run_errors(bench.spec, bench.held_out)
    progress(0.5, "strong charges")
    strong, _ = run_errors(bench.spec, bench.strong)
    found = list(accuracy_rows(errors, strong))
    progress(0.7, "hours")
    return [*found, *temperature_rows(bench.spec, bench.hours)]


def accuracy_rows(
    errors: Sequence[RunError], strong: Sequence[RunError]
) -> Iterator[BenchRow]:
    """Judge the errors of held-out runs and of strong charges."""
    long = [e for e in errors if not e.is_short]
    usual = [e for e in long if _rate(e) <= FAST_C_RATE]
    warm = [e for e in usual if e.start_temperature_K >= _FREEZING_K]
    cold = [e for e in usual if e.start_temperature_K < _FREEZING_K]
    slow = [e for e in cold if _rate(e) <= 1.0]
    steady = [e for e in slow if _rate(e) > 0.0]
    swift = [e for e in strong if not e.is_short]
    charges = [e for e in usual if e.labels.get("kind") == "constant_charge"]
    charges += swift
    text = "drive cycles and constant currents"
    yield from _group(
        "voltage.warm", f"V, {text} up to 2C, 0-45 °C", warm, _VOLTAGE, (2.0, 6.0, 10.0)
    )
    yield from _group(
        "voltage.cold", f"V, {text} up to 1C, -10 °C", slow, _VOLTAGE, (6.0,)
    )
    constant = "V, constant currents up to 1C, -10 °C"
    yield from _group("voltage.cold_constant", constant, steady, _VOLTAGE, ())
    yield from _group("voltage.cold_all", f"V, {text}, -10 °C", cold, _VOLTAGE, ())
    yield from _group("voltage.3C", "V, 3C charge, >= 15 °C", swift, _VOLTAGE, (6.0,))
    yield from _group(
        "plating.charges",
        "plating potential, all charges",
        charges,
        _PLATING,
        (3.0, 8.0),
    )
    known = {e.name: e for e in (*errors, *strong) if e.is_short}
    short = list(known.values())
    for key, label in ((_VOLTAGE, "V"), (_PLATING, "plating potential")):
        if short:
            what = f"{label}, runs under 60 s"
            yield from _group(f"short.{key}", what, short, key, ())


def _rate(error: RunError) -> float:
    """Return the C-rate of a constant current; 0 where it varies."""
    return float(error.labels.get("c_rate") or 0.0)


def _group(
    key: str,
    what: str,
    group: Sequence[RunError],
    quantity: str,
    limits: Sequence[float],
) -> Iterator[BenchRow]:
    """Return mean, worst and largest p99 in mV; the first ones have limits."""
    if not group:
        yield not_measured(key, f"{what}: there is no such run")
        return
    rms = np.array([1e3 * e.rms[quantity] for e in group])
    p99 = np.array([1e3 * e.p99[quantity] for e in group])
    values = (
        ("mean", f"rms, mean of {len(group)} runs", rms.mean()),
        ("worst", f"rms, worst run ({group[int(rms.argmax())].name})", rms.max()),
        ("p99", f"p99, worst run ({group[int(p99.argmax())].name})", p99.max()),
    )
    for k, (name, words, value) in enumerate(values):
        row_id, text = f"{key}.{name}", f"{what}: {words}"
        if k < len(limits):
            yield at_most(row_id, text, value, "mV", limits[k])
        else:
            yield BenchRow(id=row_id, what=text, value=float(value), unit="mV")


def temperature_rows(
    spec: SurrogateSpec, runs: Sequence[Trajectory], limit_K: float = 0.1
) -> Iterator[BenchRow]:
    """Judge the temperature at the last valid sample by heat-transfer coefficient."""
    roller, worst = Roller(spec), dict[float, tuple[float, float, str]]()
    for run in runs:
        last = int(np.flatnonzero(run.is_valid)[-1])
        truth_K = run.series["temperature_K"][last]
        error_K = abs(float(roller.follow(run)["temperature_K"][last] - truth_K))
        h, seconds = run.heat_transfer_coefficient_W_per_m2K, float(run.time_s[last])
        if h not in worst or error_K > worst[h][0]:
            worst[h] = (error_K, seconds, run.name)
    for h, (error_K, seconds, name) in sorted(worst.items()):
        what = f"temperature after {seconds:.0f} s at {h:g} W/m2K, worst ({name})"
        yield at_most(f"temperature.{h:g}", what, error_K, "K", limit_K)
