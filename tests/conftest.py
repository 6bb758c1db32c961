"""Fixtures that every folder may use."""

from __future__ import annotations

import os

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest

from packtwin.twin.particle import graded_particle
from packtwin.twin.surrogate import CORRECTIONS, count_excitations, count_features
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.table import Table, fit_table


def synthetic_tables() -> dict[str, Table]:
    """Smooth potentials and a heat capacity of 60 + 0.3 (T - 298.15) J/K."""
    g = np.linspace(0.0, 1.0, 401)
    warm = np.linspace(233.15, 363.15, 1301)
    heat = 60.0 * (warm - 298.15) + 0.15 * (warm - 298.15) ** 2
    return {
        "ocp_negative_V": fit_table(g, 0.08 + 0.7 * np.exp(-18.0 * g)),
        "ocp_positive_V": fit_table(g, 4.45 - 0.9 * g),
        "entropy_negative_V_per_K": fit_table(g, 1e-4 * (g - 0.5)),
        "entropy_positive_V_per_K": fit_table(g, -1e-4 * g),
        "temperature_K": fit_table(heat, warm, 120),
        "heat_content_J": fit_table(warm, heat, 120),
        # Diffusivities that fall and rise over stoichiometry, integrated.
        "flux_negative": fit_table(g, g + 0.1 * np.sin(2.0 * np.pi * g)),
        "flux_positive": fit_table(g, g - 0.1 * np.sin(2.0 * np.pi * g)),
        "diffusion_negative": fit_table(warm, np.exp((warm - 298.15) / 30.0), 60),
        "diffusion_positive": fit_table(warm, np.exp((warm - 298.15) / 60.0), 60),
    }


def synthetic_weights(n_mode: int, width: int, seed: int) -> dict[str, np.ndarray]:
    """Seeded weights of a plausible, untrained cell."""
    rng = np.random.default_rng(seed)
    n_out = len(CORRECTIONS) * count_excitations(n_mode)
    weights = {
        "kinetics_negative": np.array([2.0, 4.0]),
        "kinetics_positive": np.array([2.0, 4.0]),
    }
    sizes = [count_features(n_mode), width, width, n_out]
    for k in range(len(sizes) - 1):
        a, b = sizes[k], sizes[k + 1]
        gain = 0.05 if k == len(sizes) - 2 else 1.0
        weights[f"closure_matrix_{k}"] = gain * rng.normal(size=(b, a)) / a**0.5
        weights[f"closure_bias_{k}"] = 0.1 * gain * rng.normal(size=b)
    bias = weights["closure_bias_2"].reshape(len(CORRECTIONS), -1)
    bias[0, 0] += 0.6
    bias[1, 0] += 0.3
    n = count_features(n_mode)
    weights |= {
        "bound_matrix_0": rng.normal(size=(3, n)) / n**0.5,
        "bound_bias_0": np.zeros(3),
        "bound_matrix_1": 0.1 * rng.normal(size=(2, 3)),
        "bound_bias_1": np.array([-5.0, -5.5]),
        "bound_factor": np.array([1.1, 0.9]),
        "guard_matrix": np.concatenate([0.05 * np.eye(n), 0.04 * np.eye(n)]),
        "guard_offset": np.zeros(2 * n),
        "guard_constant": np.array([0.0, -0.5]),
        "guard_range": np.array([0.0, 50.0]),
        "bound_floor": np.array([1e-3, 2e-3]),
        "risk_matrix_0": rng.normal(size=(4, n)) / n**0.5,
        "risk_bias_0": np.zeros(4),
        "risk_matrix_1": rng.normal(size=(1, 4)),
        "risk_bias_1": np.array([-2.0]),
        "risk_range": np.array([-3.0, 20.0]),
        "pace_range": np.array([0.01, 0.2]),
    }
    return weights


@pytest.fixture(scope="session")
def synthetic_spec() -> SurrogateSpec:
    """An untrained but physically plausible cell with a made-up certificate."""
    return SurrogateSpec(
        name="synthetic_cell",
        constants=CellConstants(
            nominal_capacity_Ah=5.0,
            negative_capacity_Ah=5.6,
            positive_capacity_Ah=7.5,
            negative_stoichiometry_empty=0.03,
            negative_stoichiometry_full=0.93,
            positive_stoichiometry_empty=0.93,
            positive_stoichiometry_full=0.258,
            heat_capacity_J_per_K=60.0,
            cooling_area_m2=0.00531,
            negative_particle=graded_particle(7, 3.0, 1.5e-3),
            positive_particle=graded_particle(5, 2.0, 1e-3),
            mode_time_constants_s=(4.0, 40.0, 400.0, 1500.0),
            mode_activation_kK=2.5,
        ),
        tables=synthetic_tables(),
        weights=synthetic_weights(4, 16, 3),
        certificate={
            "domain": {
                "temperature_minimum_K": 263.15,
                "temperature_maximum_K": 333.15,
                "discharge_rate_maximum": 2.0,
                "charge_rate_maximum": 2.0,
                "soc_minimum": 0.02,
                "soc_maximum": 0.98,
            },
            "bounds": {
                "voltage_V": 0.012,
                "plating_potential_V": 0.009,
                "temperature_K": 0.4,
            },
        },
    )
