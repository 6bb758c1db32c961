"""Other ways to solve the same equations: what `packtwin bench physics` compares with.

PyBaMM runs in this process, pydiffsol in one of its own: it can crash and is optional.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt
import pybamm

from packtwin.pybamm_models.physics import Physics, simulation_of
from packtwin.pybamm_models.physics_build import CURRENT, recipe_of
from packtwin.twin.errors import ModelError

__all__ = [
    "PeerSteps",
    "PeerTime",
    "nominal_capacity_Ah",
    "replay_segments",
    "step_currents",
    "time_drive",
    "time_pydiffsol",
    "time_steps",
]

Vector: TypeAlias = npt.NDArray[np.float64]

_SOLVER_ERRORS = (pybamm.SolverError, ValueError, RuntimeError)
_PEER_ERRORS = (*_SOLVER_ERRORS, ModelError)
_N_WARM = 5
_FEW_SOLVES = 3
# A limit that is already crossed when a step starts is no failure of the solver.
_LIMIT_AT_START = "non-positive at initial conditions"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSteps:
    """What was computed at the end of every step."""

    voltage_V: Vector
    temperature_K: Vector


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTime:
    """How long a peer took.

    Attributes:
        id: Short name.
        name: Which peer and call, in words.
        step_s: CPU time per 1-s step; NaN if it did not run.
        setup_s: Wall-clock time before: building, compiling, the first call.
        voltage_V: At every knot; empty if it does not tell.
        reason: Why it did not run; empty if it did.
    """

    id: str
    name: str
    step_s: float = float("nan")
    setup_s: float = 0.0
    voltage_V: Vector | None = None
    reason: str = ""


_DRIVE_CALLS = {
    True: ("default", "default call solve(t)"),
    False: ("best", "best call solve([0, T], t_interp=t)"),
}
_PYDIFFSOL = PeerTime(id="pydiffsol", name="pydiffsol")


def nominal_capacity_Ah(physics: Physics) -> float:
    """Return the capacity that the parameter set states, Ah."""
    return float(recipe_of(physics).values["Nominal cell capacity [A.h]"])


def step_currents(
    physics: Physics,
    current_A: Vector,
    starts: Mapping[str, float],
    tolerance: tuple[float, float],
    *,
    step_s: float = 1.0,
) -> PeerSteps:
    """Step PyBaMM through one constant current per step.

    Raises:
        ModelError: PyBaMM failed, or met a limit; with the time.
    """
    simulation = simulation_of(physics, None, starts, solver=_solver(tolerance))
    rows = []
    try:
        for level_A in current_A:
            solution = _step(simulation, step_s, level_A)
            names = ("voltage_V", "temperature_K")
            rows.append([float(solution[name].entries[-1]) for name in names])
    except _SOLVER_ERRORS as error:
        message = (
            f"PyBaMM's {physics.family} of `{physics.parameter_set}` failed at "
            f"{len(rows) * step_s:g} s, relative tolerance {tolerance[0]:g}: {error}. "
            "Choose another tolerance or a smaller current."
        )
        raise ModelError(message) from error
    voltage_V, temperature_K = np.array(rows).T
    return PeerSteps(voltage_V=voltage_V, temperature_K=temperature_K)


def time_steps(
    physics: Physics,
    current_A: Vector,
    starts: Mapping[str, float],
    *,
    is_compiled: bool = False,
) -> PeerTime:
    """Time `Simulation.step(1, save=False)`, with PyBaMM's default tolerances."""
    peer = _peer("step", "Simulation.step", is_compiled=is_compiled)
    began = time.perf_counter()
    try:
        simulation = simulation_of(
            physics, None, starts, solver=_solver(is_compiled=is_compiled)
        )
        for level_A in current_A[:_N_WARM]:
            _step(simulation, 1.0, level_A)
        setup_s = time.perf_counter() - began
        took_s = []
        for level_A in current_A[_N_WARM:]:
            began = time.process_time()
            _step(simulation, 1.0, level_A)
            took_s.append(time.process_time() - began)
    except _PEER_ERRORS as error:
        return replace(peer, reason=str(error))
    return replace(peer, step_s=float(np.median(took_s)), setup_s=setup_s)


def time_drive(
    physics: Physics,
    profile: tuple[Vector, Vector],
    starts: Mapping[str, float],
    *,
    has_stops: bool,
    is_compiled: bool = False,
) -> PeerTime:
    """Time one call for a whole drive cycle, with PyBaMM's default tolerances.

    Args:
        physics: What is solved.
        profile: Knots `(time_s, current_A)`, lines between them.
        starts: See `simulation_of`.
        has_stops: Stop at every knot, as `Simulation.solve(t_eval)` does; otherwise
            step over the knots, `solve([0, T], t_interp=t)`.
        is_compiled: Use `options={"compile": True}`.
    """
    key, words = _DRIVE_CALLS[has_stops]
    peer = _peer(key, words, is_compiled=is_compiled)
    knots_s, _ = profile

    def solve(simulation: Any) -> Vector:
        solution = (
            simulation.solve(knots_s)
            if has_stops
            else simulation.solve(knots_s[[0, -1]], t_interp=knots_s)
        )
        return np.asarray(solution["voltage_V"](knots_s), dtype=float)

    began = time.perf_counter()
    try:
        simulation = simulation_of(
            physics, profile, starts, solver=_solver(is_compiled=is_compiled)
        )
        solve(simulation)
        setup_s = time.perf_counter() - began
        took_s, voltage_V = _median_time(lambda: solve(simulation))
    except _PEER_ERRORS as error:
        return replace(peer, reason=str(error))
    step_s = took_s / (len(knots_s) - 1)
    return replace(peer, step_s=step_s, setup_s=setup_s, voltage_V=voltage_V)


def time_pydiffsol(
    physics: Physics, profile: tuple[Vector, Vector], starts: Mapping[str, float]
) -> PeerTime:
    """Time pydiffsol on the same drive cycle, in a process of its own."""
    peer = _PYDIFFSOL
    if find_spec("pydiffsol") is None:
        return replace(peer, reason="it is not installed (`pip install`)")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(_pydiffsol, physics, profile, dict(starts)).result()
        except BrokenProcessPool:
            return replace(peer, reason="its process crashed")
        except _PEER_ERRORS as error:
            return replace(peer, reason=str(error))


def replay_segments(
    physics: Physics,
    segments: Sequence[tuple[float, float]],
    starts: Mapping[str, float],
) -> str:
    """Step PyBaMM through `(duration_s, current_A)` until a limit.

    Returns:
        Empty at the end or at a limit; otherwise PyBaMM's complaint.
    """
    try:
        simulation = simulation_of(physics, None, starts, solver=_solver())
        for duration_s, level_A in segments:
            solution = _step(simulation, duration_s, level_A)
            if str(solution.termination).startswith("event"):
                break
    except _PEER_ERRORS as error:
        return "" if _LIMIT_AT_START in str(error) else str(error)
    return ""


def _peer(key: str, name: str, *, is_compiled: bool) -> PeerTime:
    ends = ("_compiled", ", compiled") if is_compiled else ("", "")
    return PeerTime(id=key + ends[0], name=name + ends[1])


def _step(simulation: Any, duration_s: float, level_A: float) -> Any:
    inputs = {CURRENT: float(level_A)}
    return simulation.step(float(duration_s), inputs=inputs, save=False)


def _solver(
    tolerance: tuple[float, float] | None = None, *, is_compiled: bool = False
) -> Any:
    given = {} if tolerance is None else {"rtol": tolerance[0], "atol": tolerance[1]}
    return pybamm.IDAKLUSolver(options={"compile": is_compiled}, **given)


def _median_time(call: Callable[[], Vector]) -> tuple[float, Vector]:
    took_s = []
    for _ in range(_FEW_SOLVES):
        began = time.process_time()
        result = call()
        took_s.append(time.process_time() - began)
    return float(np.median(took_s)), result


def _pydiffsol(
    physics: Physics, profile: tuple[Vector, Vector], starts: Mapping[str, float]
) -> PeerTime:
    """Run in the child: export to DiffSL, compile by LLVM, solve by BDF."""
    pydiffsol = import_module("pydiffsol")
    knots_s, _ = profile
    solver = _solver()
    began = time.perf_counter()
    export = pybamm.DiffSLExport(simulation_of(physics, profile, starts))
    outputs = ["voltage_V"]
    # PyBaMM writes this operator, element by element, by a name DiffSL does not know.
    code = export.to_diffeq(outputs=outputs).replace(" inner product ", " * ")
    equations = pydiffsol.Ode(code, matrix_type=pydiffsol.faer_sparse)
    equations.rtol, equations.atol = solver.rtol, float(np.max(solver.atol))
    given = np.asarray(export.map_inputs({}, outputs), dtype=float)

    def solve() -> Vector:
        solution = equations.solve_dense(given, knots_s)
        voltage_V: Vector = np.asarray(solution.ys, dtype=float)[0]
        return voltage_V

    solve()
    setup_s = time.perf_counter() - began
    took_s, voltage_V = _median_time(solve)
    return replace(
        _PYDIFFSOL,
        step_s=took_s / (len(knots_s) - 1),
        setup_s=setup_s,
        voltage_V=voltage_V,
    )
