"""The capacity over a life: the law of `ageing_circuit` in closed form, fitted.

    Q(z) = Q_floor + (Q_fresh - Q_floor) exp(-z / Z)

`z` is the charge taken out before the discharge. The unknowns are found by Gauss-Newton
steps with CasADi's Jacobian, and stated like those of `identify`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import casadi as ca
import numpy as np

from packtwin.twin.errors import TrainingError
from packtwin.twin.identification_statement import Statement, Unknown, statement_of
from packtwin.twin.measurement import Vector
from packtwin.twin.variable import nearest_names

__all__ = ["CapacityFade", "fit_fade", "throughput_before"]

_NAMES = ("capacity_fresh_Ah", "capacity_floor_Ah", "fade_charge_Ah")
_MAX_STEPS, _MAX_HALVINGS, _TOLERANCE = 100, 30, 1e-12


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CapacityFade:
    """A fitted law.

    Attributes:
        values: Of all three parameters, by the names of `ageing_circuit`.
        statement: How well the unknown ones are determined.
    """

    values: Mapping[str, float]
    statement: Statement

    def at(self, throughput_Ah: Vector) -> Vector:
        """Return the capacity after a charge was taken out."""
        row = np.array([self.values[name] for name in _NAMES])
        return np.asarray(_law()(row, throughput_Ah.reshape(1, -1)).full()).reshape(-1)


def throughput_before(capacity_Ah: Vector) -> Vector:
    """Return the charge taken out before each full discharge."""
    return np.concatenate([[0.0], np.cumsum(capacity_Ah)[:-1]])


def _law() -> ca.Function:
    p, z = ca.MX.sym("p", 3), ca.MX.sym("z")
    value = p[1] + (p[0] - p[1]) * ca.exp(-z / p[2])
    return ca.Function("fade", [p, z], [value])


def fit_fade(
    capacity_Ah: Vector, unknowns: tuple[str, ...] = ("capacity_fresh_Ah", _NAMES[2])
) -> CapacityFade:
    """Fit the law to the capacities of the first discharges of a cell.

    Args:
        capacity_Ah: Of each discharge, from the first.
        unknowns: What to find; a floor that is not among them is zero.

    Raises:
        TrainingError: An unknown is not determined, or the capacity does not fall.
    """
    for name in unknowns:
        if name not in _NAMES:
            msg = f"The law has no `{name}`; nearest: {nearest_names(name, _NAMES)}."
            raise TrainingError(msg)
    z = throughput_before(capacity_Ah)
    slope = float(np.polyfit(z, np.log(capacity_Ah), 1)[0]) if len(z) > 2 else 0.0
    if not slope < 0.0:
        msg = (
            f"The capacity of {len(z)} discharges changes by {slope:.3g} per Ah, "
            "expected it to fall over 3 or more. Give more discharges."
        )
        raise TrainingError(msg)
    rate = -slope
    start = dict(zip(_NAMES, (float(capacity_Ah[0]), 0.0, 1.0 / rate), strict=True))
    if "capacity_floor_Ah" in unknowns:
        start["capacity_floor_Ah"] = 0.1 * start["capacity_fresh_Ah"]
    free = [_NAMES.index(name) for name in unknowns]
    p = ca.MX.sym("p", 3)
    error = _law().map(len(z))(ca.repmat(p, 1, len(z)), z.reshape(1, -1)).T
    residual = ca.Function("residual", [p], [error - capacity_Ah])
    both = ca.Function(
        "both", [p], [error - capacity_Ah, ca.jacobian(error, p)[:, free]]
    )
    row = np.array([start[name] for name in _NAMES])
    row = _solved(residual, both, row, free)
    gap, slopes = (part.full() for part in both(row))
    chosen = [
        Unknown(name=name, spread=abs(start[name]), scale="linear") for name in unknowns
    ]
    statement = statement_of(
        chosen,
        row[free],
        [slopes * np.array([abs(start[name]) for name in unknowns])],
        [gap[:, 0]],
        error_limit=0.5,
        is_judged=True,
    )
    return CapacityFade(
        values=dict(zip(_NAMES, row.tolist(), strict=True)), statement=statement
    )


def _solved(
    residual: ca.Function, both: ca.Function, row: Vector, free: list[int]
) -> Vector:
    for _ in range(_MAX_STEPS):
        gap, slopes = (part.full() for part in both(row))
        cost = float(np.sum(gap**2))
        step = np.zeros(3)
        step[free] = -np.linalg.lstsq(slopes, gap[:, 0])[0]
        for _ in range(_MAX_HALVINGS):
            trial = row + step
            if trial[2] > 0.0:
                reached = float(np.sum(residual(trial).full() ** 2))
                if reached <= cost:
                    break
            step = 0.5 * step
        else:
            return row
        row = trial
        if cost - reached <= _TOLERANCE * cost:
            return row
    return row
