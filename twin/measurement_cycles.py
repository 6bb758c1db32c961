"""Many discharges in one file, one `Measurement` each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement import Measurement, Vector
from packtwin.twin.measurement_file import ColumnMap, measurement_of, read_columns

__all__ = ["capacity_to", "read_cycles"]


def read_cycles(path: Path, columns: ColumnMap, label: str) -> list[Measurement]:
    """Read a file whose time starts again with every cycle.

    Args:
        path: As for `read_measurement`.
        columns: Where to find what; one of its labels numbers the cycles.
        label: Our name of that label.

    Raises:
        ScenarioError: the file is not what `columns` says, a cycle is not sound, or
            one number stands in two places.
    """
    columns, found = read_columns(path, columns)
    theirs = [name for name, ours in columns.labels.items() if ours == label]
    if not theirs:
        msg = (
            f"The column map has no label `{label}`, expected one that numbers the "
            f"cycles of `{path}`. Add its column."
        )
        raise ScenarioError(msg)
    numbers = found[theirs[0]]
    begins = np.flatnonzero(np.diff(numbers, prepend=np.nan) != 0.0)
    ends = np.append(begins[1:], len(numbers))
    seen = set()
    cycles = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        number = float(numbers[begin])
        if number in seen:
            msg = (
                f"Record `{path}` has the `{label}` {number:g} in two places, expected "
                "one. Sort the samples by it."
            )
            raise ScenarioError(msg)
        seen.add(number)
        rows = {name: values[begin:end] for name, values in found.items()}
        name = f"{path.name}, {label} {number:g}"
        cycles.append(measurement_of(rows, columns, name))
    return cycles


def capacity_to(measurement: Measurement, cutoff_V: float) -> float:
    """Return the charge in Ah taken out until the voltage first falls to a limit.

    Args:
        measurement: A discharge from full.
        cutoff_V: The limit; the charge is interpolated between samples.

    Raises:
        ScenarioError: the voltage never falls so far.
    """
    below = np.flatnonzero(measurement.voltage_V <= cutoff_V)
    if not len(below) or below[0] == 0:
        lowest = float(measurement.voltage_V.min())
        msg = (
            f"Record `{measurement.name}` goes from {measurement.voltage_V[0]:.4g} V "
            f"down to {lowest:.4g} V, expected it to cross {cutoff_V:g} V. Choose a "
            "limit that all discharges reach."
        )
        raise ScenarioError(msg)
    k = int(below[0])
    around = slice(k - 1, k + 1)
    voltage: Vector = -measurement.voltage_V[around]
    return float(np.interp(-cutoff_V, voltage, measurement.charge_Ah[around]))
