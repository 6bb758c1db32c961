"""The cheapest mesh that agrees with the doubled one, found axis by axis.

Near the limit the errors of the five axes (points in x and r per domain, the r axes
with their stretch) add up as curves over time. So: refine the axis with the largest
error until the sum is within the limits; measure coarser choices of every axis alone;
take the cheapest combination whose summed curves hold; and measure that one against
the mesh doubled everywhere. Where the sum was wrong, it is corrected and the next
combination tried.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.physics_definition import Family
from packtwin.pybamm_models.verdicts import doubled
from packtwin.twin.errors import ModelError

__all__ = ["AXES", "START", "Found", "MeshSearch", "Trial", "n_unknown", "search_mesh"]

logger = logging.getLogger(__name__)

Vector: TypeAlias = npt.NDArray[np.float64]
Errors: TypeAlias = Callable[[Sequence[tuple[Mesh, Mesh]]], Sequence[Vector]]

AXES: Mapping[Family, tuple[str, ...]] = {
    "SPM": ("r_n", "r_p"),
    "SPMe": ("r_n", "r_p", "x_n", "x_s", "x_p"),
    "DFN": ("r_n", "r_p", "x_n", "x_s", "x_p"),
}
START = Mesh(x_n=8, x_s=4, x_p=8, r_n=16, r_p=12, r_n_stretch=3.0, r_p_stretch=3.0)

_SMALLEST = {"x_n": 4, "x_s": 2, "x_p": 4, "r_n": 4, "r_p": 4}
_SHARES = {"x": (0.5, 0.65, 0.8, 1.0, 1.25), "r": (0.4, 0.5, 0.65, 0.8, 1.0, 1.25)}
_STRETCHES = (0.0, 1.5, 3.0, 4.0, 5.0, 6.0)
_STRETCH_SHARE = 0.65
_FAR = 5.0  # An error this large may change how the others behave.
_N_ROUND = 16
_N_TRY = 6
_MARGIN = 0.95


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


def n_unknown(family: Family, mesh: Mesh) -> int:
    """Return the number of differential and algebraic states but for a temperature."""
    if family == "SPM":
        return mesh.r_n + mesh.r_p
    n_x = mesh.x_n + mesh.x_s + mesh.x_p
    if family == "SPMe":
        return mesh.r_n + mesh.r_p + n_x
    n_particle = mesh.x_n * mesh.r_n + mesh.x_p * mesh.r_p
    return n_particle + 2 * n_x + mesh.x_n + mesh.x_p - mesh.x_s + mesh.x_s


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

    def run(self) -> Found:
        base, errors = self._refine()
        choices = self._screen(base, errors)
        return self._choose(choices)

    def _refine(self) -> tuple[Mesh, dict[str, Vector]]:
        """Refine the worst axis until the errors of all together are in the limits."""
        base, errors = self.search.start, dict[str, Vector]()
        wanted: Sequence[str] = self.axes
        for k in range(_N_ROUND):
            self._report(0.4 * k / _N_ROUND, f"refining from {describe(base)}")
            pairs = [(base, doubled(base, axis)) for axis in wanted]
            errors |= dict(
                zip(wanted, self._measure("refine", wanted, pairs), strict=True)
            )
            if _score(sum(errors.values())) <= 1.0:
                return base, errors
            worst = max(errors, key=lambda axis: _score(errors[axis]))
            score = _score(errors[worst])
            wanted = self.axes if score > _FAR else (worst,)
            base = _scaled(base, worst, 2.0 if score > 2.0 else 1.5)
            if n_unknown(self.search.family, base) > self.search.n_unknown_max:
                break
        message = (
            f"No mesh of up to {self.search.n_unknown_max} states agrees with the "
            f"doubled one: {describe(base)} still differs by "
            f"{_score(sum(errors.values())):.3g} times the limits, most along "
            f"`{max(errors, key=lambda axis: _score(errors[axis]))}`. Allow more with "
            "`--states`, raise `--limit-mV`, or use `--integrated-flux` where a "
            "diffusivity changes by orders of magnitude."
        )
        raise ModelError(message)

    def _screen(
        self, base: Mesh, errors: Mapping[str, Vector]
    ) -> list[list[tuple[dict[str, Any], Vector]]]:
        """Measure other choices of every axis alone, against its doubled points."""
        choices: list[list[tuple[dict[str, Any], Vector]]] = []
        for k, axis in enumerate(self.axes):
            self._report(0.4 + 0.4 * k / len(self.axes), f"screening {axis}")
            changes = [{axis: n} for n in _counts(base, axis)]
            if axis.startswith("r"):
                changes = self._stretched(base, axis, changes)
            vectors = self._against(base, axis, changes)
            own = {axis: getattr(base, axis)}
            choices.append([(own, errors[axis]), *zip(changes, vectors, strict=True)])
        return choices

    def _stretched(
        self, base: Mesh, axis: str, changes: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return `changes` with the stretch that suits a coarser axis best."""
        name = f"{axis}_stretch"
        n = _rounded(_STRETCH_SHARE * getattr(base, axis), axis)
        tried = [{axis: n, name: stretch} for stretch in _STRETCHES]
        scores = [_score(v) for v in self._against(base, axis, tried)]
        best = _STRETCHES[int(np.argmin(scores))]
        return [{**change, name: best} for change in changes]

    def _against(
        self, base: Mesh, axis: str, changes: Sequence[Mapping[str, Any]]
    ) -> Sequence[Vector]:
        fine = doubled(base, axis)
        pairs = [(replace(base, **change), fine) for change in changes]
        return self._measure("screen", [axis] * len(pairs), pairs)

    def _choose(self, choices: list[list[tuple[dict[str, Any], Vector]]]) -> Found:
        """Measure cheap combinations, cheapest first, until one holds."""
        options = [
            [(change, vector, _score(vector)) for change, vector in axis]
            for axis in choices
        ]
        ranked = sorted(
            (self._combined(parts) for parts in itertools.product(*options)),
            key=lambda entry: n_unknown(self.search.family, entry[0]),
        )
        threshold, done = _MARGIN, set[Mesh]()
        best: Found | None = None
        for k in range(_N_TRY):
            mesh = self._cheapest(ranked, threshold, done, best)
            if mesh is None:
                break
            done.add(mesh)
            self._report(0.8 + 0.2 * k / _N_TRY, f"verifying {describe(mesh)}")
            everywhere = doubled(mesh, *self.axes)
            pairs = [(mesh, everywhere), (mesh, doubled(mesh, "r_n"))]
            vectors = self._measure("verify", ["all", "r_n"], pairs)
            score = max(_score(v) for v in vectors)
            if score <= 1.0:
                best = Found(mesh=mesh, score=score, trials=())
                if score > _MARGIN**4:
                    break
            threshold *= _MARGIN / max(score, 0.5)
            if best is not None and score > 1.0:
                break
        if best is None:
            message = (
                f"None of {len(done)} meshes that should agree with the doubled one "
                "does: the errors of the axes do not add up. Start from a finer mesh "
                "or raise `--limit-mV`."
            )
            raise ModelError(message)
        self._report(1.0, describe(best.mesh))
        return replace(best, trials=tuple(self.trials))

    def _combined(
        self, parts: Sequence[tuple[dict[str, Any], Vector, float]]
    ) -> tuple[Mesh, list[Vector], float]:
        changes: dict[str, Any] = {}
        for change, _, _ in parts:
            changes |= change
        vectors = [vector for _, vector, _ in parts]
        mesh = replace(self.search.start, **changes)
        return mesh, vectors, max(score for _, _, score in parts)

    def _cheapest(
        self,
        ranked: Sequence[tuple[Mesh, list[Vector], float]],
        threshold: float,
        done: set[Mesh],
        best: Found | None,
    ) -> Mesh | None:
        limit = math.inf
        if best is not None:
            limit = n_unknown(self.search.family, best.mesh)
        for mesh, vectors, largest in ranked:
            if n_unknown(self.search.family, mesh) >= limit:
                return None
            if largest > threshold or mesh in done:
                continue
            if _score(sum(vectors)) <= threshold:
                return mesh
        return None

    def _measure(
        self, stage: str, axes: Sequence[str], pairs: Sequence[tuple[Mesh, Mesh]]
    ) -> Sequence[Vector]:
        vectors = self.search.errors(pairs)
        for axis, (mesh, finer), vector in zip(axes, pairs, vectors, strict=True):
            trial = Trial(
                stage=stage, axis=axis, mesh=mesh, finer=finer, score=_score(vector)
            )
            self.trials.append(trial)
            logger.info(
                "%s %s: %s differs by %.3g", stage, axis, describe(mesh), trial.score
            )
        return vectors

    def _report(self, share: float, note: str) -> None:
        if self.search.progress is not None:
            self.search.progress(share, note)


def describe(mesh: Mesh) -> str:
    """Return a mesh in one line: x points, then shells with their stretch."""
    return (
        f"x {mesh.x_n}/{mesh.x_s}/{mesh.x_p}, r {mesh.r_n}^{mesh.r_n_stretch:g}/"
        f"{mesh.r_p}^{mesh.r_p_stretch:g}"
    )


def _score(vector: Any) -> float:
    return float(np.abs(vector).max())


def _rounded(count: float, axis: str) -> int:
    step = 2 if axis.startswith("r") else 1
    return max(_SMALLEST[axis], step * math.ceil(count / step - 1e-9))


def _scaled(mesh: Mesh, axis: str, factor: float) -> Mesh:
    changes: dict[str, Any] = {axis: _rounded(factor * getattr(mesh, axis), axis)}
    return replace(mesh, **changes)


def _counts(base: Mesh, axis: str) -> list[int]:
    n = getattr(base, axis)
    found = {_rounded(share * n, axis) for share in _SHARES[axis[0]]}
    return sorted(found - ({n} if axis.startswith("x") else set()))
