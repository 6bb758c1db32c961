"""`Measurement`: what a cycler recorded of one cell, in our units and signs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError

__all__ = ["Measurement", "refuse_gap"]

Vector: TypeAlias = NDArray[np.float64]

_SECONDS_PER_HOUR = 3600.0


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """Samples of one cell; checked when made, and never changed.

    Attributes:
        name: For messages and tables.
        time_s: Strictly increasing.
        current_A: Positive on discharge.
        voltage_V: At the terminals.
        temperature_K: Of the cell, or None.
        labels: Such as the cycle or step number, by name; one value per sample.
    """

    name: str
    time_s: Vector
    current_A: Vector
    voltage_V: Vector
    temperature_K: Vector | None = None
    labels: tuple[tuple[str, Vector], ...] = ()

    def __post_init__(self) -> None:
        """Refuse lengths that differ, values that are missing and time that stands."""
        series = self._series()
        for label, values in series.items():
            if values.shape != self.time_s.shape or values.ndim != 1:
                msg = (
                    f"`{label}` of record `{self.name}` has shape {values.shape}, "
                    f"expected {self.time_s.shape} like `time_s`. Cut both to the same "
                    "samples."
                )
                raise ScenarioError(msg)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                msg = (
                    f"`{label}` of record `{self.name}` has {len(bad)} values that are "
                    f"no numbers, the first in sample {bad[0]}, expected none. Remove "
                    "these samples or fill them in."
                )
                raise ScenarioError(msg)
            values.setflags(write=False)
        if len(self.time_s) < 2:
            msg = (
                f"Record `{self.name}` has {len(self.time_s)} samples, expected at "
                "least 2. Give the whole record."
            )
            raise ScenarioError(msg)
        back = np.flatnonzero(np.diff(self.time_s) <= 0)
        if len(back):
            k = int(back[0])
            msg = (
                f"`time_s` of record `{self.name}` goes from {self.time_s[k]:.6g} s to "
                f"{self.time_s[k + 1]:.6g} s at sample {k + 1}, expected increasing "
                "times. Sort the samples, remove repeated ones, or read each cycle "
                "alone."
            )
            raise ScenarioError(msg)

    def _series(self) -> dict[str, Vector]:
        series = {
            "time_s": self.time_s,
            "current_A": self.current_A,
            "voltage_V": self.voltage_V,
        } | dict(self.labels)
        if self.temperature_K is not None:
            series["temperature_K"] = self.temperature_K
        return series

    @property
    def duration_s(self) -> float:
        """Time from the first to the last sample."""
        return float(self.time_s[-1] - self.time_s[0])

    @property
    def charge_Ah(self) -> Vector:
        """Charge taken out since the first sample, by the trapezoidal rule."""
        mean = (self.current_A[1:] + self.current_A[:-1]) / 2.0
        steps = mean * np.diff(self.time_s) / _SECONDS_PER_HOUR
        return np.concatenate([[0.0], np.cumsum(steps)])

    def label(self, name: str) -> Vector:
        """Return the values of a label."""
        table = dict(self.labels)
        if name not in table:
            listed = ", ".join(f"`{n}`" for n in table) or "none"
            msg = f"Record `{self.name}` has no label `{name}`; it has {listed}."
            raise ScenarioError(msg)
        return table[name]

    def part(self, begin: int, end: int, name: str = "") -> Measurement:
        """Return samples `begin` to `end - 1`, their time starting from zero."""
        cut = slice(begin, end)
        return replace(
            self,
            name=name or self.name,
            time_s=self.time_s[cut] - self.time_s[begin],
            current_A=self.current_A[cut].copy(),
            voltage_V=self.voltage_V[cut].copy(),
            temperature_K=None
            if self.temperature_K is None
            else self.temperature_K[cut].copy(),
            labels=tuple((key, values[cut].copy()) for key, values in self.labels),
        )


def refuse_gap(measurement: Measurement, longest_s: float) -> None:
    """Refuse a record with a hole: nobody knows the current in it.

    Args:
        measurement: The record.
        longest_s: Longest time between two samples.

    Raises:
        ScenarioError: the message says where the hole is.
    """
    steps = np.diff(measurement.time_s)
    k = int(np.argmax(steps))
    if steps[k] > longest_s:
        msg = (
            f"Record `{measurement.name}` has a gap of {steps[k]:.6g} s after "
            f"{measurement.time_s[k]:.6g} s (sample {k}), expected at most "
            f"{longest_s:.6g} s. Split it there, or allow longer steps."
        )
        raise ScenarioError(msg)
