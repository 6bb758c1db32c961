"""The least-squares problem of an identification: residuals, exact slopes, steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError, ScenarioError, StepError
from packtwin.twin.identification_sensitivity import SensitiveModel, Steps
from packtwin.twin.identification_statement import Unknown
from packtwin.twin.identification_steps import choose_samples, steps_of
from packtwin.twin.measurement import Measurement
from packtwin.twin.model import Model
from packtwin.twin.variable import nearest_names

__all__ = [
    "TEMPERATURE",
    "VOLTAGE",
    "Block",
    "Problem",
    "Record",
    "Settings",
    "parameters_of",
    "series_of",
]

Vector: TypeAlias = NDArray[np.float64]

VOLTAGE = "voltage_V"
TEMPERATURE = "temperature_K"
_TOLERANCE = 1e-5
_LARGEST_DAMPING = 1e8
_LONGEST = 3.0  # spreads in one step
_FURTHEST = 14.0  # of a logarithm from its start: a factor of a million


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """A measurement and how the model meets it.

    Attributes:
        measurement: What was measured.
        inputs: The model's inputs other than the current, where constant.
        parameters: Parameters that differ from the model's start values, such as
            `soc_start`, in this record.
    """

    measurement: Measurement
    inputs: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to search.

    Attributes:
        n_sample: Samples of each record that are compared.
        voltage_deviation_V: What the model may differ by; it weighs the data against
            the priors and means nothing without one.
        temperature_deviation_K: The same of the temperature, which is fitted beside
            the voltage where it was measured; None fits the voltage alone.
        n_iteration: Gauss-Newton steps at most.
        error_limit: Largest standard error of an unknown, as a fraction of its spread.
        is_judged: Refuse what the data do not determine.
        needs_excitation: Refuse records of one constant current; a model whose
            resistances are known can do with one.
    """

    n_sample: int = 200
    voltage_deviation_V: float = 0.01
    temperature_deviation_K: float | None = None
    n_iteration: int = 40
    error_limit: float = 0.5
    is_judged: bool = True
    needs_excitation: bool = True


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """The fitted samples of one series of one record.

    Attributes:
        record: Index of the record.
        series: Output of the model and name of the measured series.
        time_s: From the start of the record.
        target: What was measured.
        deviation: What the model may differ by.
    """

    record: int
    series: str
    time_s: Vector
    target: Vector
    deviation: float


def series_of(measurement: Measurement, name: str) -> Vector:
    """Return the measured series that an output of a model is compared with.

    Raises:
        ScenarioError: it was not measured.
    """
    values = {VOLTAGE: measurement.voltage_V, TEMPERATURE: measurement.temperature_K}
    found = values.get(name)
    if found is None:
        msg = (
            f"Record `{measurement.name}` has no `{name}` to compare with, expected a "
            "measured series. Name its column in the column map."
        )
        raise ScenarioError(msg)
    return found


def parameters_of(model: Model, values: Mapping[str, float]) -> Vector:
    """Return all parameters of a model, its start values where none are given."""
    known = model.interface.parameter_names
    for name in values:
        if name not in known:
            msg = (
                f"Model `{model.name}` has no parameter `{name}`; nearest: "
                f"{nearest_names(name, known)}."
            )
            raise InterfaceError(msg)
    return np.array(
        [float(values.get(v.name, v.start)) for v in model.interface.parameters]
    )


@final
class Problem:
    """The weighted residual and its slopes as functions of scaled unknowns."""

    def __init__(
        self,
        model: Model,
        records: Sequence[Record],
        unknowns: Sequence[Unknown],
        settings: Settings,
    ) -> None:
        names = [u.name for u in unknowns]
        deviations = {VOLTAGE: settings.voltage_deviation_V}
        if settings.temperature_deviation_K is not None:
            deviations[TEMPERATURE] = settings.temperature_deviation_K
        self._series = tuple(deviations)
        self._sensitive = SensitiveModel(model, names, self._series)
        self._fixed = [parameters_of(model, r.parameters) for r in records]
        start = parameters_of(model, {})
        known = model.interface.parameter_names
        variables = [model.interface.parameters[known.index(n)] for n in names]
        self._start = np.array([start[known.index(n)] for n in names])
        self._unknowns = tuple(unknowns)
        self._is_log = np.array([u.scale == "logarithmic" for u in unknowns], bool)
        self._spread = np.array(
            [u.spread_at(s) for u, s in zip(unknowns, self._start, strict=True)]
        )
        self._prior = np.array([1.0 if u.is_prior else 0.0 for u in unknowns])
        limits = [
            u.limits(v.minimum, v.maximum)
            for u, v in zip(unknowns, variables, strict=True)
        ]
        self._limits = tuple(np.array(side) for side in zip(*limits, strict=True))
        self._low = self._scaled(np.array([low for low, _ in limits]))
        self._high = self._scaled(np.array([high for _, high in limits]))
        self._steps: list[Steps] = []
        self.blocks: list[Block] = []
        for index, record in enumerate(records):
            m = record.measurement
            samples = choose_samples(m, settings.n_sample)
            self._steps.append(steps_of(m, model, samples, record.inputs))
            self.blocks += [
                Block(
                    record=index,
                    series=name,
                    time_s=m.time_s[samples] - m.time_s[0],
                    target=series_of(m, name)[samples],
                    deviation=deviation,
                )
                for name, deviation in deviations.items()
            ]

    def _scaled(self, values: Vector) -> Vector:
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(np.maximum(values, 0.0) / np.abs(self._start)) / self._spread
        log = np.clip(log, -_FURTHEST / self._spread, _FURTHEST / self._spread)
        return np.asarray(
            np.where(self._is_log, log, (values - self._start) / self._spread)
        )

    def values(self, q: Vector) -> Vector:
        """Return the parameters that belong to scaled unknowns."""
        grown = self._start * np.exp(np.where(self._is_log, q * self._spread, 0.0))
        found = np.where(self._is_log, grown, self._start + q * self._spread)
        return np.asarray(np.clip(found, *self._limits))

    def evaluate(self, q: Vector) -> tuple[Vector, Vector]:
        """Return the residual and its slopes by the scaled unknowns."""
        theta = self.values(q)
        scale = self._spread * np.where(self._is_log, theta, 1.0)
        residuals, slopes = [], []
        for index, (steps, fixed) in enumerate(
            zip(self._steps, self._fixed, strict=True)
        ):
            y, s = self._sensitive.run(steps, theta, fixed)
            residuals += self._weighted(index, y)
            slopes += [
                s[:, k, :] * (scale / block.deviation)
                for k, block in enumerate(self._blocks_of(index))
            ]
        return np.concatenate(residuals), np.vstack(slopes)

    def _blocks_of(self, index: int) -> list[Block]:
        n = len(self._series)
        return self.blocks[index * n : (index + 1) * n]

    def _weighted(self, index: int, y: Vector) -> list[Vector]:
        return [
            (y[:, k] - block.target) / block.deviation
            for k, block in enumerate(self._blocks_of(index))
        ]

    def split(self, stacked: Vector) -> list[Vector]:
        """Return the rows of a residual or its slopes by block, in its unit."""
        ends = np.cumsum([len(block.target) for block in self.blocks])[:-1]
        return [
            block.deviation * part
            for block, part in zip(self.blocks, np.split(stacked, ends), strict=True)
        ]

    def cost(self, q: Vector) -> float:
        """Return half the sum of squares; infinite where the model fails."""
        theta, total = self.values(q), 0.0
        try:
            for index, (steps, fixed) in enumerate(
                zip(self._steps, self._fixed, strict=True)
            ):
                y, _ = self._sensitive.run(steps, theta, fixed, has_slopes=False)
                total += sum(float(e @ e) for e in self._weighted(index, y))
        except StepError:
            return math.inf
        return 0.5 * (total + float(np.sum(self._prior * q**2)))

    def improve(
        self, q: Vector, residual: Vector, slopes: Vector, damping: float
    ) -> tuple[Vector, Vector, Vector, float, bool]:
        """Take one accepted step, damping more until the cost falls."""
        cost = 0.5 * float(residual @ residual + np.sum(self._prior * q**2))
        gradient = slopes.T @ residual + self._prior * q
        normal = slopes.T @ slopes + np.diag(self._prior)
        stuck = ((q <= self._low) & (gradient > 0)) | (
            (q >= self._high) & (gradient < 0)
        )
        free = np.flatnonzero(~stuck)
        while damping < _LARGEST_DAMPING and len(free):
            inner = normal[np.ix_(free, free)]
            inner = inner + damping * np.diag(np.maximum(np.diag(inner), 1e-12))
            step = np.zeros_like(q)
            step[free] = -np.linalg.solve(inner, gradient[free])
            step *= min(1.0, _LONGEST / max(float(np.max(np.abs(step))), 1e-300))
            trial = np.clip(q + step, self._low, self._high)
            step = trial - q
            promised = -float(gradient @ step + 0.5 * step @ normal @ step)
            if promised <= _TOLERANCE * cost * _TOLERANCE:
                return q, residual, slopes, damping, True
            gain = (cost - self.cost(trial)) / promised
            if gain > 0.05:
                damping = damping / 5.0 if gain > 0.6 else damping
                residual, slopes = self.evaluate(trial)
                is_small = promised < _TOLERANCE * cost and gain > 0.5
                return trial, residual, slopes, max(damping, 1e-9), is_small
            damping *= 6.0
        return q, residual, slopes, damping, True
