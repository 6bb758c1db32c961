"""The cheapest mesh that agrees with the doubled one, found axis by axis.

Near the limit the errors of the five axes (points in x and r per domain, the r axes
with their stretch) add up as curves over time. So: choose the stretches; refine the
axis with the largest error until the sum is near the limits; measure coarser choices
of every axis alone and infer the rest from their order; take the cheapest combination
whose summed curves hold; and measure that one against the mesh doubled everywhere.
Where the sum was wrong, it is corrected and the next combination tried.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.convergence_choice import (
    Choice,
    Vector,
    cheapest,
    count,
    describe,
    infer,
    n_unknown,
    scaled,
    score_of,
)
from packtwin.pybamm_models.physics_definition import Family
from packtwin.pybamm_models.verdicts import COUNTS, doubled
from packtwin.twin.errors import ModelError

__all__ = ["AXES", "START", "Found", "MeshSearch", "Trial", "search_mesh"]

logger = logging.getLogger(__name__)

Errors: TypeAlias = Callable[[Sequence[tuple[Mesh, Mesh]]], Sequence[Vector]]

AXES: Mapping[Family, tuple[str, ...]] = {
    "SPM": ("r_n", "r_p"),
    "SPMe": ("r_n", "r_p", "x_n", "x_s", "x_p"),
    "DFN": ("r_n", "r_p", "x_n", "x_s", "x_p"),
}
START = Mesh(x_n=12, x_s=4, x_p=8, r_n=20, r_p=16, r_n_stretch=3.0, r_p_stretch=3.0)

_MEASURED_SHARES = {"x": (0.6, 1.0, 1.4), "r": (1.0, 1.4)}
_STRETCHES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_STRETCH_SHARE = 0.65
_LEAN = 0.65
_NEAR = (2.0, 0.9)
_FAR = 20.0  # An error this large may change how the others behave.
_N_ROUND = 16
_N_TRY = 6
_MARGIN = 0.95
_CLOSE = 0.8
_CAUTION = 0.98


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One comparison: `axis` of `mesh` against `finer`, as a multiple of the limits."""

    stage: str
    axis: str
    mesh: Mesh
    finer: Mesh
    score: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The mesh, its score against the one doubled everywhere, and how it was found."""

    mesh: Mesh
    score: float
    trials: tuple[Trial, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSearch:
    """What is searched.

    Attributes:
        family: Decides the axes and the cost.
        errors: Returns, for pairs of a mesh and a finer one, all differences as
            multiples of their limits, in vectors that can be added.
        start: First mesh tried.
        n_unknown_max: Give up above that many states.
        progress: Called with a share of the work, growing to 1, and a note.
    """

    family: Family
    errors: Errors
    start: Mesh = START
    n_unknown_max: int = 6000
    progress: Callable[[float, str], None] | None = None


def search_mesh(search: MeshSearch) -> Found:
    """Return the cheapest mesh found.

    Raises:
        ModelError: no mesh of `n_unknown_max` states was fine enough.
    """
    return _Search(search).run()


@final
class _Search:
    """The state of one search: what was measured so far."""

    def __init__(self, search: MeshSearch) -> None:
        self.search = search
        self.axes = AXES[search.family]
        self.trials: list[Trial] = []
        self.share = 0.0

    def run(self) -> Found:
        base, done = self.search.start, set[Mesh]()
        for near in _NEAR:
            base = self._refine(base, near)
            found = self._choose(self._screen(base), done)
            if found is not None:
                self._report(1.0, describe(found.mesh))
                return replace(found, trials=tuple(self.trials))
        message = (
            f"None of {len(done)} meshes that should agree with the doubled one does: "
            "the errors of the axes do not add up. Raise `--limit-mV`, or choose "
            "milder loads with `--charges`."
        )
        raise ModelError(message)

    def _refine(self, base: Mesh, near: float) -> Mesh:
        """Refine the worst axis until finer choices can be inferred."""
        errors: dict[str, Vector] = {}
        for axis in self.axes:
            if axis.startswith("r"):
                self._report(0.0, f"choosing the stretch of {axis}")
                change = self._stretched(base, axis, 1.0).change
                base = replace(base, **change)
        wanted: Sequence[str] = self.axes
        for k in range(_N_ROUND):
            self._report(0.4 * k / _N_ROUND, f"refining from {describe(base)}")
            pairs = [(base, doubled(base, axis)) for axis in wanted]
            errors |= dict(
                zip(wanted, self._measure("refine", wanted, pairs), strict=True)
            )
            if score_of(sum(errors.values())) <= near:
                return base
            worst = max(errors, key=lambda axis: score_of(errors[axis]))
            score = score_of(errors[worst])
            wanted = self.axes if score > _FAR else (worst,)
            base = scaled(base, worst, 2.0 if score > 2.0 else 1.5)
            if n_unknown(self.search.family, base) > self.search.n_unknown_max:
                break
        worst = max(errors, key=lambda axis: score_of(errors[axis]))
        message = (
            f"No mesh of up to {self.search.n_unknown_max} states agrees with the "
            f"doubled one: {describe(base)} still differs by "
            f"{score_of(sum(errors.values())):.3g} times the limits, most along "
            f"`{worst}`. Allow more with `--states`, raise `--limit-mV`, or use "
            "`--integrated-flux` where a diffusivity changes by orders of magnitude."
        )
        raise ModelError(message)

    def _screen(self, base: Mesh) -> list[list[Choice]]:
        """Measure a few coarser choices of every axis alone; infer the others."""
        choices: list[list[Choice]] = []
        for k, axis in enumerate(self.axes):
            self._report(0.4 + 0.4 * k / len(self.axes), f"screening {axis}")
            # The other axes may be coarse: errors add. But r_n decides the regime.
            others = [name for name in self.axes if name not in (axis, "r_n")]
            lean = replace(base, **{o: count(base, o, _LEAN) for o in others})
            measured: list[Choice] = []
            change: dict[str, Any] = {}
            if axis.startswith("r"):
                first = self._stretched(lean, axis, _STRETCH_SHARE)
                measured, change = [first], first.change
            counts = {count(base, axis, s) for s in _MEASURED_SHARES[axis[0]]}
            changes = [{**change, axis: n} for n in sorted(counts)]
            measured += self._against(lean, axis, changes)
            choices.append(infer(base, axis, measured))
        return choices

    def _stretched(self, lean: Mesh, axis: str, share: float) -> Choice:
        """Return the best stretch of `share` of an axis's points, going downhill."""
        name = f"{axis}_stretch"
        n = count(lean, axis, share)
        known: dict[int, Choice] = {}

        def measure(*places: int) -> None:
            new = [k for k in places if 0 <= k < len(_STRETCHES) and k not in known]
            changes = [{axis: n, name: _STRETCHES[k]} for k in new]
            known.update(zip(new, self._against(lean, axis, changes), strict=True))

        at = int(np.argmin(np.abs(np.array(_STRETCHES) - getattr(lean, name))))
        measure(at, at - 1)
        while True:
            best = min(known, key=lambda k: score_of(known[k].error))
            before = len(known)
            measure(best - 1, best + 1)
            if len(known) == before:
                return known[best]

    def _against(
        self, lean: Mesh, axis: str, changes: Sequence[dict[str, Any]]
    ) -> list[Choice]:
        fine = doubled(lean, axis)
        pairs = [(replace(lean, **change), fine) for change in changes]
        errors = self._measure("screen", [axis] * len(pairs), pairs)
        return [
            Choice(n=change[axis], change=change, error=error)
            for change, error in zip(changes, errors, strict=True)
        ]

    def _choose(self, choices: list[list[Choice]], done: set[Mesh]) -> Found | None:
        """Measure cheap combinations, cheapest first, until one holds."""
        excess: Vector = np.zeros_like(choices[0][0].error)
        limit = _MARGIN
        best: Found | None = None
        for k in range(_N_TRY):
            n_max = n_unknown(self.search.family, best.mesh) if best else math.inf
            candidate = cheapest(
                self.search.family, self.search.start, choices, excess, limit, n_max
            )
            if candidate is None or candidate[0] in done:
                break
            mesh, parts = candidate
            done.add(mesh)
            self._report(0.8 + 0.2 * k / _N_TRY, f"verifying {describe(mesh)}")
            everywhere = doubled(mesh, *COUNTS)
            pairs = [(mesh, everywhere), (mesh, doubled(mesh, "r_n"))]
            try:
                vectors = self._measure("verify", ["all", "r_n"], pairs)
            except ModelError:
                if best is None:
                    raise
                break
            score = max(score_of(v) for v in vectors)
            if score <= 1.0:
                best = Found(mesh=mesh, score=score, trials=())
            if not np.isfinite(score) or (best is not None and not score < _CLOSE):
                break
            predicted = sum((c.error for c in parts), np.zeros_like(excess))
            excess = (vectors[0] - predicted) / sum(score_of(c.error) for c in parts)
            limit *= _CAUTION
        return best

    def _measure(
        self, stage: str, axes: Sequence[str], pairs: Sequence[tuple[Mesh, Mesh]]
    ) -> Sequence[Vector]:
        vectors = self.search.errors(pairs)
        for axis, (mesh, finer), vector in zip(axes, pairs, vectors, strict=True):
            trial = Trial(
                stage=stage, axis=axis, mesh=mesh, finer=finer, score=score_of(vector)
            )
            self.trials.append(trial)
            logger.info(
                "%s %s: %s differs by %.3g", stage, axis, describe(mesh), trial.score
            )
        return vectors

    def _report(self, share: float, note: str) -> None:
        self.share = max(self.share, share)
        if self.search.progress is not None:
            self.search.progress(self.share, note)
