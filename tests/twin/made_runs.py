"""Runs answered by a surrogate itself: the answer is known exactly."""

from dataclasses import replace

import numpy as np

from packtwin.twin.rollout import Roller
from packtwin.twin.trajectory import Trajectory

KEYS = (
    "voltage_V",
    "ocv_V",
    "soc",
    "temperature_K",
    "plating_potential_V",
    "heat_irreversible_W",
    "heat_reversible_W",
    "stoichiometry_negative_surface",
    "stoichiometry_positive_surface",
)


def made_run(spec, seed, n=400):
    """A run of levels answered by `spec` itself."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(n, dtype=float)
    levels = np.repeat(rng.uniform(-5.0, 8.0, n // 20 + 1), 20)[:n]
    levels[0] = 0.0
    start_K = rng.uniform(275.0, 310.0)
    run = Trajectory(
        name=f"made_{seed}",
        time_s=time_s,
        current_A=levels,
        coolant_temperature_K=np.full(n, start_K),
        heat_transfer_coefficient_W_per_m2K=30.0,
        start_soc=rng.uniform(0.4, 0.8),
        series={"temperature_K": np.full(n, start_K)},
        is_valid=np.ones(n, dtype=bool),
        labels={"kind": "levels", "nominal_capacity_Ah": 5.0},
    )
    out = Roller(spec).follow(run)
    # The recorded heats are those at the samples, from current and outputs.
    out["heat_irreversible_W"] = out["heat_mixing_W"] + levels * (
        out["ocv_V"] - out["voltage_V"]
    )
    return replace(run, series={key: out[key] for key in KEYS})
