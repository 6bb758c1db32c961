"""Identify parameters of a `Model` from measured records by least squares.

Gauss-Newton steps with the exact Jacobian of the computed trajectories, damped as by
D. W. Marquardt, Journal of the Society for Industrial and Applied Mathematics 11 (1963)
431-441, doi:10.1137/0111030, and projected on the bounds. What the data cannot tell is
refused by `identification_statement`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.identification_problem import (
    VOLTAGE,
    Problem,
    Record,
    Settings,
    parameters_of,
)
from packtwin.twin.identification_sensitivity import SensitiveModel
from packtwin.twin.identification_statement import (
    Statement,
    Unknown,
    refuse_idle,
    statement_of,
)
from packtwin.twin.identification_steps import steps_of
from packtwin.twin.measurement_check import check_measurement, refuse_unexcited
from packtwin.twin.model import Model

__all__ = [
    "Comparison",
    "Identification",
    "Record",
    "Settings",
    "Unknown",
    "compare",
    "identify",
]

Vector: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[int, float], None]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """A model's voltage against a record's, at chosen samples.

    Attributes:
        name: Of the record.
        time_s: Of the samples, from the start of the record.
        error_V: Model less measurement.
    """

    name: str
    time_s: Vector
    error_V: Vector

    @property
    def rms_V(self) -> float:
        """Root of the mean square of the errors."""
        return float(np.sqrt(np.mean(self.error_V**2)))

    @property
    def largest_V(self) -> float:
        """Largest absolute error."""
        return float(np.max(np.abs(self.error_V)))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identification:
    """What was identified and how well it is determined.

    Attributes:
        values: By name of the parameter.
        statement: Standard errors, correlations and what the data do not tell.
        fitted: Errors on the samples that were fitted, one per record.
        n_iteration: Steps taken.
        is_converged: The last step changed nothing that counts.
    """

    values: dict[str, float]
    statement: Statement
    fitted: tuple[Comparison, ...]
    n_iteration: int
    is_converged: bool


def identify(
    model: Model,
    records: Sequence[Record],
    unknowns: Sequence[Unknown],
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Identification:
    """Find the values of `unknowns` with which `model` follows `records` best.

    Args:
        model: With the input `current_A` and the output `voltage_V`.
        records: They are checked; together they need two currents.
        unknowns: What to identify, from the model's start values.
        settings: How to search.
        progress: Called with the iteration and the rms error in V.

    Raises:
        ScenarioError: a record is not usable.
        TrainingError: an unknown has no effect or cannot be identified.
        StepError: the model cannot follow a record from the start values.
    """
    chosen = settings or Settings()
    for record in records:
        check_measurement(record.measurement)
    refuse_unexcited(tuple(record.measurement for record in records))
    problem = Problem(model, records, unknowns, chosen)
    q = np.zeros(len(unknowns))
    residual, slopes = problem.evaluate(q)
    refuse_idle(slopes, unknowns)
    damping, is_converged, iteration = 1e-3, False, 0
    while iteration < chosen.n_iteration and not is_converged:
        iteration += 1
        if progress is not None:
            rms = float(np.sqrt(np.mean(residual**2)))
            progress(iteration, rms * chosen.voltage_deviation_V)
        q, residual, slopes, damping, is_converged = problem.improve(
            q, residual, slopes, damping
        )
    lengths = [len(target) for target in problem.targets]
    errors = np.split(residual * chosen.voltage_deviation_V, np.cumsum(lengths)[:-1])
    statement = statement_of(
        tuple(unknowns),
        problem.values(q),
        [
            chosen.voltage_deviation_V * s
            for s in np.split(slopes, np.cumsum(lengths)[:-1])
        ],
        errors,
        error_limit=chosen.error_limit,
        is_judged=chosen.is_judged,
    )
    return Identification(
        values=dict(
            zip((u.name for u in unknowns), problem.values(q).tolist(), strict=True)
        ),
        statement=statement,
        fitted=tuple(
            Comparison(name=r.measurement.name, time_s=t, error_V=e)
            for r, t, e in zip(records, problem.times, errors, strict=True)
        ),
        n_iteration=iteration,
        is_converged=is_converged,
    )


def compare(
    model: Model,
    record: Record,
    values: Mapping[str, float] | None = None,
    *,
    n_sample: int | None = None,
    refinement: int = 1,
) -> Comparison:
    """Return the errors of a model with parameter `values` against a record.

    Args:
        model: The equations.
        record: The measurement; every sample counts the same.
        values: Parameters that were identified.
        n_sample: Evenly numbered samples to compare at; all of them if None.
        refinement: Cut every step into so many, to see the error of the steps.
    """
    measurement = record.measurement
    n = len(measurement.time_s)
    count = n if n_sample is None else min(n, n_sample)
    samples = np.unique(np.linspace(0, n - 1, count).astype(np.int64))
    steps = steps_of(measurement, model, samples, record.inputs, refinement=refinement)
    fixed = parameters_of(model, dict(record.parameters) | dict(values or {}))
    outputs, _ = SensitiveModel(model, (), (VOLTAGE,)).run(
        steps, np.zeros(0), fixed, has_slopes=False
    )
    return Comparison(
        name=measurement.name,
        time_s=measurement.time_s[samples] - measurement.time_s[0],
        error_V=outputs[:, 0] - measurement.voltage_V[samples],
    )
