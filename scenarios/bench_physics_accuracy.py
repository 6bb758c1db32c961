"""Accuracy of the C step map against PyBaMM on the same equations, and its work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.peers import PeerSteps, step_currents
from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_physics_cases import (
    Bench,
    Case,
    Progress,
    Stepper,
    random_current_A,
)
from packtwin.twin.errors import PackTwinError
from packtwin.twin.implicit import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE
from packtwin.twin.step_map import StepStatus

__all__ = ["Errors", "count_rows", "error_rows", "rows"]

Vector: TypeAlias = npt.NDArray[np.float64]

SHIPPED = (RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE)
TOLERANCES = ((1e-3, 1e-4), (1e-4, 1e-5), (1e-5, 1e-6))
REFERENCE, TIGHT = (1e-6, 1e-7), (1e-8, 1e-9)
SOC = 0.5

_LIMITS = {"voltage_rms": 0.05, "voltage_max": 0.5, "temperature_max": 0.005}
_WORDS = {
    "voltage_rms": ("voltage, rms", "mV"),
    "voltage_max": ("voltage, largest", "mV"),
    "temperature_max": ("temperature, largest", "K"),
}
_TIGHT_S, _TRANSIENT_S, _COUNTED_S = 100, 120, 100


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Differences at the ends of the steps: mV and K."""

    voltage_rms: float
    voltage_max: float
    temperature_max: float

    @classmethod
    def between(cls, found: PeerSteps, truth: PeerSteps) -> Errors:
        """Return the errors of `found`, which may have fewer steps."""
        n = len(found.voltage_V)
        voltage_mV = 1e3 * (found.voltage_V - truth.voltage_V[:n])
        temperature_K = found.temperature_K - truth.temperature_K[:n]
        return cls(
            voltage_rms=float(np.sqrt(np.mean(voltage_mV**2))),
            voltage_max=float(np.abs(voltage_mV).max()),
            temperature_max=float(np.abs(temperature_K).max()),
        )


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Compare every case and count the work of smooth steps."""
    cases = bench.size.accuracy
    found: list[BenchRow] = []
    by_tolerance: dict[tuple[float, float], list[tuple[str, Errors]]] = {}
    reference: list[tuple[str, Errors]] = []
    for index, case in enumerate(cases):
        progress(index / len(cases), f"{case.name}: PyBaMM at {REFERENCE[0]:g}")
        try:
            measured, own = _measure(bench.stepper(case), case, bench.size.n_second)
        except PackTwinError as error:
            what = f"{case.name} was not compared: {error}"
            found.append(not_measured(f"accuracy.{case.name}", what, target="compared"))
            continue
        for tolerance, errors in measured.items():
            by_tolerance.setdefault(tolerance, []).append((case.name, errors))
        if own is not None:
            reference.append((case.name, own))
        found += error_rows(
            f"accuracy.{case.name}",
            f"{case.name} against PyBaMM, {bench.size.n_second} s of random current",
            measured[SHIPPED],
        )
    for tolerance, list_ in by_tolerance.items():
        found += _worst_rows(f"c_{tolerance[0]:g}", f"C at {tolerance}", list_)
    if reference:
        text = f"PyBaMM at {REFERENCE} against {TIGHT}, {_TIGHT_S} s"
        found += _worst_rows("pybamm", text, reference)
    return found


def error_rows(key: str, what: str, errors: Errors) -> Iterator[BenchRow]:
    """Return one judged row per error."""
    for name, limit in _LIMITS.items():
        words, unit = _WORDS[name]
        value = getattr(errors, name)
        yield at_most(f"{key}.{name}", f"{what}: {words}", value, unit, limit)


def count_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Count evaluations per step of a constant current after its transient."""
    found: list[BenchRow] = []
    for index, case in enumerate(bench.size.speed):
        progress(index / len(bench.size.speed), case.name)
        counts = _smooth_counts(bench.stepper(case))
        for name, words, limit in (
            ("rhs", "right-hand sides", 3.0),
            ("jacobian", "Jacobians", 1.0),
            ("factorisation", "LU factorisations", 1.0),
        ):
            mean, most = counts[name].mean(), counts[name].max()
            what = f"{case.name}, {case.mesh}: {words} per smooth 1-s step"
            if most > mean:
                what += f" (mean; at most {most:.0f})"
            found.append(at_most(f"counts.{case.name}.{name}", what, mean, "1", limit))
    return found


def _measure(
    stepper: Stepper, case: Case, n_second: int
) -> tuple[dict[tuple[float, float], Errors], Errors | None]:
    """Return the errors of the C map by tolerance, and PyBaMM's own."""
    current_A = random_current_A(n_second, stepper.capacity_Ah)
    starts = {"soc_start": SOC}
    truth = step_currents(case.physics, current_A, starts, REFERENCE)
    try:
        tight = step_currents(case.physics, current_A[:_TIGHT_S], starts, TIGHT)
        own = Errors.between(tight, truth)
    except PackTwinError:
        own = None
    tolerances = dict.fromkeys((*TOLERANCES, SHIPPED))
    return {
        tolerance: Errors.between(_steps(stepper, current_A, tolerance), truth)
        for tolerance in tolerances
    }, own


def _steps(
    stepper: Stepper, current_A: Vector, tolerance: tuple[float, float]
) -> PeerSteps:
    u, p = stepper.inputs(current_A), stepper.parameters(soc_start=SOC)
    memory, _ = stepper.map.start(
        stepper.inputs(np.zeros(1))[0], p, tolerance=tolerance
    )
    times_s = np.arange(len(u) + 1.0)
    done = stepper.map.run(memory, times_s, u, p)
    if done.status == StepStatus.REFUSED:
        at = len(done.outputs)
        raise stepper.map.refusal(done.memory, times_s[at], 1.0, u[at], p)
    return PeerSteps(
        voltage_V=done.outputs[:, stepper.column("voltage_V")],
        temperature_K=done.outputs[:, stepper.column("temperature_K")],
    )


def _smooth_counts(stepper: Stepper) -> dict[str, Vector]:
    n = _TRANSIENT_S + _COUNTED_S
    u = stepper.inputs(np.full(n, 0.5 * stepper.capacity_Ah))
    p = stepper.parameters(soc_start=SOC)
    memory, _ = stepper.map.start(u[0], p)
    counts = []
    for k in range(n):
        memory = stepper.map.step_until_event(memory, float(k), 1.0, u[k], p).memory
        counts.append(stepper.map.counts(memory))
    return {
        name: np.diff([float(c[name]) for c in counts[_TRANSIENT_S - 1 :]])
        for name in counts[0]
    }


def _worst_rows(
    key: str, what: str, measured: list[tuple[str, Errors]]
) -> Iterator[BenchRow]:
    for name, (words, unit) in _WORDS.items():
        worst = max(measured, key=lambda item: getattr(item[1], name))
        yield BenchRow(
            id=f"accuracy.worst.{key}.{name}",
            what=f"{what}: {words}, worst of {len(measured)} cases ({worst[0]})",
            value=getattr(worst[1], name),
            unit=unit,
        )
