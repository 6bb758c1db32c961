"""Recorded runs as padded arrays: what every alternative learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_core import inverse_temperature
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory, count_charge

__all__ = ["AlternativeBatch", "batch_runs"]

Array: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeBatch:
    """Runs of one sampling step, the shorter ones padded; arrays are `(run, n)`.

    Attributes:
        step_s: Sampling step.
        current_A: At the samples.
        mean_A: Mean over the step that ends at the sample; of the first, the current.
        soc: Counted state of charge.
        temperature_K: Recorded.
        theta: Inverse temperature, see `inverse_temperature`.
        ocv_V: Open-circuit voltage at the counted charge and recorded temperature.
        voltage_V: Recorded.
        plating_potential_V: Recorded; nan where no run has it.
        is_learnable: Samples to learn from.
        heat_share: Recorded irreversible heat over `I (U - V)`, by least squares: less
            than 1 where the heat of mixing is not counted as heat. 1 if unknown.
    """

    step_s: float
    heat_share: float
    current_A: Array
    mean_A: Array
    soc: Array
    temperature_K: Array
    theta: Array
    ocv_V: Array
    voltage_V: Array
    plating_potential_V: Array
    is_learnable: NDArray[np.bool_]


def batch_runs(spec: SurrogateSpec, runs: Sequence[Trajectory]) -> AlternativeBatch:
    """Return runs of one sampling step as one batch.

    Raises:
        TrainingError: There are no runs, or their sampling steps differ.
    """
    if not runs:
        msg = "No runs were given to fit an alternative to; generate a data set first."
        raise TrainingError(msg)
    steps = {round(float(run.time_s[1] - run.time_s[0]), 9) for run in runs}
    if len(steps) != 1:
        msg = f"Runs to fit must share one sampling step, got {sorted(steps)} s."
        raise TrainingError(msg)
    c, n = spec.constants, max(len(run.time_s) for run in runs)
    columns: dict[str, list[Array]] = {}
    implied: list[Array] = []
    recorded: list[Array] = []
    for run in runs:
        x, y = count_charge(run, c)
        temperature_K = run.series["temperature_K"]
        warm_K = temperature_K - c.reference_temperature_K
        tables = {k: t.numpy(y if "positive" in k else x) for k, t in _ocv(spec)}
        entropy = tables["entropy_positive_V_per_K"]
        entropy = entropy - tables["entropy_negative_V_per_K"]
        ocv_V = tables["ocp_positive_V"] - tables["ocp_negative_V"] + warm_K * entropy
        current_A = run.current_A
        if "heat_irreversible_W" in run.series:
            implied.append(current_A * (ocv_V - run.series["voltage_V"]))
            recorded.append(run.series["heat_irreversible_W"])
        mean_A = 0.5 * (current_A[1:] + current_A[:-1])
        nothing = np.full(len(current_A), np.nan)
        for key, value in {
            "current_A": current_A,
            "mean_A": np.concatenate([current_A[:1], mean_A]),
            "soc": c.soc(x),
            "temperature_K": temperature_K,
            "theta": inverse_temperature(c, temperature_K),
            "ocv_V": ocv_V,
            "voltage_V": run.series["voltage_V"],
            "plating_potential_V": run.series.get("plating_potential_V", nothing),
        }.items():
            padded = np.pad(value, (0, n - len(value)), mode="edge")
            columns.setdefault(key, []).append(padded)
    learnable = [
        np.pad(
            run.is_valid if run.is_learnable is None else run.is_learnable,
            (0, n - len(run.time_s)),
        )
        for run in runs
    ]
    return AlternativeBatch(
        step_s=steps.pop(),
        heat_share=_share(implied, recorded),
        is_learnable=np.stack(learnable),
        **{key: np.stack(values) for key, values in columns.items()},
    )


def _share(implied: list[Array], recorded: list[Array]) -> float:
    if not implied:
        return 1.0
    q, r = np.concatenate(implied), np.concatenate(recorded)
    return float(q @ r / max(float(q @ q), 1e-12))


def _ocv(spec: SurrogateSpec) -> list[tuple[str, Any]]:
    keys = ("ocp_{}_V", "entropy_{}_V_per_K")
    names = [k.format(side) for k in keys for side in ("negative", "positive")]
    return [(name, spec.tables[name]) for name in names]
