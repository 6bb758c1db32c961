"""Cells of their own parameters: the draws, and PyBaMM's answer to the same cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.pybamm_models.cells import Cell, Mesh, find_cell
from packtwin.pybamm_models.dataset import fingerprint
from packtwin.pybamm_models.parameter_spread import UNCERTAIN, spread_requests
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.simulation import solve_with_pybamm
from packtwin.pybamm_models.stepping import solve_request

REQUEST = Request(
    name="short",
    kind="levels",
    time_s=np.array([0.0, 1.0, 60.0]),
    current_A=np.array([0.0, 10.0, 10.0]),
    start_soc=0.5,
    start_temperature_K=298.15,
    coolant_temperature_K=np.full(3, 298.15),
    heat_transfer_coefficient_W_per_m2_K=30.0,
)


def test_every_parameter_of_every_run_is_drawn_within_the_tolerance() -> None:
    many = spread_requests([REQUEST] * 200, 0.05, 1)
    drawn = np.array([list(request.factors.values()) for request in many])
    assert all(tuple(request.factors) == UNCERTAIN for request in many)
    assert 0.95 <= drawn.min() < 0.951
    assert 1.049 < drawn.max() <= 1.05
    # Even draws have a standard deviation of the half width over the root of three.
    np.testing.assert_allclose(drawn.std(axis=0), 0.05 / 3**0.5, rtol=0.15)
    again, other = (spread_requests([REQUEST], 0.05, seed)[0] for seed in (1, 2))
    assert again.factors == many[0].factors != other.factors


def test_factors_are_part_of_what_determines_a_run(coarse: Cell) -> None:
    scaled = replace(REQUEST, factors={"Negative electrode porosity": 1.0})
    assert fingerprint(coarse, scaled) != fingerprint(coarse, REQUEST)


def assert_agrees_with_pybamm(cell: Cell, request: Request) -> None:
    ours, theirs = solve_request(cell, request), solve_with_pybamm(cell, request)
    unscaled = solve_request(cell, replace(request, factors={}))
    difference = np.abs(ours.voltage_V - theirs.voltage_V).max()
    effect = np.abs(ours.voltage_V - unscaled.voltage_V).max()
    assert difference < 2e-5
    assert effect > 1e-4


@pytest.mark.fmu
def test_a_scaled_cell_is_the_one_that_pybamm_solves(coarse: Cell) -> None:
    factors = {"Positive electrode active material volume fraction": 1.05}
    assert_agrees_with_pybamm(coarse, replace(REQUEST, factors=factors))


@pytest.mark.slow
@pytest.mark.fmu
@pytest.mark.parametrize("name", ["Positive particle diffusivity factor", ""])
def test_scaled_diffusivities_are_those_that_pybamm_integrates(name: str) -> None:
    mesh = Mesh(x_n=4, x_s=3, x_p=4, r_n=8, r_p=8, r_n_stretch=2.0, r_p_stretch=2.0)
    cell = replace(find_cell("lg_m50_oregan2022"), mesh=mesh)
    (spread,) = spread_requests([REQUEST], 0.05, 3)
    request = replace(spread, factors={name: 0.8}) if name else spread
    assert_agrees_with_pybamm(cell, request)
