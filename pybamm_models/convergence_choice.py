"""Choices of a mesh's axes: counts, what they cost and how large their errors are.

Nothing is measured here: `cheapest` combines the choices that `convergence_search` has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.physics_definition import Family

__all__ = [
    "Choice",
    "Vector",
    "cheapest",
    "count",
    "describe",
    "infer",
    "n_unknown",
    "scaled",
    "score_of",
]

Vector: TypeAlias = npt.NDArray[np.float64]

_SMALLEST = {"x_n": 4, "x_s": 2, "x_p": 4, "r_n": 4, "r_p": 4}
_TRIED_SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0)
_AXES = ("x_n", "x_s", "x_p", "r_n", "r_p")
_DOUBT = 0.25
_N_PEAK, _EVERY = 40, 16


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """`n` points on one axis, all it changes in a mesh, and its error."""

    n: int
    change: dict[str, Any]
    error: Vector


def n_unknown(family: Family, mesh: Mesh) -> int:
    """Return the number of differential and algebraic states but for a temperature."""
    return int(_cost(family, *(getattr(mesh, axis) for axis in _AXES)))


def _cost(family: Family, x_n: Any, x_s: Any, x_p: Any, r_n: Any, r_p: Any) -> Any:
    if family == "SPM":
        return r_n + r_p
    n_x = x_n + x_s + x_p
    if family == "SPMe":
        return r_n + r_p + n_x
    return x_n * r_n + x_p * r_p + 2 * n_x + x_n + x_p


def describe(mesh: Mesh) -> str:
    """Return a mesh in one line: x points, then shells with their stretch."""
    return (
        f"x {mesh.x_n}/{mesh.x_s}/{mesh.x_p}, r {mesh.r_n}^{mesh.r_n_stretch:g}/"
        f"{mesh.r_p}^{mesh.r_p_stretch:g}"
    )


def score_of(vector: Any) -> float:
    """Return the largest magnitude."""
    return float(np.abs(vector).max())


def _rounded(count: float, axis: str) -> int:
    step = 2 if axis.startswith("r") else 1
    return max(_SMALLEST[axis], step * math.ceil(count / step - 1e-9))


def count(mesh: Mesh, axis: str, share: float) -> int:
    """Return about `share` of the points that `mesh` has on `axis`."""
    return _rounded(share * getattr(mesh, axis), axis)


def scaled(mesh: Mesh, axis: str, factor: float) -> Mesh:
    """Return `mesh` with about `factor` times the points on `axis`."""
    changes: dict[str, Any] = {axis: count(mesh, axis, factor)}
    return replace(mesh, **changes)


def infer(base: Mesh, axis: str, measured: Sequence[Choice]) -> list[Choice]:
    """Return many counts of an axis with their difference from the doubled count.

    What was measured are differences from twice the points of `base`, where they are
    0. Between measured counts they are interpolated in the power of the count that
    fits best; beyond the last one they fall a little slower than that.
    """
    known = sorted(measured, key=lambda choice: choice.n)
    n_base = getattr(base, axis)
    order = _order(known, 2 * n_base)
    nothing = Choice(n=2 * n_base, change={}, error=np.zeros_like(known[0].error))

    def from_fine(n: int) -> Vector:
        points = [*known, nothing]
        k = next((k for k, p in enumerate(points[1:-1]) if n <= p.n), len(known) - 1)
        low, high = points[k], points[k + 1]
        ends = [float(c) ** -order for c in (low.n, high.n)]
        share = (float(n) ** -order - ends[1]) / (ends[0] - ends[1])
        return np.asarray(share * low.error + (1.0 - share) * high.error)

    def from_doubled(n: int) -> Vector:
        if n <= n_base:
            return from_fine(n) - from_fine(2 * n)
        share = (1.0 - 2.0**-order) / (1.0 - (0.5 * n / n_base) ** order)
        return np.asarray(share * from_fine(n))

    found: list[Choice] = []
    for n in sorted({count(base, axis, share) for share in _TRIED_SHARES}):
        within = min(n, known[-1].n)
        fall = (within / n) ** max(1.0, order - _DOUBT)
        change = {**known[0].change, axis: n}
        found.append(Choice(n=n, change=change, error=fall * from_doubled(within)))
    return found


def _order(known: Sequence[Choice], n_fine: int) -> float:
    """Return the power that fits the first and last error against `n_fine`."""
    first, last = (score_of(known[k].error) for k in (0, -1))
    if known[0].n == known[-1].n or not np.isfinite(first) or not last > 0.0:
        return 1.0
    orders = np.linspace(1.0, 3.0, 41)
    ends = [float(known[k].n) ** -orders - float(n_fine) ** -orders for k in (0, -1)]
    misfit = np.abs(np.log(ends[0] / ends[1]) - math.log(first / last))
    return float(orders[int(np.argmin(misfit))])


def cheapest(
    family: Family,
    start: Mesh,
    choices: Sequence[Sequence[Choice]],
    excess: Vector,
    limit: float,
    n_max: float,
) -> tuple[Mesh, list[Choice]] | None:
    """Return the cheapest mesh whose predicted errors hold, and its choices.

    Args:
        family: Decides what a mesh costs.
        start: Has the axes that are not chosen.
        choices: Of every axis.
        excess: What the last mesh measured had beyond its sum, per unit of its axes'
            largest errors: it shrinks with them.
        limit: Of the largest sum.
        n_max: Only meshes of fewer states.
    """
    allowed = [[c for c in axis if score_of(c.error) <= limit] for axis in choices]
    if not all(allowed):
        return None
    kept = _peaks([excess, *(c.error for axis in choices for c in axis)])
    thin = {
        id(c): c.error[kept] + score_of(c.error) * excess[kept]
        for axis in allowed
        for c in axis
    }
    for mesh, parts in _rank(family, start, allowed):
        if n_unknown(family, mesh) >= n_max:
            return None
        # Most fail at the few places looked at first.
        if score_of(sum(thin[id(c)] for c in parts)) > limit:
            continue
        whole = sum(score_of(c.error) for c in parts) * excess
        if score_of(sum((c.error for c in parts), whole)) <= limit:
            return mesh, parts
    return None


def _peaks(errors: Sequence[Vector]) -> npt.NDArray[np.intp]:
    """Return where to look for the largest of a sum: at the peaks and now and then."""
    tops = [np.argsort(np.abs(error))[-_N_PEAK:] for error in errors]
    return np.unique(np.concatenate([*tops, np.arange(0, len(errors[0]), _EVERY)]))


def _rank(
    family: Family, start: Mesh, choices: Sequence[Sequence[Choice]]
) -> Iterator[tuple[Mesh, list[Choice]]]:
    """Yield every combination of one choice per axis, cheapest first."""
    places = np.indices([len(axis) for axis in choices]).reshape(len(choices), -1)
    counts: dict[str, Any] = {axis: getattr(start, axis) for axis in _AXES}
    for axis, place in zip(choices, places, strict=True):
        name = next(name for name in axis[0].change if name in _AXES)
        counts[name] = np.array([choice.n for choice in axis])[place]
    for column in np.argsort(_cost(family, **counts), kind="stable"):
        parts = [axis[k] for axis, k in zip(choices, places[:, column], strict=True)]
        changes: dict[str, Any] = {}
        for part in parts:
            changes |= part.change
        yield replace(start, **changes), parts
