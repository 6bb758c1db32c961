"""Diffusion in a particle against exact solutions and conservation."""

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.particle import (
    Particle,
    graded_particle,
    mean_of,
    particle_rates,
    particle_step,
    surface_of,
)
from packtwin.twin.surrogate_casadi import (
    CasadiOperations,
)
from packtwin.twin.table import fit_table

GRID = np.linspace(0.0, 1.0, 201)
CONSTANT = fit_table(GRID, GRID)
STAGED = fit_table(GRID, GRID + 0.15 * np.sin(2.0 * np.pi * GRID))


def step_function(particle, phi):
    """`(shells, h, rate) -> shells`, surface included as a second output."""
    shells = ca.MX.sym("s", particle.n_shell)
    h, rate = ca.MX.sym("h"), ca.MX.sym("r")
    ops = CasadiOperations({})
    base, slope = particle_step(
        ops, particle, phi, ca.vertsplit(shells), factor=1.0, h=h
    )
    after = [b + rate * s for b, s in zip(base, slope, strict=True)]
    surface = surface_of(
        ops, particle, phi, after[-1], factor=1.0, mean_rate_per_s=rate
    )
    return ca.Function("step", [shells, h, rate], [ca.vertcat(*after), surface])


def test_lithium_is_conserved_over_100_hours_of_random_current():
    particle = graded_particle(10, 3.0, 1e-3)
    one = step_function(particle, STAGED)
    rng = np.random.default_rng(0)
    rates = rng.normal(0.0, 2e-4, 360_000)
    # A walk that stays inside: pull the mean back to one half.
    mean, pulled = 0.5, np.empty_like(rates)
    for k, r in enumerate(rates):
        pulled[k] = r - 1e-3 * (mean - 0.5)
        mean += pulled[k]
    chunk = one.mapaccum(10_000)
    state = np.full(particle.n_shell, 0.5)
    for part in np.split(pulled, 36):
        states, _ = chunk(state, np.ones((1, 10_000)), part[None])
        state = states[:, -1].full().reshape(-1)
    assert abs(mean_of(particle, list(state)) - mean) <= 1e-12


@pytest.mark.parametrize("h", [1e-3, 1.0, 1e4])
def test_a_step_of_any_length_moves_the_mean_by_what_flows_in(h):
    particle = graded_particle(8, 2.0, 1e-3)
    one = step_function(particle, STAGED)
    start = 0.5 + 0.1 * np.sin(np.arange(8.0))
    after, _ = one(start, h, 0.1 / h)
    moved = mean_of(particle, list(after.full()[:, 0])) - mean_of(particle, list(start))
    assert moved == pytest.approx(0.1, abs=1e-14)


def test_without_current_the_profile_flattens_to_its_mean():
    particle = graded_particle(8, 2.0, 1e-3)
    start = 0.5 + 0.1 * np.sin(np.arange(8.0))
    state = start
    for _ in range(100):
        state = step_function(particle, STAGED)(state, 1e3, 0.0)[0].full()[:, 0]
    np.testing.assert_allclose(state, mean_of(particle, list(start)), atol=1e-12)


def test_steady_profile_at_constant_rate_is_the_parabola():
    """Constant D, rate r: s(1) - mean = r / (15 D / R^2) once transients are gone."""
    rate_per_s, r = 1e-3, 1e-6
    for n_shell, limit in ((10, 0.04), (40, 0.004)):
        particle = graded_particle(n_shell, 2.0, rate_per_s)
        one = step_function(particle, CONSTANT).mapaccum(4000)
        states, surfaces = one(np.full(n_shell, 0.4), np.ones((1, 4000)), r)
        mean = mean_of(particle, list(states.full()[:, -1]))
        rise = float(surfaces[-1]) - mean
        assert rise == pytest.approx(r / (15.0 * rate_per_s), rel=limit)


def test_a_short_step_follows_the_rates():
    particle = graded_particle(6, 2.0, 1e-3)
    shells = ca.MX.sym("s", 6)
    rates = particle_rates(
        CasadiOperations({}),
        particle,
        STAGED,
        ca.vertsplit(shells),
        factor=1.0,
        mean_rate_per_s=1e-4,
    )
    start = 0.5 + 0.05 * np.cos(np.arange(6.0))
    want = ca.Function("rates", [shells], [ca.vertcat(*rates)])(start).full()[:, 0]
    after = step_function(particle, STAGED)(start, 1e-4, 1e-4)[0].full()[:, 0]
    np.testing.assert_allclose((after - start) / 1e-4, want, rtol=1e-4, atol=1e-8)


def test_at_rest_the_surface_is_the_outermost_shell_exactly():
    particle = graded_particle(6, 2.0, 1e-3)
    _, surface = step_function(particle, STAGED)(np.full(6, 0.3), 1.0, 0.0)
    assert float(surface) == 0.3


def test_shells_that_do_not_rise_are_refused():
    with pytest.raises(InterfaceError, match="expected at least 4 radii that rise"):
        Particle(faces=(0.0, 0.6, 0.5, 1.0), rate_per_s=1e-3)
