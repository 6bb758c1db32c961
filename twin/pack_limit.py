"""The largest current of the next step that keeps every cell inside its voltages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.pack_string import PackString

__all__ = ["CurrentLimit", "find_limit"]

Symbol: TypeAlias = Any
LIMIT_PASSES = 12
TOLERANCE_V = 2e-3  # of the last pass; its correction comes after
SLOPE_MINIMUM_OHM, SLOPE_MAXIMUM_OHM = 1e-4, 1e3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentLimit:
    """A limit in one direction.

    Attributes:
        cell_A: Magnitude of the cell current, >= 0.
        mean_V: Voltage per cell of the whole string there, connections included.
        slope_Ohm: `-dV/dI` of the worst cell there, to start from next time.
    """

    cell_A: Symbol
    mean_V: Symbol
    slope_Ohm: Symbol


def find_limit(
    string: PackString,
    *,
    sign: float,
    bound_V: Symbol,
    most_A: Symbol,
    guess_A: Symbol,
    slope_Ohm: Symbol,
) -> CurrentLimit:
    """Find the largest current in a direction, `0..most_A`, that keeps the bound.

    The worst of all cells counts: by its voltage at the end of the step, temperature
    frozen. A secant search that falls back to bisection; a pass costs nothing once it
    has converged, so that a good guess makes the step cheap.

    Args:
        string: The string at the start of the step.
        sign: +1 discharges down to the bound, -1 charges up to it.
        bound_V: Voltage that no cell may pass.
        most_A: Largest current otherwise allowed.
        guess_A: Where to start, such as the limit of the last step.
        slope_Ohm: Slope to start with.
    """
    one = _one_pass(string.voltages)
    keep = ca.Function("keep_limit", one.mx_in(), [one.mx_in(0)])
    guarded = ca.Function.if_else("limit_pass_unless_done", one, keep)
    guess = ca.fmin(ca.fmax(guess_A, 0.0), most_A)
    # Neither end of the bracket is known to hold, or not to, before it is tried.
    search = ca.vertcat(guess, -1.0, most_A + 1.0, guess, 0.0, slope_Ohm, 0.0, 0.0)
    task = ca.vertcat(sign, bound_V, most_A)
    for _ in range(LIMIT_PASSES):
        search = guarded(search[7] < 0.5, search, string.start, task)
    found, low, is_done = search[0], search[1], search[7] > 0.5
    return CurrentLimit(
        cell_A=ca.if_else(is_done, found, ca.fmax(low, 0.0)),
        mean_V=search[6],
        slope_Ohm=search[5],
    )


def _one_pass(voltages: ca.Function) -> ca.Function:
    """Return `(search, start, task) -> (search,)`: one voltage and what follows.

    `search` holds the current to try, the largest that is known to keep the bound, the
    smallest that is known not to, the one tried before with its margin, the slope, the
    string's voltage and whether all is done.
    """
    search, task = ca.MX.sym("search", 8), ca.MX.sym("task", 3)
    start = ca.MX.sym("start", voltages.numel_in(0))
    tried, low, high, before, margin_before, slope_before = (
        search[k] for k in range(6)
    )
    sign, bound, most = (task[k] for k in range(3))
    mean, lowest, highest = ca.vertsplit(voltages(start, sign * tried))
    margin = ca.if_else(sign > 0.0, lowest - bound, bound - highest)

    gap = tried - before
    is_first = ca.fabs(gap) < 1e-9
    secant = (margin_before - margin) / ca.if_else(is_first, 1.0, gap)
    slope = ca.if_else(is_first, slope_before, secant)
    slope = ca.fmin(ca.fmax(slope, SLOPE_MINIMUM_OHM), SLOPE_MAXIMUM_OHM)

    holds = margin >= 0.0
    low = ca.if_else(holds, tried, low)
    high = ca.if_else(holds, high, tried)
    is_end = ca.logic_or(
        ca.logic_and(holds, tried >= most), ca.logic_and(margin <= 0.0, tried <= 0.0)
    )
    is_near = ca.fabs(margin) <= TOLERANCE_V
    linear = ca.fmin(ca.fmax(tried + margin / slope, 0.0), most)
    is_inside = ca.logic_and(linear > low, linear < high)
    halved = 0.5 * (ca.fmax(low, 0.0) + ca.fmin(high, most))
    following = ca.if_else(is_inside, linear, halved)
    following = ca.if_else(is_near, linear, following)
    following = ca.if_else(is_end, tried, following)
    return ca.Function(
        "limit_pass",
        [search, start, task],
        [
            ca.vertcat(
                following,
                low,
                high,
                tried,
                margin,
                slope,
                mean - sign * slope * (following - tried),
                ca.logic_or(is_end, is_near),
            )
        ],
    )
