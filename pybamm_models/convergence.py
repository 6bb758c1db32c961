"""How far apart are two meshes? Charges, a discharge and pulses on both.

Every mesh is solved by the compiled step map, whose time error (some microvolts) is
far below what is asked of a mesh.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.convergence_loads import Load, charge
from packtwin.pybamm_models.convergence_subject import Subject
from packtwin.pybamm_models.physics import physics_model
from packtwin.pybamm_models.verdicts import Comparison, Figures, Limits
from packtwin.twin.compiled import CompiledStepMap, compile_step_map
from packtwin.twin.compiler import find_compiler
from packtwin.twin.errors import ModelError, StepError
from packtwin.twin.implicit import implicit_source
from packtwin.twin.step_map import StepStatus

__all__ = [
    "Curve",
    "Recording",
    "compare",
    "difference",
    "production_step_s",
    "record",
]

logger = logging.getLogger(__name__)

# So well cooled that the cell stays at its surroundings' temperature (within 0.2 K).
_ISOTHERMAL_W_PER_M2_K = 1e4
_TOLERANCE = (1e-5, 1e-6)

# A study runs a library for a second: half the speed for a tenth of the compile time.
_QUICK_FLAGS = ("-Og", "-fno-trapping-math", "-fvisibility=default")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One load on one mesh; the arrays are on whole seconds.

    Attributes:
        voltage_V: Until the end.
        plating_potential_V: The same; empty where the model has none.
        end_time_s: At which the voltage limit was met, or the load's length.
        failure: Why there is no curve; empty otherwise.
    """

    voltage_V: npt.NDArray[np.float64]
    plating_potential_V: npt.NDArray[np.float64]
    end_time_s: float
    failure: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """All loads on one mesh."""

    n_state: int
    n_algebraic: int
    curves: tuple[Curve, ...]
    build_s: float = 0.0
    solve_s: float = 0.0


def record(subject: Subject, mesh: Mesh, loads: Sequence[Load]) -> Recording:
    """Solve every load on `mesh`; a load that fails says why.

    Raises:
        CompilerError: there is no working C compiler.
        ModelError: PyBaMM cannot build the model.
    """
    started = time.perf_counter()
    model = physics_model(subject.on(mesh))
    source = implicit_source(model)
    with tempfile.TemporaryDirectory(prefix="packtwin-converge-") as folder:
        code, library = Path(folder) / "mesh.c", Path(folder) / "mesh.so"
        code.write_text(source.source, encoding="utf-8")
        compiler = find_compiler()
        flags = (*compiler.extra_flags, *_QUICK_FLAGS)
        replace(compiler, extra_flags=flags).compile_library(code, library)
        stepper = CompiledStepMap(source=source, library=library)
    built = time.perf_counter()
    curves = tuple(_solve(stepper, subject, load) for load in loads)
    done = time.perf_counter()
    logger.info(
        "%s: built in %.1f s, solved in %.1f s", mesh, built - started, done - built
    )
    return Recording(
        n_state=len(model.states),
        n_algebraic=len(model.algebraic_states),
        curves=curves,
        build_s=built - started,
        solve_s=done - built,
    )


def _solve(stepper: CompiledStepMap, subject: Subject, load: Load) -> Curve:
    grid_s = np.arange(0.0, load.time_s[-1] + 1.0)
    model = stepper.source.model
    known = {
        "current_A": subject.nominal_capacity_Ah
        * np.interp(grid_s, load.time_s, load.c_rate),
        "ambient_temperature_K": np.full(len(grid_s), load.temperature_K),
        "heat_transfer_coefficient_W_per_m2K": np.full(
            len(grid_s), _ISOTHERMAL_W_PER_M2_K
        ),
    }
    inputs = np.column_stack([known[name] for name in model.interface.input_names])
    starts = {"soc_start": load.start_soc, "temperature_start_K": load.temperature_K}
    parameters = np.array(
        [starts.get(v.name, v.start) for v in model.interface.parameters]
    )
    empty = np.empty(0)
    try:
        memory, first = stepper.start(inputs[0], parameters, tolerance=_TOLERANCE)
    except StepError as error:
        return Curve(
            voltage_V=empty,
            plating_potential_V=empty,
            end_time_s=0.0,
            failure=str(error),
        )
    done = stepper.run(
        memory, grid_s, inputs[:-1], parameters, slopes=np.diff(inputs, axis=0)
    )
    is_refused = done.status == StepStatus.REFUSED
    rows = np.vstack([first, done.outputs])
    if done.event:
        rows = rows[:-1]
    names = list(model.interface.output_names)
    plating = "plating_potential_V"
    return Curve(
        voltage_V=rows[:, names.index("voltage_V")].copy(),
        plating_potential_V=rows[:, names.index(plating)].copy()
        if plating in names
        else empty,
        end_time_s=done.end_time_s,
        failure=f"no step could be taken at {done.end_time_s:.1f} s"
        if is_refused
        else "",
    )


def difference(
    coarse: Recording, fine: Recording, limits: Limits, loads: Sequence[Load]
) -> npt.NDArray[np.float64]:
    """Return all differences as multiples of their limits, in one vector.

    Its length depends on the loads alone, so that differences can be added; beyond the
    common time it is 0. A failed load is infinitely far off.
    """
    parts: list[npt.NDArray[np.float64]] = []
    for load, a, b in zip(loads, coarse.curves, fine.curves, strict=True):
        n_all = int(load.time_s[-1]) + 1
        if a.failure or b.failure:
            parts.append(np.full(2 * n_all + 1, np.inf))
            continue
        n_common = _n_common(load, a, b)
        for mine, its, limit_V in (
            (a.voltage_V, b.voltage_V, limits.voltage_V),
            (
                a.plating_potential_V,
                b.plating_potential_V,
                limits.plating_potential_V,
            ),
        ):
            n = min(len(mine), len(its), n_common)
            part = np.zeros(n_all)
            part[:n] = (mine[:n] - its[:n]) / limit_V
            parts.append(part)
        fraction = a.end_time_s / b.end_time_s - 1.0
        parts.append(np.array([fraction / limits.end_time_fraction]))
    return np.concatenate(parts)


def _n_common(load: Load, coarse: Curve, fine: Curve) -> int:
    """Return how many seconds are compared."""
    end_s = min(coarse.end_time_s, fine.end_time_s)
    n = min(len(coarse.voltage_V), len(fine.voltage_V))
    if end_s < load.time_s[-1]:
        n = min(n, int((1.0 - load.knee_fraction) * end_s) + 1)
    return max(n, 1)


def compare(
    coarse: Recording,
    fine: Recording,
    loads: Sequence[Load],
    *,
    finer_mesh: Mesh,
    finer_is_flux_integrated: bool,
) -> Comparison:
    """Return the figures of two recordings of the same loads.

    Raises:
        ModelError: a load failed on one of them.
    """
    return Comparison(
        finer_mesh=finer_mesh,
        finer_is_flux_integrated=finer_is_flux_integrated,
        figures=tuple(
            _figures(load, a, b)
            for load, a, b in zip(loads, coarse.curves, fine.curves, strict=True)
        ),
    )


def _figures(load: Load, coarse: Curve, fine: Curve) -> Figures:
    if coarse.failure or fine.failure:
        message = (
            f"Load `{load.name}` has no solution on one of two meshes: "
            f"{(coarse.failure or fine.failure).rstrip('.')}. Leave it out, or lower "
            "its rate."
        )
        raise ModelError(message)
    n = _n_common(load, coarse, fine)
    voltage_V = coarse.voltage_V[:n] - fine.voltage_V[:n]
    plating_V = coarse.plating_potential_V[:n] - fine.plating_potential_V[:n]
    has_plating = bool(len(plating_V))
    return Figures(
        load=load.name,
        c_rate=load.largest_c_rate,
        temperature_K=load.temperature_K,
        voltage_max_V=float(np.abs(voltage_V).max()),
        voltage_rms_V=float(np.sqrt(np.mean(voltage_V**2))),
        plating_potential_max_V=float(np.abs(plating_V).max()) if has_plating else None,
        end_time_fraction=abs(coarse.end_time_s / fine.end_time_s - 1.0),
        end_time_s=coarse.end_time_s,
        end_plating_potential_V=float(coarse.plating_potential_V[n - 1])
        if has_plating
        else None,
    )


def production_step_s(subject: Subject, mesh: Mesh) -> float:
    """Return the time of a 1-s step of a 1C charge, compiled as for use.

    The library stays in the cache.
    """
    model = physics_model(replace(subject.physics, mesh=mesh))
    stepper = compile_step_map(implicit_source(model))
    load = charge(1.0, 298.15)
    started = time.perf_counter()
    curve = _solve(stepper, subject, load)
    return (time.perf_counter() - started) / max(1, len(curve.voltage_V))
