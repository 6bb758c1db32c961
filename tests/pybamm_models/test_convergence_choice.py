from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.convergence_choice import Choice, cheapest, n_unknown

START = Mesh(x_n=6, x_s=3, x_p=6, r_n=8, r_p=8)
NOTHING = np.zeros(50)
COUNTS = range(8, 40, 4)


def choices() -> list[list[Choice]]:
    """Errors of opposite trend, so that their sum is less than their largest."""
    place = np.linspace(0.0, 1.0, len(NOTHING))
    shapes = {"r_n": 60.0 * place, "r_p": 30.0 * (1.0 - place)}
    return [
        [Choice(n=n, change={axis: n}, error=shape / n**2) for n in COUNTS]
        for axis, shape in shapes.items()
    ]


@pytest.mark.parametrize("limit", [0.05, 0.1, 0.3])
def test_cheapest_of_all_combinations_that_hold_is_found(limit: float) -> None:
    given = choices()
    costs = [
        n_unknown("DFN", replace(START, r_n=n.n, r_p=p.n))
        for n, p in itertools.product(*given)
        if np.abs(n.error + p.error).max() <= limit
    ]
    found = cheapest("DFN", START, given, NOTHING, limit, np.inf)
    assert found is not None
    mesh, parts = found
    assert (mesh.r_n, mesh.r_p) == tuple(part.n for part in parts)
    assert mesh == replace(START, r_n=mesh.r_n, r_p=mesh.r_p)
    assert n_unknown("DFN", mesh) == min(costs)
    same = float(n_unknown("DFN", mesh))
    assert cheapest("DFN", START, given, NOTHING, limit, same) is None


def test_an_excess_of_the_sum_asks_for_more_points() -> None:
    plain = cheapest("DFN", START, choices(), NOTHING, 0.1, np.inf)
    wary = cheapest("DFN", START, choices(), NOTHING + 0.5, 0.1, np.inf)
    assert plain is not None
    assert wary is not None
    assert n_unknown("DFN", wary[0]) > n_unknown("DFN", plain[0])


def test_an_axis_that_never_holds_leaves_nothing() -> None:
    assert cheapest("DFN", START, choices(), NOTHING, 1e-3, np.inf) is None
