"""C99 of a model's equations, for those who integrate them themselves.

The calls (see `casadi_unit`) of the unit `NAME_exchange`:

    NAME_exchange_start    (u, p) -> (x, z)
    NAME_exchange_evaluate (t, x, z, u, p) -> (dx, y, g, z)

and their exact derivatives `..._forward` and `..._reverse` (see `step_derivatives`),
those of `evaluate` to x, u and p. The algebraic states are solved inside, by Newton's
method from the `z` given; derivatives go through the solution, not the iteration.
"""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.casadi_c import casadi_unit
from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import Model
from packtwin.twin.sparse_lu import eliminate
from packtwin.twin.step_derivatives import forward_function, reverse_function

__all__ = ["exchange_code", "exchange_functions"]

_TOLERANCE = 1e-10  # of the last Newton step, relative to the nominal values
_MOST_PASSES = 50


def exchange_code(model: Model) -> str:
    """Return the C source.

    Raises:
        InterfaceError: The algebraic equations do not determine the algebraic states,
            by their structure or at the start values; the state is named.
    """
    return casadi_unit(f"{model.name}_exchange", exchange_functions(model), 2)


def exchange_functions(model: Model) -> list[ca.Function]:
    """Return the functions above, named, as CasADi functions."""
    name = f"{model.name}_exchange"
    _check_structure(model)
    start, evaluate = _start(model), _evaluate(model)
    _check_start(model, start, evaluate)
    return [
        start,
        evaluate,
        forward_function(f"{name}_start_forward", start, (0, 1)),
        reverse_function(f"{name}_start_reverse", start, (0, 1)),
        forward_function(f"{name}_evaluate_forward", evaluate, (1, 3, 4)),
        reverse_function(f"{name}_evaluate_reverse", evaluate, (1, 3, 4)),
    ]


def _start(model: Model) -> ca.Function:
    arguments = model.initial.mx_in()
    results = [ca.densify(r) for r in model.initial.call(arguments)]
    return ca.Function(f"{model.name}_exchange_start", arguments, results)


def _evaluate(model: Model) -> ca.Function:
    t, x, z, u, p = _symbols(model)
    found = z
    if model.algebraic is not None:
        found = _solver(model)(x0=z / _nominals(model), p=ca.vertcat(t, x, u, p))["x"]
        found = found * _nominals(model)
    now = [t, x, found, u, p]
    indicators = ca.MX(0, 1)
    if model.indicators is not None:
        indicators = model.indicators(*now)
    results = [model.rhs(*now), model.outputs(*now), indicators, found]
    return ca.Function(
        f"{model.name}_exchange_evaluate",
        [t, x, z, u, p],
        [ca.densify(r) for r in results],
    )


def _symbols(model: Model) -> list[Any]:
    return [ca.MX.sym(label, model.rhs.numel_in(i)) for i, label in enumerate("txzup")]


def _nominals(model: Model) -> ca.DM:
    return ca.DM([v.nominal for v in model.algebraic_states])


def _solver(model: Model) -> ca.Function:
    """Return Newton's method for the algebraic states over their nominal values."""
    t, x, z, u, p = _symbols(model)
    if model.algebraic is None:
        msg = f"Model `{model.name}` has no algebraic states."
        raise InterfaceError(msg)
    residual = model.algebraic(t, x, z * _nominals(model), u, p)
    return ca.rootfinder(
        f"{model.name}_exchange_solver",
        "fast_newton",
        {"x": z, "p": ca.vertcat(t, x, u, p), "g": residual},
        {"abstol": 0.0, "abstolStep": _TOLERANCE, "max_iter": _MOST_PASSES},
    )


def _check_structure(model: Model) -> None:
    """Refuse algebraic states that no equation is left for, by name."""
    if model.algebraic is not None:
        pattern = model.algebraic.jac_sparsity(0, 2)
        names = [v.name for v in model.algebraic_states]
        eliminate(pattern.size1(), *pattern.get_triplet(), 0, names)


def _check_start(model: Model, start: ca.Function, evaluate: ca.Function) -> None:
    """Refuse algebraic states without a solution at the start values, by name."""
    names = [v.name for v in (*model.states, *model.algebraic_states)]
    u, p = model.start_vectors()
    x, z = (np.asarray(v.full()).reshape(-1) for v in start(u, p))
    for name, value in zip(names, [*x, *z], strict=True):
        if not np.isfinite(value):
            msg = (
                f"`{name}` of model `{model.name}` starts at {value} with the start "
                "values of its inputs and parameters; correct them."
            )
            raise InterfaceError(msg)
    if model.algebraic is None:
        return
    try:
        evaluate(0.0, x, z, u, p)
    except RuntimeError as error:
        msg = _unsolvable(model, x, z, (u, p))
        raise InterfaceError(msg) from error


def _unsolvable(
    model: Model,
    x: NDArray[np.float64],
    z: NDArray[np.float64],
    given: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> str:
    """Name the algebraic state along which the equations are closest to singular."""
    u, p = given
    t, sx, sz, su, sp = _symbols(model)
    arguments = [t, sx, sz, su, sp]
    if model.algebraic is None:
        return ""
    jacobian = ca.Function(
        "jacobian", arguments, [ca.jacobian(model.algebraic(*arguments), sz)]
    )
    slopes = np.asarray(jacobian(0.0, x, z, u, p).full()) * _nominals(model).full().T
    name = model.algebraic_states[0].name
    if np.isfinite(slopes).all():
        _, _, directions = np.linalg.svd(slopes)
        name = model.algebraic_states[int(np.argmax(np.abs(directions[-1])))].name
    return (
        f"The algebraic equations of model `{model.name}` have no solution for "
        f"`{name}` near its start value, with the start values of inputs and "
        "parameters: Newton's method fails. Start it nearer to a solution, or break "
        "the loop."
    )
