"""`integrate(model, scheme)`: from equations to a step map.

Every scheme forms the outputs sampled as `mean` with the same weights as the states,
so that any linear balance between states and flows (charge, lithium, energy) that the
equations obey is kept to rounding by the step as well.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import casadi as ca
import numpy as np

from packtwin.twin.input_polynomial import value_at
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepMap

__all__ = ["Scheme", "integrate"]

Scheme: TypeAlias = Literal["exponential", "rk4"]


def phi(z: Any) -> tuple[Any, Any]:
    """Return `phi1(z) = (e^z - 1)/z` and `phi2(z) = (phi1(z) - 1)/z`, smooth at 0.

    A series is used where the closed forms cancel (|z| < 0.01); its truncation error
    is below 1e-15 there.
    """
    small = ca.fabs(z) < 1e-2
    safe = ca.if_else(small, 1.0, z)
    big1 = ca.expm1(safe) / safe
    big2 = (big1 - 1.0) / safe
    series1, series2 = 1.0, 0.5
    for k in range(7, 0, -1):
        series1 = 1.0 + z / (k + 1) * series1
    series2 = 0.0 * z
    for k in range(7, -1, -1):
        series2 = series2 * z + 1.0 / math.factorial(k + 2)
    return ca.if_else(small, series1, big1), ca.if_else(small, series2, big2)


def _phi_from_two(z: Any, order: int) -> Any:
    """Return `phi_order(z) = (phi_{order-1}(z) - 1/(order-1)!)/z` for order > 2.

    The series is used for |z| < 1, where each quotient would lose digits; its
    truncation error is below 1e-16 there.
    """
    small = ca.fabs(z) < 1.0
    inside, outside = ca.if_else(small, z, 0.0), ca.if_else(small, 1.0, z)
    series: Any = 1.0 / math.factorial(order + 17)
    for k in range(16, -1, -1):
        series = series * inside + 1.0 / math.factorial(order + k)
    big = ca.expm1(outside) / outside
    for k in range(2, order + 1):
        big = (big - 1.0 / math.factorial(k - 1)) / outside
    return ca.if_else(small, series, big)


def _exponential(
    model: Model, x: Any, t: Any, h: Any, rows: list[Any], p: Any
) -> tuple[Any, Any]:
    """Exponential Rosenbrock-Euler step with a diagonal propagator.

    With f = f(x), J its Jacobian, D = diag J (or the model's own `relaxation` rates)
    and d = h phi2(h D) f, the linearised mean deviation of the state over the step:

        x_next  = x + h (f + J d)        mean(y) = y(x) + (dy/dx) d

    Second order, exact for decoupled linear modes at constant input, stable for stiff
    diagonal modes. Inputs u + u1 s + u2 s^2/2 + ... add h^(i+1) phi_{i+2}(h D) f_u u_i
    to d and have the mean deviation sum h^i u_i / (i+1)! of their own, by which the
    modes stay exact. After M. Hochbruck, A. Ostermann, Acta Numerica 19 (2010)
    209-286, doi:10.1017/S0962492910000048, with the diagonal in place of the full
    Jacobian.
    """
    u = rows[0]
    f = _inlined(model.rhs, t, x, u, p)
    if model.relaxation is None:
        diagonal = ca.diag(ca.jacobian(f, x))
    else:
        diagonal = _inlined(model.relaxation, t, x, u, p)
    _, phi2 = phi(h * diagonal)
    d = h * phi2 * f
    is_mean = [i for i, v in enumerate(model.interface.outputs) if v.sampling == "mean"]
    y = _inlined(model.outputs, t, x, u, p)
    both = ca.vertcat(f, y[is_mean, 0])
    deviation: Any = 0.0
    for i, slope in enumerate(rows[1:], start=1):
        d = d + h ** (i + 1) * _phi_from_two(h * diagonal, i + 2) * ca.jtimes(
            f, u, slope
        )
        deviation = deviation + h**i / math.factorial(i + 1) * slope
    tangent = ca.jtimes(both, x, d)
    if rows[1:]:
        tangent = tangent + ca.jtimes(both, u, deviation)
    n = x.numel()
    y_mean = type(x)(y)
    y_mean[is_mean, 0] = y[is_mean, 0] + tangent[n:, 0]
    return x + h * (f + tangent[:n]), y_mean


def _inlined(function: ca.Function, *arguments: Any) -> Any:
    """Call a function by copying its expressions, so that common parts are shared."""
    t, x, u, p = arguments
    if not isinstance(x, ca.MX):
        return _called(function, *arguments)
    return function.call([t, x, ca.MX(0, 1), u, p], True, False)[0]


def _called(function: ca.Function, t: Any, x: Any, u: Any, p: Any) -> Any:
    """Call a function of a model without algebraic states."""
    return function(t, x, type(x)(0, 1), u, p)


def _rk4(
    model: Model, x: Any, t: Any, h: Any, rows: list[Any], p: Any
) -> tuple[Any, Any]:
    """Classical Runge-Kutta step of order four (W. Kutta, 1901)."""

    def rhs(*arguments: Any) -> Any:
        return _called(model.rhs, *arguments)

    def outputs(*arguments: Any) -> Any:
        return _called(model.outputs, *arguments)

    u, u_half, u_end = (value_at(rows, s) for s in (0.0, h / 2, h))
    k1 = rhs(t, x, u, p)
    x2 = x + h / 2 * k1
    k2 = rhs(t + h / 2, x2, u_half, p)
    x3 = x + h / 2 * k2
    k3 = rhs(t + h / 2, x3, u_half, p)
    x4 = x + h * k3
    k4 = rhs(t + h, x4, u_end, p)
    y1, y2 = outputs(t, x, u, p), outputs(t + h / 2, x2, u_half, p)
    y3, y4 = outputs(t + h / 2, x3, u_half, p), outputs(t + h, x4, u_end, p)
    x_next = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x_next, (y1 + 2 * y2 + 2 * y3 + y4) / 6


def integrate(
    model: Model,
    scheme: Scheme = "exponential",
    *,
    substep_s: float = math.inf,
    input_order: int = 0,
    symbol: Any = ca.MX,
) -> StepMap:
    """Turn a model into a step map whose memory is the model's state.

    Args:
        model: The equations.
        scheme: `exponential` for relaxing modes, `rk4` for smooth non-stiff systems.
        substep_s: Longest internal step, s; longer steps are cut evenly.
        input_order: Order of the polynomials that the inputs are on a step.
            Both schemes keep their order for them: `rk4` takes them at its stages.
        symbol: `casadi.MX` (networks, tables) or `casadi.SX` (small models; fast C).
    """
    n_x, n_u = len(model.states), len(model.interface.inputs)
    n_p = len(model.interface.parameters)
    x, p = symbol.sym("x", n_x), symbol.sym("p", n_p)
    rows = [symbol.sym(f"u{i or ''}", n_u) for i in range(input_order + 1)]
    u = rows[0]
    t, h = symbol.sym("t"), symbol.sym("h")
    stepper = {"exponential": _exponential, "rk4": _rk4}[scheme]
    if n_x:
        x_next, y_mean = stepper(model, x, t, h, rows, p)
    else:
        x_next, y_mean = x, _mean_of_outputs(model, t, h, rows, p)
    y_end = _inlined(model.outputs, t + h, x_next, value_at(rows, h), p)
    is_mean = np.array([v.sampling == "mean" for v in model.interface.outputs])
    y = _select(is_mean, y_mean, y_end)
    x0, _ = model.initial(u, p)
    step = [ca.densify(x_next), ca.densify(y)]
    if symbol is ca.MX:
        step = ca.cse(step)
    return StepMap(
        name=model.name,
        interface=model.interface,
        memory=model.states,
        initialize=ca.Function(
            f"{model.name}_initialize",
            [u, p],
            [x0, _called(model.outputs, 0, x0, u, p)],
        ),
        step=_step_function(f"{model.name}_step", [x, t, h, rows, p], step),
        substep_s=substep_s,
        input_order=input_order,
        equations=model,
    )


def _mean_of_outputs(model: Model, t: Any, h: Any, rows: list[Any], p: Any) -> Any:
    """Return the outputs' means without states: Simpson's rule, exact for cubics."""
    none = type(p)(0, 1)
    if not rows[1:]:
        return _called(model.outputs, t, none, rows[0], p)
    y = [
        _called(model.outputs, t + s, none, value_at(rows, s), p)
        for s in (0.0, h / 2, h)
    ]
    return (y[0] + 4 * y[1] + y[2]) / 6


def _step_function(name: str, arguments: list[Any], step: list[Any]) -> ca.Function:
    """Return the function of a step, its inputs stacked; a constant one as it is."""
    x, t, h, rows, p = arguments
    if not rows[1:]:
        return ca.Function(name, [x, t, h, rows[0], p], step)
    u = type(p).sym("u", len(rows) * rows[0].numel())
    parts = ca.vertsplit(u, rows[0].numel()) if rows[0].numel() else rows
    return ca.Function(name, [x, t, h, u, p], ca.substitute(step, rows, parts))


def _select(is_mean: Any, y_mean: Any, y_end: Any) -> Any:
    if not is_mean.any():
        return y_end
    parts = [y_mean[i] if flag else y_end[i] for i, flag in enumerate(is_mean)]
    return ca.vertcat(*parts)
