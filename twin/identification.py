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
    series_of,
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
    "compare_all",
    "identify",
    "model_traces",
]

Vector: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[int, float], None]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """One series of a model against a record's, at chosen samples.

    Attributes:
        name: Of the record.
        series: Output of the model, such as `voltage_V`.
        time_s: Of the samples, from the start of the record.
        error: Model less measurement, in the unit of the series.
    """

    name: str
    series: str
    time_s: Vector
    error: Vector

    @property
    def rms(self) -> float:
        """Root of the mean square of the errors."""
        return float(np.sqrt(np.mean(self.error**2)))

    @property
    def largest(self) -> float:
        """Largest absolute error."""
        return float(np.max(np.abs(self.error)))


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identification:
    """What was identified and how well it is determined.

    Attributes:
        values: By name of the parameter.
        statement: Standard errors, correlations and what the data do not tell.
        fitted: Errors on the samples that were fitted, by record and series.
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
    if chosen.needs_excitation:
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
    errors = problem.split(residual)
    statement = statement_of(
        tuple(unknowns),
        problem.values(q),
        problem.split(slopes),
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
            Comparison(
                name=records[block.record].measurement.name,
                series=block.series,
                time_s=block.time_s,
                error=error,
            )
            for block, error in zip(problem.blocks, errors, strict=True)
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
    """Return the errors of a model's voltage with parameter `values`.

    Args:
        model: The equations.
        record: The measurement; every sample counts the same.
        values: Parameters that were identified.
        n_sample: Evenly numbered samples to compare at; all of them if None.
        refinement: Cut every step into so many, to see the error of the steps.
    """
    ((found,),) = compare_all(
        model, [record], values, n_sample=n_sample, refinement=refinement
    )
    return found


def compare_all(
    model: Model,
    records: Sequence[Record],
    values: Mapping[str, float] | None = None,
    series: Sequence[str] = (VOLTAGE,),
    *,
    n_sample: int | None = None,
    refinement: int = 1,
) -> list[tuple[Comparison, ...]]:
    """Return the errors of several series of a model against several records.

    Args:
        model: The equations; compiled once.
        records: The measurements.
        values: Parameters that were identified; they outrank those of the records.
        series: Outputs of the model to compare.
        n_sample: As in `compare`.
        refinement: As in `compare`.
    """
    traces = model_traces(
        model, records, values, series, n_sample=n_sample, refinement=refinement
    )
    return [
        tuple(
            Comparison(
                name=record.measurement.name,
                series=name,
                time_s=time_s,
                error=outputs[:, k] - series_of(record.measurement, name)[samples],
            )
            for k, name in enumerate(series)
        )
        for record, (samples, time_s, outputs) in zip(records, traces, strict=True)
    ]


def model_traces(
    model: Model,
    records: Sequence[Record],
    values: Mapping[str, float] | None = None,
    outputs: Sequence[str] = (VOLTAGE,),
    *,
    n_sample: int | None = None,
    refinement: int = 1,
) -> list[tuple[NDArray[np.int64], Vector, Vector]]:
    """Return samples, their times and outputs `(n_sample, n_output)` by record.

    Args:
        model: The equations; compiled once.
        records: What drives the model.
        values: As in `compare_all`.
        outputs: Of the model.
        n_sample: As in `compare`.
        refinement: As in `compare`.
    """
    sensitive = SensitiveModel(model, (), tuple(outputs))
    found = []
    for record in records:
        m = record.measurement
        n = len(m.time_s)
        count = n if n_sample is None else min(n, n_sample)
        samples = np.unique(np.linspace(0, n - 1, count).astype(np.int64))
        steps = steps_of(m, model, samples, record.inputs, refinement=refinement)
        fixed = parameters_of(model, dict(record.parameters) | dict(values or {}))
        traces, _ = sensitive.run(steps, np.zeros(0), fixed, has_slopes=False)
        found.append((samples, m.time_s[samples] - m.time_s[0], traces))
    return found
