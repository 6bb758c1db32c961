"""The search on errors of closed form, c / n^2 per axis, which add exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.convergence_choice import n_unknown
from packtwin.pybamm_models.convergence_search import (
    MeshSearch,
    search_mesh,
)
from packtwin.pybamm_models.verdicts import COUNTS, doubled
from packtwin.twin.errors import ModelError

TIME = np.linspace(0.0, 1.0, 501)
SIZES = {"x_n": 150.0, "x_s": 5.0, "x_p": 60.0, "r_n": 300.0, "r_p": 400.0}
SHAPES = {
    "x_n": np.sin(3.0 * TIME),
    "x_s": np.ones_like(TIME),
    "x_p": 1.0 - TIME,
    "r_n": np.cos(5.0 * TIME) ** 2,
    "r_p": np.exp(-20.0 * TIME),
}
BEST_STRETCH = {"r_n": 3.0, "r_p": 5.0}


def value(mesh: Mesh, sizes: dict[str, float]) -> Any:
    total = np.zeros_like(TIME)
    for axis, size in sizes.items():
        error = size / getattr(mesh, axis) ** 2
        if axis in BEST_STRETCH:
            stretch = getattr(mesh, f"{axis}_stretch")
            error *= 1.0 + 0.5 * abs(stretch - BEST_STRETCH[axis])
        total = total + error * SHAPES[axis]
    return total


class Errors:
    """Differences of closed form; counts the meshes asked for."""

    def __init__(self, **sizes: float) -> None:
        self.sizes = {**SIZES, **sizes}
        self.meshes: set[Mesh] = set()

    def __call__(self, pairs: Sequence[tuple[Mesh, Mesh]]) -> list[Any]:
        self.meshes |= {mesh for pair in pairs for mesh in pair}
        return [value(a, self.sizes) - value(b, self.sizes) for a, b in pairs]

    def score(self, mesh: Mesh, finer: Mesh) -> float:
        return float(np.abs(self([(mesh, finer)])[0]).max())


def test_found_mesh_agrees_with_the_one_doubled_everywhere() -> None:
    errors = Errors()
    found = search_mesh(MeshSearch(family="DFN", errors=errors))
    assert errors.score(found.mesh, doubled(found.mesh, *COUNTS)) <= 1.0
    assert errors.score(found.mesh, doubled(found.mesh, "r_n")) <= 1.0
    assert found.score == pytest.approx(
        errors.score(found.mesh, doubled(found.mesh, *COUNTS)), rel=1e-12
    )


def test_found_mesh_has_the_best_stretches_and_few_states() -> None:
    errors = Errors()
    found = search_mesh(MeshSearch(family="DFN", errors=errors))
    assert found.mesh.r_n_stretch == BEST_STRETCH["r_n"]
    assert found.mesh.r_p_stretch == BEST_STRETCH["r_p"]
    # No neighbour that is coarser on one axis is within the limits by much less.
    cost = n_unknown("DFN", found.mesh)
    for share in (0.5, 0.6, 0.7):
        coarser = replace(
            found.mesh, **{a: int(share * getattr(found.mesh, a)) for a in COUNTS}
        )
        assert n_unknown("DFN", coarser) < cost
        assert errors.score(coarser, doubled(coarser, *COUNTS)) > 1.0
    assert len(errors.meshes) < 70


def test_an_axis_of_large_error_gets_more_points() -> None:
    plain = search_mesh(MeshSearch(family="DFN", errors=Errors()))
    wide = search_mesh(MeshSearch(family="DFN", errors=Errors(x_p=600.0)))
    assert wide.mesh.x_p > 2 * plain.mesh.x_p
    assert wide.mesh.x_s <= plain.mesh.x_s + 1


def test_single_particle_has_no_points_in_x() -> None:
    errors = Errors(x_n=0.0, x_s=0.0, x_p=0.0)
    found = search_mesh(MeshSearch(family="SPM", errors=errors))
    assert {trial.axis for trial in found.trials} == {"r_n", "r_p", "all"}
    assert n_unknown("SPM", found.mesh) == found.mesh.r_n + found.mesh.r_p


def test_errors_that_never_fall_end_with_the_worst_axis_named() -> None:
    def errors(pairs: Sequence[tuple[Mesh, Mesh]]) -> list[Any]:
        return [
            np.full(3, 0.1 if a.x_p == b.x_p else 40.0) + 0.0 * a.r_n for a, b in pairs
        ]

    with pytest.raises(ModelError, match=r"`x_p`.*`--states`.*\.$"):
        search_mesh(MeshSearch(family="DFN", errors=errors, n_unknown_max=3000))


def test_a_load_without_solution_on_every_mesh_is_no_agreement() -> None:
    def errors(pairs: Sequence[tuple[Mesh, Mesh]]) -> list[Any]:
        return [np.full(3, np.inf) for _ in pairs]

    with pytest.raises(ModelError, match="inf times the limits"):
        search_mesh(MeshSearch(family="SPM", errors=errors, n_unknown_max=500))


def test_progress_grows_to_one() -> None:
    shares: list[float] = []
    search_mesh(
        MeshSearch(
            family="DFN",
            errors=Errors(),
            progress=lambda share, _note: shares.append(share),
        )
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("family", "cost"),
    [("SPM", 30 + 14), ("SPMe", 30 + 14 + 17), ("DFN", 6 * 30 + 8 * 14 + 2 * 17 + 14)],
)
def test_cost_is_the_number_of_states(family: Any, cost: int) -> None:
    mesh = Mesh(x_n=6, x_s=3, x_p=8, r_n=30, r_p=14)
    assert n_unknown(family, mesh) == cost
