"""FMU against step map over many steps, and physics against PyBaMM."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from packtwin.fmu.reference import Runner, runner_of
from packtwin.pybamm_models.physics_definition import Family, Physics
from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_fmu_cases import (
    VERSIONS,
    Bench,
    FmuCase,
    Progress,
    Vector,
)
from packtwin.scenarios.catalogue import find_path
from packtwin.twin.cycle import load_cycle
from packtwin.twin.errors import PackTwinError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface

__all__ = ["physics_rows", "rows"]

_LIMIT, _LIMIT_mV = 1e-12, 0.5
_STEPS_S = (1.0, 10.0, 60.0)
_FAMILIES: dict[str, Family] = {"spme": "SPMe", "dfn": "DFN"}
_TOLERANCE = (1e-7, 1e-8)
_CYCLE_PEAK_RATE = 1.5
_SPAN_S, _HOUR_S = 1800.0, 3600.0
_LOWEST_V = 2.55


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Compare every FMU with its step map in Python, over the same random inputs."""
    found = []
    for index, case in enumerate(bench.cases):
        progress(index / len(bench.cases), case.name)
        subject = bench.model(case).subject
        u = bench.inputs(case, bench.n_step)
        want = _run(runner_of(subject), subject.interface, u)
        for version in VERSIONS:
            key = f"agreement.{case.key}.{version[0]}"
            what = f"{case.name}, FMI {version}: FMU - step map, {len(u)} steps, share"
            try:
                got = bench.driven(case, bench.n_step, version=version).outputs()
            except PackTwinError as error:
                found.append(not_measured(key, f"{what}: {error}"))
                continue
            found.append(at_most(key, what, _difference(got, want), "1", _LIMIT))
    return found


def physics_rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Compare the FMUs of physics with PyBaMM on the same mesh."""
    from packtwin.pybamm_models.peers import nominal_capacity_Ah, step_currents

    found = []
    cases = [c for c in bench.cases if c.name.partition(":")[0] in _FAMILIES]
    for index, case in enumerate(cases):
        family, _, parameter_set = case.name.partition(":")
        physics = Physics(family=_FAMILIES[family], parameter_set=parameter_set)
        capacity_Ah = nominal_capacity_Ah(physics)
        for k, step_s in enumerate(_STEPS_S):
            progress(
                (index + k / len(_STEPS_S)) / len(cases), f"{case.name} {step_s:g}"
            )
            for load, (start, current_A) in _loads(capacity_Ah, step_s).items():
                voltage_V = _voltage(bench, case, current_A, step_s, start)
                # PyBaMM stops at the voltage limit; the FMU goes on.
                n = int(np.argmax(np.append(voltage_V, 0.0) < _LOWEST_V))
                truth = step_currents(
                    physics, current_A[:n], start, _TOLERANCE, step_s=step_s
                ).voltage_V
                error_mV = 1e3 * (voltage_V[:n] - truth)
                found.append(
                    at_most(
                        f"physics.{case.key}.{load}.{step_s:g}s",
                        f"{case.name}, {load}, step {step_s:g} s: voltage of the FMU "
                        f"against PyBaMM, rms of {n} steps",
                        float(np.sqrt(np.mean(error_mV**2))),
                        "mV",
                        _LIMIT_mV,
                    )
                )
    return found


def _run(runner: Runner | None, interface: Interface, u: Vector) -> Vector:
    if runner is None:
        msg = "This step map runs in C only."
        raise PackTwinError(msg)
    p = np.array([v.start for v in interface.parameters], dtype=float)
    memory, y = runner.start(u[0], p)
    outputs = [y]
    for k, row in enumerate(u):
        memory, y, status = runner.advance(memory, float(k), 1.0, row, p)
        if status != StepStatus.OK:
            msg = f"The step map refuses step {k + 1} of the random inputs."
            raise PackTwinError(msg)
        outputs.append(y)
    return np.array(outputs)


def _difference(got: Vector, want: Vector) -> float:
    """Return the largest difference as a share of each output's largest value."""
    size = np.maximum(np.abs(want).max(axis=0), np.finfo(float).tiny)
    return float((np.abs(got - want) / size).max())


def _loads(
    capacity_Ah: float, step_s: float
) -> dict[str, tuple[dict[str, float], Vector]]:
    """Return start and current of every step: 1C from full, and a scaled cycle."""
    n = int(_SPAN_S / step_s)
    speed, slope = load_cycle(find_path("cycle", "us06")).step_means(1.0)
    power = speed * slope
    seconds = np.resize(power / np.abs(power).max(), int(_SPAN_S))
    means = seconds[: n * int(step_s)].reshape(n, -1).mean(axis=1)
    return {
        "1C": ({"soc_start": 1.0}, np.full(int(_HOUR_S / step_s), capacity_Ah)),
        "us06": ({"soc_start": 0.5}, _CYCLE_PEAK_RATE * capacity_Ah * means),
    }


def _voltage(
    bench: Bench,
    case: FmuCase,
    current_A: Vector,
    step_s: float,
    start: Mapping[str, float],
) -> Vector:
    interface = bench.model(case).subject.interface
    starts = np.array([v.start for v in interface.inputs])
    u = np.tile(starts, (len(current_A), 1))
    u[:, interface.input_names.index("current_A")] = current_A
    outputs = bench.driven(
        case, len(u), step_s=step_s, inputs=u, parameters=start
    ).outputs()
    return outputs[1:, interface.output_names.index("voltage_V")]
