"""`CellPredictor`: what the hybrid cell and its honest alternatives have in common.

An `Alternative` learns from recorded runs and gives a `CellPredictor`, which follows a
run's current and surroundings from its start alone: the temperature, if it has one, is
its own. Errors are formed where the predictor answers; how much that is, is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = [
    "PREDICTED",
    "Alternative",
    "CellPredictor",
    "FitPlan",
    "HybridPredictor",
    "PredictorError",
    "predictor_errors",
]

Array: TypeAlias = NDArray[np.float64]

PREDICTED = ("voltage_V", "plating_potential_V", "temperature_K")
_LEAST_SAMPLES = 2


@runtime_checkable
class CellPredictor(Protocol):
    """A cell that can follow a run."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def follow(self, run: Trajectory) -> dict[str, Array]:
        """Return predicted series at the run's samples, nan where there is no answer.

        At least `voltage_V`; `plating_potential_V` and `temperature_K` where the model
        has them.
        """
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FitPlan:
    """How long to train.

    Only what `iterations` ends is the same on every machine; a budget depends on the
    machine's speed.

    Attributes:
        iterations: Most steps of the optimiser.
        budget_s: Most seconds.
        seed: Of start weights and sampling.
    """

    iterations: int
    budget_s: float = math.inf
    seed: int = 0

    def share(self, iteration: int, elapsed_s: float) -> float:
        """Return how much of the plan is used up, 0 to 1."""
        return min(1.0, max(iteration / self.iterations, elapsed_s / self.budget_s))


@runtime_checkable
class Alternative(Protocol):
    """A kind of model that can be fitted to runs of a known cell."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def fit(
        self, spec: SurrogateSpec, runs: Sequence[Trajectory], plan: FitPlan
    ) -> CellPredictor:
        """Return the fitted model.

        Args:
            spec: The cell; only its constants and tables may be used.
            runs: To learn from.
            plan: How long.

        Raises:
            TrainingError: The runs cannot be used, or the loss stopped being finite.
        """
        ...


@final
class HybridPredictor:
    """The trained hybrid cell on the same interface."""

    name = "hybrid"

    def __init__(self, spec: SurrogateSpec) -> None:
        self._roller = Roller(spec)

    def follow(self, run: Trajectory) -> dict[str, Array]:
        """Return all outputs at the run's samples."""
        return self._roller.follow(run)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorError:
    """Root-mean-square errors of one run by output, where there is an answer.

    Attributes:
        run: Its name.
        duration_s: From the start to the last valid sample.
        start_temperature_K: Of the cell.
        rms: By output; what the model does not have is not in it.
        answered: Share of the valid samples with an answer, by output.
    """

    run: str
    duration_s: float
    start_temperature_K: float
    rms: dict[str, float]
    answered: dict[str, float]


def predictor_errors(
    predictor: CellPredictor, runs: Sequence[Trajectory]
) -> list[PredictorError]:
    """Follow every run and compare over its valid samples."""
    errors = []
    for run in runs:
        valid = run.is_valid
        if valid.sum() < _LEAST_SAMPLES:
            continue
        predicted = predictor.follow(run)
        rms, answered = {}, {}
        for key in PREDICTED:
            if key not in predicted or key not in run.series:
                continue
            gap = (predicted[key] - run.series[key])[valid]
            known = np.isfinite(gap)
            answered[key] = float(known.mean())
            if known.any():
                rms[key] = float(np.sqrt(np.mean(gap[known] ** 2)))
        errors.append(
            PredictorError(
                run=run.name,
                duration_s=float(run.time_s[valid][-1] - run.time_s[0]),
                start_temperature_K=float(run.series["temperature_K"][0]),
                rms=rms,
                answered=answered,
            )
        )
    return errors
