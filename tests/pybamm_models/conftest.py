from __future__ import annotations

import os
from dataclasses import replace

import pytest

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")

from packtwin.pybamm_models.cells import Cell, Mesh, find_cell


@pytest.fixture(scope="session")
def oregan() -> Cell:
    return find_cell("lg_m50_oregan2022")


@pytest.fixture(scope="session")
def coarse() -> Cell:
    """A cell that solves in a fraction of a second; not converged."""
    return replace(
        find_cell("lg_m50_chen2020"), mesh=Mesh(x_n=5, x_s=3, x_p=5, r_n=8, r_p=8)
    )
