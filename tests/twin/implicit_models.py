"""Small models with known solutions for the implicit step map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import casadi as ca
import numpy as np

from packtwin.twin.compiled import CompiledStepMap, compile_step_map
from packtwin.twin.implicit import implicit_source
from packtwin.twin.lookup import Lookup
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface, Variable

Equations = Callable[..., Sequence[Any]]

LOOSE = (1e12, 1e12)
"""Tolerances under which every step is accepted: fixed steps."""


def none(*_: Any) -> list[Any]:
    return []


def make_model(
    name: str,
    *,
    x: Sequence[float] = (),
    z: Sequence[float] = (),
    u: Sequence[float] = (),
    p: Sequence[float] = (),
    rhs: Equations = none,
    algebraic: Equations = none,
    outputs: Equations = none,
    events: Equations = none,
    initial: Equations | None = None,
    mean: Sequence[int] = (),
    lookups: Sequence[Lookup] = (),
    kind: Any = ca.SX,
) -> Model:
    """Make a model of vectors named x, z, u, p, y; events are e[0], e[1], ...

    The equations are functions `(t, x, z, u, p)`, `initial` one of `(u, p)` for x;
    numbers are start values.
    """
    t = kind.sym("t")
    sizes = {"x": len(x), "z": len(z), "u": len(u), "p": len(p)}
    symbols = [t, *(kind.sym(label, n) for label, n in sizes.items())]

    def function(label: str, equations: Equations) -> ca.Function:
        rows = [kind(row) for row in equations(*symbols)]
        return ca.Function(label, symbols, [ca.densify(ca.vertcat(kind(0, 1), *rows))])

    def variables(label: str, starts: Sequence[float]) -> tuple[Variable, ...]:
        return tuple(
            Variable(name=f"{label}[{k}]", start=float(v)) for k, v in enumerate(starts)
        )

    n_y, n_e = len(outputs(*symbols)), len(events(*symbols))
    x0 = x if initial is None else initial(*symbols[3:])
    starts = [ca.densify(ca.vertcat(kind(0, 1), *w)) for w in (x0, z)]
    return Model(
        name=name,
        interface=Interface(
            inputs=variables("u", u),
            parameters=variables("p", p),
            outputs=tuple(
                Variable(name=f"y[{k}]", sampling="mean" if k in mean else "end")
                for k in range(n_y)
            ),
        ),
        states=variables("x", x),
        algebraic_states=variables("z", z),
        rhs=function("rhs", rhs),
        algebraic=function("algebraic", algebraic) if len(z) else None,
        outputs=function("outputs", outputs),
        initial=ca.Function("initial", symbols[3:], starts),
        events=variables("e", [0.0] * n_e),
        indicators=function("indicators", events) if n_e else None,
        lookups=tuple(lookups),
    )


def compiled(model: Model) -> CompiledStepMap:
    return compile_step_map(implicit_source(model))


def begin(
    step_map: CompiledStepMap, tolerance: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the memory, inputs and parameters at the start values."""
    u, p = step_map.source.model.start_vectors()
    memory, _ = step_map.start(u, p, tolerance=tolerance)
    return memory, u, p


def states(step_map: CompiledStepMap, memory: np.ndarray) -> np.ndarray:
    model = step_map.source.model
    return memory[: len(model.states) + len(model.algebraic_states)]


def circuit() -> Model:
    """Two stores and a nonlinear branch between them, driven by a current.

    The algebraic states are the branch current and the voltage over both.
    """
    return make_model(
        "circuit",
        x=[0.0, 1.0],
        z=[0.1, 1.0],
        u=[0.5],
        p=[2.0],
        rhs=lambda t, x, z, u, p: [
            0.1 * (u[0] - z[0]),
            (z[0] - x[1] / p[0]) / 50.0,
        ],
        algebraic=lambda t, x, z, u, p: [
            z[0] - 0.2 * ca.sinh(x[0] - x[1]),
            z[1] - x[0] - x[1] - 0.05 * u[0],
        ],
        outputs=lambda t, x, z, u, p: [z[1], z[0], u[0] - z[0]],
        mean=[2],
    )


def falling(*limits: float) -> Model:
    """x falls by 1 per second; event k happens at x = limits[k]."""
    return make_model(
        "falling",
        x=[1.2345],
        rhs=lambda t, x, z, u, p: [-1.0],
        outputs=lambda t, x, z, u, p: [x[0], x[0]],
        events=lambda t, x, z, u, p: [x[0] - limit for limit in limits],
        mean=[1],
    )


def nonlinear_dae() -> Model:
    """x' = -z with z^3 = x: x = (1 - 2 t / 3)^(3/2), z = sqrt(1 - 2 t / 3)."""
    return make_model(
        "nonlinear_dae",
        x=[1.0],
        z=[0.9],
        rhs=lambda t, x, z, u, p: [-z[0]],
        algebraic=lambda t, x, z, u, p: [z[0] ** 3 - x[0]],
        outputs=lambda t, x, z, u, p: [z[0]],
        mean=[0],
    )
