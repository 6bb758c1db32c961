"""`DriveCycle`: a speed trace over time, and loading one from a CSV file.

A cycle file has the header `time_s,speed_m_per_s`, one row per sample, and may start
with comment lines (`# source: ..., licence: ...`). Between samples the speed is linear.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError

__all__ = ["DriveCycle", "load_cycle"]

Vector: TypeAlias = NDArray[np.float64]

_COLUMNS = ("time_s", "speed_m_per_s")
# What to do with a column that carries another unit (factor to SI).
_FACTORS = {
    "speed_m_s": "1",
    "speed_mps": "1",
    "speed_km_per_h": "1/3.6",
    "speed_km_h": "1/3.6",
    "speed_kmh": "1/3.6",
    "speed_kph": "1/3.6",
    "speed_mph": "0.44704",
    "speed_mi_per_h": "0.44704",
    "time_min": "60",
    "time_h": "3600",
    "time_ms": "0.001",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriveCycle:
    """A speed trace, linear between its samples.

    Attributes:
        name: Name of the cycle.
        time_s: Sample times, strictly increasing, shape `(n_time,)`.
        speed_m_per_s: Speed at the samples, >= 0, shape `(n_time,)`.
    """

    name: str
    time_s: Vector
    speed_m_per_s: Vector

    def __post_init__(self) -> None:
        """Check the trace and make it read-only."""
        for label in _COLUMNS:
            value = np.array(getattr(self, label), dtype=np.float64)
            value.setflags(write=False)
            object.__setattr__(self, label, value)
        if self.time_s.ndim != 1 or self.time_s.shape != self.speed_m_per_s.shape:
            msg = (
                f"Cycle `{self.name}`: `time_s` has shape {self.time_s.shape} and "
                f"`speed_m_per_s` {self.speed_m_per_s.shape}; expected two vectors of "
                "the same length."
            )
            raise ScenarioError(msg)
        fault = _first_fault(self.time_s, self.speed_m_per_s)
        if fault is not None:
            index, text = fault
            msg = f"Cycle `{self.name}`, sample {index}: {text}"
            raise ScenarioError(msg)

    @property
    def duration_s(self) -> float:
        """Time from the first to the last sample."""
        return float(self.time_s[-1] - self.time_s[0])

    @property
    def distance_m(self) -> float:
        """Distance of the whole cycle (trapezoidal rule, exact for a linear speed)."""
        mean = (self.speed_m_per_s[1:] + self.speed_m_per_s[:-1]) / 2
        return float(np.sum(mean * np.diff(self.time_s)))

    def speed_at(self, time_s: Vector) -> Vector:
        """Return the speed at `time_s`, counted from the first sample; 0 outside."""
        return np.interp(
            time_s,
            self.time_s - self.time_s[0],
            self.speed_m_per_s,
            left=0.0,
            right=0.0,
        )

    def step_means(self, step_s: float) -> tuple[Vector, Vector]:
        """Return mean speed (m/s) and acceleration (m/s2) of every step of the cycle.

        Both follow from the speeds at the ends of the step, so that the kinetic energy
        telescopes exactly; the distance is exact when the samples lie on the steps.
        A last step that reaches past the cycle holds its last speed.
        """
        if not (math.isfinite(step_s) and step_s > 0.0):
            msg = f"Cycle `{self.name}`: step {step_s} s; expected a step > 0 s."
            raise ScenarioError(msg)
        count = math.ceil(self.duration_s / step_s - 1e-9)
        speed = self.speed_at(
            np.minimum(np.arange(count + 1) * step_s, self.duration_s)
        )
        return (speed[1:] + speed[:-1]) / 2, np.diff(speed) / step_s


def load_cycle(path: Path) -> DriveCycle:
    """Load a drive cycle from a CSV file with the header `time_s,speed_m_per_s`.

    A file `cycle_NAME.csv` is called `NAME`, any other by its stem.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"Cannot read the drive cycle `{path}`: {error}; give a UTF-8 CSV file."
        raise ScenarioError(msg) from error
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        msg = f"`{path}` is empty; expected the header `{','.join(_COLUMNS)}` and rows."
        raise ScenarioError(msg)
    numbers = [number for number, _ in lines]
    rows = [[cell.strip() for cell in row] for row in csv.reader(t for _, t in lines)]
    order = _column_order(path, numbers[0], rows[0])
    table = [
        _row_values(path, number, row, order)
        for number, row in zip(numbers[1:], rows[1:], strict=True)
    ]
    time_s = np.array([row[0] for row in table], dtype=np.float64)
    speed = np.array([row[1] for row in table], dtype=np.float64)
    fault = _first_fault(time_s, speed)
    if fault is not None:
        index, reason = fault
        row = numbers[min(index + 1, len(numbers) - 1)]
        msg = f"`{path}`, row {row}: {reason}"
        raise ScenarioError(msg)
    stem = Path(path).stem
    return DriveCycle(
        name=stem.removeprefix("cycle_"), time_s=time_s, speed_m_per_s=speed
    )


def _column_order(path: Path, number: int, header: list[str]) -> tuple[int, int]:
    expected = f"expected the header `{','.join(_COLUMNS)}`"
    for name in header:
        if name in _COLUMNS:
            continue
        if name in _FACTORS:
            target = "speed_m_per_s" if name.startswith("speed") else "time_s"
            remedy = (
                f"rename it to `{target}`"
                if _FACTORS[name] == "1"
                else f"multiply the values by {_FACTORS[name]} and rename it to "
                f"`{target}`"
            )
        else:
            remedy = "remove it or rename it, because no other column is used"
        msg = f"`{path}`, row {number}: got the column `{name}`, {expected}; {remedy}."
        raise ScenarioError(msg)
    for name in _COLUMNS:
        if header.count(name) != 1:
            msg = (
                f"`{path}`, row {number}: the column `{name}` occurs "
                f"{header.count(name)} times, {expected} with each name once."
            )
            raise ScenarioError(msg)
    return header.index("time_s"), header.index("speed_m_per_s")


def _row_values(
    path: Path, number: int, row: list[str], order: tuple[int, int]
) -> tuple[float, float]:
    if len(row) != len(_COLUMNS):
        msg = (
            f"`{path}`, row {number}: got {len(row)} values, expected {len(_COLUMNS)} "
            f"({', '.join(_COLUMNS)}); complete or remove the row."
        )
        raise ScenarioError(msg)
    try:
        return float(row[order[0]]), float(row[order[1]])
    except ValueError as error:
        msg = (
            f"`{path}`, row {number}: got `{','.join(row)}`, expected two numbers in s "
            "and m/s with a decimal point; correct the row."
        )
        raise ScenarioError(msg) from error


def _first_fault(time_s: Vector, speed_m_per_s: Vector) -> tuple[int, str] | None:
    """Return the first faulty sample and what is wrong with it, if any."""
    for i, (t, v) in enumerate(zip(time_s, speed_m_per_s, strict=True)):
        if not math.isfinite(t):
            return i, f"`time_s` is {t}, expected a finite time in s; correct the row."
        if not math.isfinite(v):
            reason = "expected a finite speed in m/s; correct or interpolate the row."
            return i, f"`speed_m_per_s` is {v}, {reason}"
        if i and t <= time_s[i - 1]:
            reason = f"expected more than the {time_s[i - 1]} s before; sort the rows."
            return i, f"`time_s` is {t} s, {reason}"
        if v < 0.0:
            reason = "expected >= 0 m/s; a cycle holds the speed, not the velocity."
            return i, f"`speed_m_per_s` is {v} m/s, {reason}"
    if time_s.size < 2:
        return 0, (
            f"got {time_s.size} rows of data, expected at least 2; give the trace from "
            "its start to its end."
        )
    return None
