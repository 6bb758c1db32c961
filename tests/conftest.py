"""Fixtures that every folder may use."""

from __future__ import annotations

import os

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest

from packtwin.twin.surrogate import CORRECTIONS, feature_count
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
    }


def synthetic_weights(n_mode: int, width: int, seed: int) -> dict[str, np.ndarray]:
    """Seeded weights of a plausible, untrained cell."""
    rng = np.random.default_rng(seed)
    n_out = len(CORRECTIONS) * (n_mode + 1)
    weights = {
        "mode_log_time_constant": np.log(np.geomspace(4.0, 1500.0, n_mode)),
        "mode_activation_kK": np.full(n_mode, 3.0),
        "kinetics_negative": np.array([2.0, 4.0]),
        "kinetics_positive": np.array([2.0, 4.0]),
    }
    sizes = {
        "mode": [2, 4, n_mode],
        "closure": [feature_count(n_mode), width, width, n_out],
    }
    for label, layers in sizes.items():
        for k in range(len(layers) - 1):
            a, b = layers[k], layers[k + 1]
            gain = 0.05 if k == len(layers) - 2 else 1.0
            weights[f"{label}_matrix_{k}"] = gain * rng.normal(size=(b, a)) / a**0.5
            weights[f"{label}_bias_{k}"] = 0.1 * gain * rng.normal(size=b)
    bias = weights["closure_bias_2"].reshape(len(CORRECTIONS), -1)
    bias[0] -= 0.3 / n_mode
    bias[1] += 0.3 / n_mode
    bias[3, 0] += 0.6
    bias[4, 0] += 0.3
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
        ),
        tables=synthetic_tables(),
        weights=synthetic_weights(6, 16, 3),
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
