"""Runs of a synthetic cell whose answers are made by a known predictor."""

from dataclasses import replace

import numpy as np

from packtwin.twin.rollout import Roller
from packtwin.twin.trajectory import Trajectory

KEYS = ("voltage_V", "plating_potential_V", "temperature_K")


def bare_run(seed, n=301, *, level_A=None, start_K=None):
    """A run of levels, or of one level from rest, without answers."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.uniform(-4.0, 6.0, n // 20 + 1), 20)[:n]
    if level_A is not None:
        levels[:] = level_A
    levels[0] = 0.0
    kelvin = rng.uniform(280.0, 310.0) if start_K is None else start_K
    return Trajectory(
        name=f"bare_{seed}",
        time_s=np.arange(n, dtype=float),
        current_A=levels,
        coolant_temperature_K=np.full(n, kelvin),
        heat_transfer_coefficient_W_per_m2K=30.0,
        start_soc=float(rng.uniform(0.4, 0.8)),
        series={"temperature_K": np.full(n, kelvin)},
        is_valid=np.ones(n, dtype=bool),
    )


def answered(run, out):
    """The run with answers as its series."""
    return replace(run, series={k: out[k] for k in KEYS if k in out})


def hybrid_runs(spec, seeds, **changes):
    """Runs answered by the hybrid cell of `spec`."""
    roller = Roller(spec)
    bare = [bare_run(seed, **changes) for seed in seeds]
    return [answered(run, roller.follow(run)) for run in bare]
