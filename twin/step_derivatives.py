"""Exact derivatives of a step map's functions, by CasADi's differentiation.

Tangents (`forward`) and gradients (`reverse`), one direction at a time:

    NAME_initialize_forward (u, p, du, dp) -> (d_memory, d_y)
    NAME_initialize_reverse (u, p, l_memory, l_y) -> (l_u, l_p)
    NAME_step_forward (memory, t, h, u, p, d_memory, d_h, d_u, d_p) -> (d_next, d_y)
    NAME_step_reverse (memory, t, h, u, p, l_next, l_y) -> (l_memory, l_u, l_p)
"""

from __future__ import annotations

from typing import Any

import casadi as ca

__all__ = ["derivative_functions", "forward_function", "reverse_function"]


def derivative_functions(
    name: str, initialize: ca.Function, step: ca.Function
) -> list[ca.Function]:
    """Return the four functions above."""
    return [
        forward_function(f"{name}_initialize_forward", initialize, (0, 1)),
        reverse_function(f"{name}_initialize_reverse", initialize, (0, 1)),
        forward_function(f"{name}_step_forward", step, (0, 2, 3, 4)),
        reverse_function(f"{name}_step_reverse", step, (0, 3, 4)),
    ]


def forward_function(
    name: str, function: ca.Function, moving: tuple[int, ...]
) -> ca.Function:
    """Return `(arguments, seeds of the moving ones) -> (tangents of the results)`."""
    tangent = function.forward(1)
    arguments, nominal = _point(function, tangent)
    seeds = [ca.MX.sym(f"d{i}", function.sparsity_in(i)) for i in moving]
    first = function.n_in() + function.n_out()
    given = [
        seeds[moving.index(i)] if i in moving else ca.MX(*tangent.size_in(first + i))
        for i in range(function.n_in())
    ]
    results = tangent.call([*arguments, *nominal, *given])
    return ca.Function(name, [*arguments, *seeds], [ca.densify(r) for r in results])


def reverse_function(
    name: str, function: ca.Function, moving: tuple[int, ...]
) -> ca.Function:
    """Return `(arguments, weights of results) -> (gradients to the moving ones)`."""
    gradient = function.reverse(1)
    arguments, nominal = _point(function, gradient)
    weights = [
        ca.MX.sym(f"l{i}", *function.size_out(i)) for i in range(function.n_out())
    ]
    results = gradient.call([*arguments, *nominal, *weights])
    chosen = [ca.densify(results[i]) for i in moving]
    return ca.Function(name, [*arguments, *weights], chosen)


def _point(function: ca.Function, derivative: ca.Function) -> tuple[Any, list[Any]]:
    """Return arguments and, where the derivative needs them, the results there."""
    arguments = function.mx_in()
    n = function.n_in()
    values = function.call(arguments)
    nominal = [
        values[k] if derivative.nnz_in(n + k) else ca.MX(*derivative.size_in(n + k))
        for k in range(function.n_out())
    ]
    return arguments, nominal
