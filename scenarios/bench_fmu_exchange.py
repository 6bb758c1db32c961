"""Model exchange: CVODE against the model's equations, and exact derivatives."""

from __future__ import annotations

import casadi as ca
import numpy as np

from packtwin.fmu.exchange_peer import cvode_outputs, slope_errors
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_fmu_cases import VERSIONS, Bench, Progress
from packtwin.twin.model import Model

__all__ = ["rows", "solved_outputs"]

_STOP_S, _SLOPE_LIMIT = 60.0, 1e-6
# CVODE controls the error of a step; that of the run is a few times larger.
_ASKED, _LIMIT = 1e-7, 1e-6
_TIGHT = {"reltol": 1e-11, "abstol": 1e-12}


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Measure every model that has ordinary differential equations."""
    found = []
    for index, case in enumerate(bench.cases):
        made = bench.model(case)
        model = made.subject.equations
        if model is None or model.algebraic_states:
            continue
        inputs = {
            v.name: float(np.mean([v.start, made.experiment.span(v)[1]]))
            for v in model.interface.inputs
        }
        want = solved_outputs(model, inputs, _STOP_S)
        for version in VERSIONS:
            progress(index / len(bench.cases), f"{case.name} FMI {version}")
            path = bench.folder / f"{case.key}_me{version[0]}.fmu"
            # FMPy counts states by variables, so vectors are left apart.
            made.export(path, fmi_version=version, kinds=("me",), has_arrays=False)
            got = cvode_outputs(path, inputs, _STOP_S, _ASKED)
            share = max(abs(got[n] - y) / max(abs(y), 1.0) for n, y in want.items())
            key, what = f"{case.key}.{version[0]}", f"{case.name}, FMI {version} ME"
            told = f"{what}: CVODE asked for {_ASKED:g}, difference after {_STOP_S:g} s"
            found.append(at_most(f"cvode.{key}", told, share, "1", _LIMIT))
            for kind, error in slope_errors(path, inputs).items():
                told = f"{what}: {kind} derivatives against differences"
                row = at_most(f"slopes.{kind}.{key}", told, error, "1", _SLOPE_LIMIT)
                found.append(row)
    return found


def solved_outputs(
    model: Model, inputs: dict[str, float], stop_s: float
) -> dict[str, float]:
    """Return the outputs at the end, from the equations in Python, solved tightly."""
    u = ca.DM([inputs[name] for name in model.interface.input_names])
    p = ca.DM([v.start for v in model.interface.parameters])
    t, x, z = ca.MX.sym("t"), ca.MX.sym("x", len(model.states)), ca.DM(0, 1)
    problem = {"t": t, "x": x, "ode": model.rhs(t, x, z, u, p)}
    solve = ca.integrator("solve", "cvodes", problem, 0.0, stop_s, _TIGHT)
    end = solve(x0=model.initial(u, p)[0])["xf"]
    y = np.asarray(model.outputs(stop_s, end, z, u, p)).ravel()
    return dict(zip(model.interface.output_names, y.tolist(), strict=True))
