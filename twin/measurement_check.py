"""Is a record what it says? Units and the sign of the current, before anything is fit.

Nothing is mended in silence: a record that looks wrong is refused with what it looks
like, and the reader is told how to say so.
"""

from __future__ import annotations

import numpy as np

from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement import Measurement, Vector, refuse_gap

__all__ = ["check_measurement", "refuse_inverted", "refuse_unexcited", "refuse_units"]

_VOLTAGE_V = (0.3, 6.0)  # of a single cell
_TEMPERATURE_K = (200.0, 400.0)
_LARGEST_CURRENT_A = 3000.0
_FASTEST_C_RATE = 20.0
_SLOWEST_S = 86400.0 * 30.0
_IDLE = 0.02  # of the largest current
_LONGEST_GAP = 0.05  # of the record


def check_measurement(
    measurement: Measurement, *, longest_gap_s: float | None = None
) -> None:
    """Refuse a record with gaps, in other units, or with the current inverted.

    Args:
        measurement: The record.
        longest_gap_s: Longest time between samples; a twentieth of the record, but at
            least ten minutes, if None.

    Raises:
        ScenarioError: the message says what it looks like and what to do.
    """
    refuse_units(measurement)
    limit_s = max(_LONGEST_GAP * measurement.duration_s, 600.0)
    refuse_gap(measurement, limit_s if longest_gap_s is None else longest_gap_s)
    refuse_inverted(measurement)


def refuse_units(measurement: Measurement) -> None:
    """Refuse voltages, temperatures and currents that no cell has in our units.

    Raises:
        ScenarioError: the unit they seem to be in is named.
    """
    voltage = float(np.median(measurement.voltage_V))
    if not _VOLTAGE_V[0] <= voltage <= _VOLTAGE_V[1]:
        is_mV = _VOLTAGE_V[0] <= 1e-3 * voltage <= _VOLTAGE_V[1]
        _refuse(
            measurement,
            "voltage_V",
            f"a median of {voltage:.6g} V",
            "0.3 to 6 V for one cell",
            "which is mV: give the unit `mV`"
            if is_mV
            else "which is no cell's: give the column of one cell",
        )
    if measurement.temperature_K is not None:
        _refuse_temperature(measurement, measurement.temperature_K)
    largest = float(np.max(np.abs(measurement.current_A)))
    if largest > _LARGEST_CURRENT_A:
        _refuse(
            measurement,
            "current_A",
            f"up to {largest:.6g} A",
            f"at most {_LARGEST_CURRENT_A:g} A",
            "which looks like mA: give the unit `mA`",
        )
    _refuse_time(measurement)


def _refuse_temperature(measurement: Measurement, temperature_K: Vector) -> None:
    typical = float(np.median(temperature_K))
    if not _TEMPERATURE_K[0] <= typical <= _TEMPERATURE_K[1]:
        is_celsius = -60.0 <= typical <= 120.0
        _refuse(
            measurement,
            "temperature_K",
            f"a median of {typical:.6g} K",
            "200 to 400 K",
            "which is °C: give the unit `degC`"
            if is_celsius
            else "which is neither K nor °C: give another column",
        )


def _refuse_time(measurement: Measurement) -> None:
    """Judge the time by how fast the voltage follows the charge.

    A cell that goes through most of its voltage window gave at least half an hour's
    charge at 20C and less than a month's at the largest current.
    """
    span = float(np.ptp(measurement.voltage_V))
    duration_s = measurement.duration_s
    largest = float(np.max(np.abs(measurement.current_A)))
    net_Ah = float(np.ptp(measurement.charge_Ah))
    if span < 0.8 or largest == 0.0 or net_Ah == 0.0:
        return
    hours_at_largest = net_Ah / largest
    if hours_at_largest < 0.5 / _FASTEST_C_RATE:
        unit = "h" if duration_s < 30.0 else "min"
        _refuse(
            measurement,
            "time_s",
            f"{duration_s:.6g} s for {1e3 * span:.0f} mV of the voltage window",
            f"at least {1800 / _FASTEST_C_RATE:g} s at full current",
            f"which looks like minutes or hours: give the unit `{unit}`",
        )
    if duration_s > _SLOWEST_S * 10.0:
        _refuse(
            measurement,
            "time_s",
            f"{duration_s:.6g} s",
            "less than ten months",
            "which looks like ms: give the unit `ms`",
        )


def refuse_inverted(measurement: Measurement) -> None:
    """Refuse a record in which positive currents raise the voltage.

    Two witnesses: the voltage's jumps against those of the current (the resistance),
    and the voltage's trend against the charge taken out (the slope of the open-circuit
    voltage). It is refused if both say so, or the only one there is.

    Raises:
        ScenarioError: the message tells how to flip the sign.
    """
    jumps, trend = _resistance_sign(measurement), _slope_sign(measurement)
    if jumps + trend >= 0:
        return
    largest = float(np.max(np.abs(measurement.current_A)))
    facts = []
    if jumps < 0:
        facts.append("the voltage jumps up when it rises")
    if trend < 0:
        facts.append("the open-circuit voltage rises with the charge taken out")
    msg = (
        f"`current_A` of record `{measurement.name}` (up to {largest:.4g} A) is "
        f"inverted: {' and '.join(facts)}, expected positive on discharge. Read it "
        "with the sign of the current flipped (`charge_is_positive`)."
    )
    raise ScenarioError(msg)


def _resistance_sign(measurement: Measurement) -> int:
    current, voltage = np.diff(measurement.current_A), np.diff(measurement.voltage_V)
    largest = float(np.max(np.abs(measurement.current_A)))
    is_jump = np.abs(current) > 0.2 * largest
    if largest == 0.0 or not is_jump.any():
        return 0
    product = current[is_jump] * voltage[is_jump]
    return -int(np.sign(np.sum(product)))


def _slope_sign(measurement: Measurement) -> int:
    """Return 1 if voltage falls with charge taken out, -1 if it rises, else 0."""
    largest = float(np.max(np.abs(measurement.current_A)))
    active = np.abs(measurement.current_A) > _IDLE * largest
    charge, voltage = measurement.charge_Ah[active], measurement.voltage_V[active]
    if largest == 0.0 or len(charge) < 8 or float(np.ptp(charge)) == 0.0:
        return 0
    slope = np.corrcoef(charge, voltage)[0, 1] if np.ptp(voltage) else 0.0
    return -int(np.sign(slope)) if abs(slope) > 0.5 else 0


def refuse_unexcited(measurements: tuple[Measurement, ...]) -> None:
    """Refuse records that together hold one constant current only.

    With one current a resistance cannot be told from an open-circuit voltage, nor a
    diffusivity from either.

    Raises:
        ScenarioError: always then.
    """
    levels = np.concatenate([_levels(m) for m in measurements])
    largest = float(np.max(np.abs(levels)))
    if largest > 0.0 and float(np.ptp(levels)) > 0.1 * largest:
        return
    names = ", ".join(f"`{m.name}`" for m in measurements)
    got = "no current at all" if largest == 0.0 else f"{levels[0]:.4g} A only"
    msg = (
        f"Records {names} hold {got}, expected two different currents or more: with "
        "one, resistances cannot be told from the open-circuit voltage. Add a record "
        "at another current, or one with pulses or rests."
    )
    raise ScenarioError(msg)


def _levels(measurement: Measurement) -> Vector:
    """Return the currents held for at least a hundredth of the record."""
    current = measurement.current_A
    largest = float(np.max(np.abs(current)))
    if largest == 0.0:
        return np.zeros(1)
    grid = np.round(current / largest, 1)
    weight = np.gradient(measurement.time_s) / measurement.duration_s
    levels = [
        float(np.median(current[grid == level]))
        for level in np.unique(grid)
        if weight[grid == level].sum() > 0.01
    ]
    return np.array(levels)


def _refuse(
    measurement: Measurement, series: str, got: str, expected: str, remedy: str
) -> None:
    msg = (
        f"`{series}` of record `{measurement.name}` has {got}, expected {expected}, "
        f"{remedy}."
    )
    raise ScenarioError(msg)
