"""What data say about unknowns: Fisher information, correlations, refusals.

The information matrix is the sum over records of `S^T S / v`, `S` the exact slopes of
the fitted samples and `v` their residual variance, inflated by `(1 + r) / (1 - r)`
where neighbouring residuals correlate by `r`: a model that is wrong in form leaves
errors that many samples share, which are not as many independent facts (M. S. Bartlett,
Journal of the Royal Statistical Society 98 (1935) 536-543, doi:10.2307/2342284).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError, TrainingError

__all__ = ["Statement", "Unknown", "refuse_idle", "statement_of"]

Vector: TypeAlias = NDArray[np.float64]

_CORRELATED = 0.95
_IDLE = 1e-9  # of the largest column
_UNTOLD = 0.9  # of the prior's deviation


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A parameter to identify.

    Attributes:
        name: Parameter of the model.
        scale: `logarithmic` for what may change by a factor and keeps its sign.
        spread: How far it may plausibly be from its start value: in its own unit, or
            as a natural logarithm. None is 1 if logarithmic, else the start value.
        is_prior: The spread is a standard deviation known beforehand, and counts like
            a measurement.
        minimum: Lower bound; the model's own if None.
        maximum: Upper bound likewise.
    """

    name: str
    scale: Literal["linear", "logarithmic"] = "linear"
    spread: float | None = None
    is_prior: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def spread_at(self, start: float) -> float:
        """Return the spread, filled in for a start value.

        Raises:
            InterfaceError: it has none, or a logarithm of zero is asked for.
        """
        is_log = self.scale == "logarithmic"
        if is_log and not start > 0.0:
            msg = (
                f"`{self.name}` starts at {start:g}, expected more than 0 to be "
                "identified on a logarithmic scale. Choose `linear` or another start."
            )
            raise InterfaceError(msg)
        spread = (1.0 if is_log else abs(start)) if self.spread is None else self.spread
        if not (math.isfinite(spread) and spread > 0.0):
            msg = (
                f"`{self.name}` has the spread {spread:g}, expected a positive number: "
                f"it starts at {start:g}. Give `spread` in its unit."
            )
            raise InterfaceError(msg)
        return spread

    def limits(self, minimum: float, maximum: float) -> tuple[float, float]:
        """Return the bounds, the model's where none are given."""
        low = minimum if self.minimum is None else self.minimum
        high = maximum if self.maximum is None else self.maximum
        if not low < high:
            msg = (
                f"`{self.name}` has the bounds {low:g} and {high:g}, expected the "
                "lower one first. Correct them."
            )
            raise InterfaceError(msg)
        return low, high


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statement:
    """How well unknowns are determined.

    Attributes:
        names: Of the unknowns.
        values: Where the errors are stated.
        standard_errors: In the unit of each; of the logarithm if logarithmic.
        correlation: Of the estimates.
        correlated: Pairs with a correlation above 0.95 in size, and it.
        untold: Unknowns that stay where their prior has them, for the data say little.
        noise: Standard deviation of the residual, by record and series, in its unit.
        inflation: Of the variance by correlated residuals, likewise.
    """

    names: tuple[str, ...]
    values: Vector
    standard_errors: Vector
    correlation: Vector
    correlated: tuple[tuple[str, str, float], ...]
    untold: tuple[str, ...]
    noise: tuple[float, ...]
    inflation: tuple[float, ...]


def refuse_idle(slopes: Vector, unknowns: Sequence[Unknown]) -> None:
    """Refuse an unknown that changes nothing at the samples.

    Raises:
        TrainingError: always then.
    """
    size = np.linalg.norm(slopes, axis=0)
    idle = [
        u.name
        for u, length in zip(unknowns, size, strict=True)
        if not length > _IDLE * max(float(size.max()), 1e-300)
    ]
    if idle:
        listed = ", ".join(f"`{name}`" for name in idle)
        msg = (
            f"{listed} cannot be identified: what these records hold does not "
            "depend on it. Leave it out, or add a record in which it matters."
        )
        raise TrainingError(msg)


def statement_of(
    unknowns: Sequence[Unknown],
    values: Vector,
    slopes: Sequence[Vector],
    errors: Sequence[Vector],
    *,
    error_limit: float,
    is_judged: bool,
) -> Statement:
    """State how well `unknowns` are determined at the solution.

    Args:
        unknowns: What was identified.
        values: The solution.
        slopes: Of each series by the scaled unknowns (multiples of their spreads).
        errors: Model less measurement, of each series.
        error_limit: Largest standard error as a fraction of the spread.
        is_judged: Refuse what exceeds it.

    Raises:
        TrainingError: an unknown without prior is not determined.
    """
    n = sum(len(e) for e in errors)
    share = n / max(n - len(unknowns), 1)
    noise = [float(np.sqrt(np.mean(e**2) * share)) for e in errors]
    inflation = [_inflation(e) for e in errors]
    information = np.zeros((len(unknowns), len(unknowns)))
    for s, deviation, factor in zip(slopes, noise, inflation, strict=True):
        information += s.T @ s / (max(deviation, 1e-12) ** 2 * factor)
    prior = np.diag([1.0 if u.is_prior else 0.0 for u in unknowns])
    covariance = _inverse(information + prior)
    scaled = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scaled, scaled)
    pairs = _pairs(unknowns, correlation)
    if is_judged:
        _refuse_undetermined(unknowns, scaled, pairs, error_limit)
    spreads = [
        u.spread_at(v) if u.spread is None else u.spread
        for u, v in zip(unknowns, values, strict=True)
    ]
    return Statement(
        names=tuple(u.name for u in unknowns),
        values=values,
        standard_errors=scaled * np.array(spreads),
        correlation=correlation,
        correlated=pairs,
        untold=tuple(
            u.name
            for u, e in zip(unknowns, scaled, strict=True)
            if u.is_prior and e > _UNTOLD
        ),
        noise=tuple(noise),
        inflation=tuple(inflation),
    )


def _inflation(error: Vector) -> float:
    centred = error - error.mean()
    power = float(np.sum(centred**2))
    if len(error) < 8 or power == 0.0:
        return 1.0
    r = float(np.sum(centred[1:] * centred[:-1])) / power
    r = min(max(r, 0.0), 0.99)
    return 1.0 if r < 2.0 / math.sqrt(len(error)) else (1.0 + r) / (1.0 - r)


def _inverse(information: Vector) -> Vector:
    """Invert, scaled to a unit diagonal; what is singular becomes very large."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(values, 1e-14)
    return np.asarray((vectors / values) @ vectors.T / np.outer(scale, scale))


def _pairs(
    unknowns: Sequence[Unknown], correlation: Vector
) -> tuple[tuple[str, str, float], ...]:
    rows, columns = np.nonzero(np.triu(np.abs(correlation) > _CORRELATED, 1))
    return tuple(
        (unknowns[i].name, unknowns[j].name, float(correlation[i, j]))
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    )


def _refuse_undetermined(
    unknowns: Sequence[Unknown],
    scaled: Vector,
    pairs: Sequence[tuple[str, str, float]],
    error_limit: float,
) -> None:
    poor = [
        (u, float(e))
        for u, e in zip(unknowns, scaled, strict=True)
        if not u.is_prior and not e <= error_limit
    ]
    if not poor:
        return
    listed = ", ".join(f"`{u.name}` ({100 * e:.3g} %)" for u, e in poor)
    names = {u.name for u, _ in poor}
    linked = [
        f"`{a}` with `{b}` ({c:+.3f})" for a, b, c in pairs if a in names or b in names
    ]
    why = f" It is correlated: {', '.join(linked)}." if linked else ""
    msg = (
        f"{listed} cannot be identified from these records: the standard error, as a "
        f"share of its spread, is above {100 * error_limit:g} %.{why} Leave it out, "
        "fix what it is correlated with, give it a prior, or add records."
    )
    raise TrainingError(msg)
