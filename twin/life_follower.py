"""Follow a cell through its life: predict each discharge from those before it.

After every discharge two things are updated: the capacity, which is the charge down to
the cut-off, and chosen parameters of the circuit, such as the polarisation at its
nodes, by least squares with priors at the last values. The next discharge is predicted
with them. How far the capacity moves is a rule learned on other cycles or on another
cell:

    before the discharge        dQ = a
    after its first charge q_o  dQ = b + g dU(q_o)

`dU` is the change of the voltage at `q_o` against the discharge before. A rest raises
both (recovery), which nothing recorded before the discharge tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError
from packtwin.twin.identification import Settings, Unknown, compare_all, identify
from packtwin.twin.identification_problem import TEMPERATURE, VOLTAGE, Record
from packtwin.twin.measurement import Measurement, Vector
from packtwin.twin.measurement_cycles import capacity_to
from packtwin.twin.model import Model

__all__ = [
    "CapacityRule",
    "CyclePrediction",
    "Life",
    "follow_life",
    "learn_rule",
    "life_of",
    "predict_cycle",
    "repeat_cycle",
    "update_circuit",
]

Progress: TypeAlias = Callable[[float], None]

_IDLE = 0.5  # of the largest current


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Life:
    """The discharges of a cell from full, in order.

    Attributes:
        records: With `capacity_start_Ah`, and temperatures where they were measured.
        capacity_Ah: Charge of each down to the cut-off.
        opening_V: Voltage of each after the opening charge.
        cutoff_V: Where a discharge ends.
        opening_Ah: The charge after which the opening is over.
    """

    records: tuple[Record, ...]
    capacity_Ah: Vector
    opening_V: Vector
    cutoff_V: float
    opening_Ah: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRule:
    """How the capacity moves from one discharge to the next.

    Attributes:
        drift_Ah: Mean change.
        deviation_Ah: Standard deviation about it.
        opening_drift_Ah: Change where the voltage of the opening stays.
        opening_gain_Ah_per_V: By the change of that voltage.
        opening_deviation_Ah: Standard deviation about both.
    """

    drift_Ah: float
    deviation_Ah: float
    opening_drift_Ah: float
    opening_gain_Ah_per_V: float
    opening_deviation_Ah: float


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CyclePrediction:
    """Errors of one predicted discharge; predicted less measured.

    Voltages are compared under load down to the cut-off. A prediction that is empty
    too early stays at the cut-off; `free_V` are the errors without that.

    Attributes:
        index: Of the discharge, from 0.
        capacity_error_Ah: Of the capacity.
        deviation_Ah: Stated standard deviation of the capacity.
        voltage_V: Errors of the voltage.
        free_V: Errors of the voltage without end at the cut-off.
        temperature_K: Errors of the temperature, at all samples; may be empty.
    """

    index: int
    capacity_error_Ah: float
    deviation_Ah: float
    voltage_V: Vector
    free_V: Vector
    temperature_K: Vector


def life_of(
    cycles: Sequence[Measurement], *, cutoff_V: float, opening_Ah: float
) -> Life:
    """Return discharges as records with their capacities.

    Args:
        cycles: Each begins with the cell full, and at the temperature of the ambient.
        cutoff_V: All of them go below it.
        opening_Ah: At most a tenth of the capacity makes sense.

    Raises:
        ScenarioError: a discharge does not reach the cut-off, or there are fewer than
            two.
    """
    if len(cycles) < 2:
        msg = f"A life has {len(cycles)} discharges, expected 2 or more. Give them all."
        raise ScenarioError(msg)
    capacity_Ah = np.array([capacity_to(m, cutoff_V) for m in cycles])
    records = []
    for m, capacity in zip(cycles, capacity_Ah.tolist(), strict=True):
        parameters, inputs = {"capacity_start_Ah": capacity}, {}
        if m.temperature_K is not None:
            start_K = float(m.temperature_K[0])
            parameters["temperature_start_K"] = start_K
            inputs["ambient_temperature_K"] = start_K
        records.append(Record(measurement=m, parameters=parameters, inputs=inputs))
    opening_V = [float(np.interp(opening_Ah, *_rising(m))) for m in cycles]
    return Life(
        records=tuple(records),
        capacity_Ah=capacity_Ah,
        opening_V=np.array(opening_V),
        cutoff_V=cutoff_V,
        opening_Ah=opening_Ah,
    )


def _rising(m: Measurement) -> tuple[Vector, Vector]:
    """Return charge and voltage under load, where the charge increases."""
    loaded = m.current_A > _IDLE * float(np.max(m.current_A))
    return m.charge_Ah[loaded], m.voltage_V[loaded]


def learn_rule(life: Life, end: int | None = None) -> CapacityRule:
    """Learn how the capacity moves from the first `end` discharges of a life.

    Raises:
        ScenarioError: there are fewer than four.
    """
    moved = np.diff(life.capacity_Ah[:end])
    opened = np.diff(life.opening_V[:end])
    if len(moved) < 3:
        msg = (
            f"The rule of the capacity is to be learned from {len(moved) + 1} "
            "discharges, expected 4 or more. Learn it on another cell."
        )
        raise ScenarioError(msg)
    matrix = np.column_stack([np.ones(len(moved)), opened])
    (base, gain), *_ = np.linalg.lstsq(matrix, moved)
    return CapacityRule(
        drift_Ah=float(moved.mean()),
        deviation_Ah=float(moved.std(ddof=1)),
        opening_drift_Ah=float(base),
        opening_gain_Ah_per_V=float(gain),
        opening_deviation_Ah=float((moved - matrix @ [base, gain]).std(ddof=2)),
    )


def predict_cycle(
    model: Model,
    life: Life,
    index: int,
    capacity_Ah: float,
    deviation_Ah: float,
    values: Mapping[str, float] | None = None,
) -> CyclePrediction:
    """Predict one discharge from its measured current and the ambient temperature.

    Args:
        model: The circuit as it is known before.
        life: The discharge is `life.records[index]`.
        index: Of the discharge.
        capacity_Ah: As predicted.
        deviation_Ah: What is stated about it.
        values: Other parameters of the circuit.
    """
    record = life.records[index]
    m = record.measurement
    given = dict(values or {}) | {"capacity_start_Ah": capacity_Ah}
    has_temperature = m.temperature_K is not None
    series = (VOLTAGE, TEMPERATURE) if has_temperature else (VOLTAGE,)
    (found,) = compare_all(model, [record], given, series)
    at = _scored(m, life.cutoff_V)
    free_V = found[0].error[at]
    held_V = np.maximum(m.voltage_V[at] + free_V, life.cutoff_V) - m.voltage_V[at]
    return CyclePrediction(
        index=index,
        capacity_error_Ah=capacity_Ah - float(life.capacity_Ah[index]),
        deviation_Ah=deviation_Ah,
        voltage_V=held_V,
        free_V=free_V,
        temperature_K=found[1].error if has_temperature else np.zeros(0),
    )


def repeat_cycle(life: Life, index: int, source: int) -> CyclePrediction:
    """Predict a discharge by repeating another one: what is to be beaten."""
    m, before = (life.records[k].measurement for k in (index, source))
    at = _scored(m, life.cutoff_V)
    repeated_V = np.interp(m.charge_Ah[at], *_rising(before))
    temperature_K = np.zeros(0)
    if m.temperature_K is not None and before.temperature_K is not None:
        warmed_K = before.temperature_K - before.temperature_K[0]
        again_K = np.interp(m.time_s, before.time_s, warmed_K) + m.temperature_K[0]
        temperature_K = again_K - m.temperature_K
    return CyclePrediction(
        index=index,
        capacity_error_Ah=float(life.capacity_Ah[source] - life.capacity_Ah[index]),
        deviation_Ah=float("nan"),
        voltage_V=np.maximum(repeated_V, life.cutoff_V) - m.voltage_V[at],
        free_V=repeated_V - m.voltage_V[at],
        temperature_K=temperature_K,
    )


def _scored(m: Measurement, cutoff_V: float) -> NDArray[np.bool_]:
    """Return where a discharge is under load and above the cut-off."""
    loaded = m.current_A > _IDLE * float(np.max(m.current_A))
    ended = np.cumsum(m.voltage_V < cutoff_V) > 0
    return np.asarray(loaded & ~ended)


def follow_life(
    model: Model,
    life: Life,
    rule: CapacityRule,
    unknowns: Sequence[Unknown],
    settings: Settings,
    *,
    begin: int,
    progress: Progress | None = None,
) -> list[tuple[CyclePrediction, CyclePrediction]]:
    """Predict every discharge from `begin` on, before it and after its opening.

    Args:
        model: The circuit as identified on other discharges.
        life: Discharge `k` is predicted from those before `k` alone, and in the second
            prediction from its own opening.
        rule: Of the capacity; learned elsewhere or before `begin`.
        unknowns: What is updated after every discharge; their priors are centred on
            the last values.
        settings: Of these updates.
        begin: At least 1.
        progress: Called with the share done.
    """
    known = model
    found = []
    n = len(life.records)
    for k in range(begin, n):
        known = update_circuit(known, life.records[k - 1], unknowns, settings)
        last_Ah = float(life.capacity_Ah[k - 1])
        opened_V = float(life.opening_V[k] - life.opening_V[k - 1])
        moved_Ah = rule.opening_drift_Ah + rule.opening_gain_Ah_per_V * opened_V
        plain = predict_cycle(
            known, life, k, last_Ah + rule.drift_Ah, rule.deviation_Ah
        )
        opened = predict_cycle(
            known, life, k, last_Ah + moved_Ah, rule.opening_deviation_Ah
        )
        found.append((plain, opened))
        if progress is not None:
            progress((k - begin + 1) / (n - begin))
    return found


def update_circuit(
    model: Model, record: Record, unknowns: Sequence[Unknown], settings: Settings
) -> Model:
    """Return the circuit with unknowns updated from one discharge."""
    chosen = replace(settings, needs_excitation=False)
    values = identify(model, [record], unknowns, chosen).values
    return replace(model, interface=model.interface.with_starts(values))
