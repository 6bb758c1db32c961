"""Which rows of a run a recording keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError, WiringError
from packtwin.twin.variable import nearest_names

__all__ = ["EveryNth", "OnChange", "Thinner", "Thinning", "match_names"]

Vector: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

_LEAST_WINDOW, _MOST_WINDOW = 16, 4096


@runtime_checkable
class Thinner(Protocol):
    """Chooses rows of one run, block by block."""

    reference: Vector | None

    def choose(self, rows: Vector, first: int, is_forced: Mask) -> Mask:
        """Return which rows to keep.

        Args:
            rows: A block of the run, `(n_time, n_series)`.
            first: Number of its first communication point.
            is_forced: Rows that must be kept.
        """
        ...


@runtime_checkable
class Thinning(Protocol):
    """A rule for which rows to keep; the first and the last are always kept."""

    def start(self, names: Sequence[str]) -> Thinner:
        """Return what chooses among rows of these series."""
        ...


@final
@dataclass(frozen=True, slots=True)
class EveryNth:
    """Keep every n-th communication point, and those with events.

    Attributes:
        n: 1 for all of them.
    """

    n: int

    def __post_init__(self) -> None:
        """Check it."""
        if self.n < 1:
            msg = f"Every {self.n}th row cannot be kept; give 1 or more."
            raise ScenarioError(msg)

    def start(self, names: Sequence[str]) -> Thinner:
        """Return what chooses."""
        return _Nth(self.n)


@final
@dataclass(frozen=True, slots=True)
class OnChange:
    """Keep a row where a series is further from the last kept row than its tolerance.

    So each row left out is within the tolerances of the row kept before it.

    Attributes:
        tolerances: By name or pattern (`pack.*`), in the unit of the series; others do
            not count.
    """

    tolerances: Mapping[str, float]

    def start(self, names: Sequence[str]) -> Thinner:
        """Return what chooses.

        Raises:
            WiringError: A pattern names no recorded series.
            ScenarioError: A tolerance is negative or no number.
        """
        bounds = np.full(len(names), np.inf)
        for pattern, tolerance in self.tolerances.items():
            if not tolerance >= 0.0:
                msg = (
                    f"The tolerance of `{pattern}` is {tolerance}, expected 0 or more, "
                    "in the unit of the series."
                )
                raise ScenarioError(msg)
            bounds[match_names(tuple(names), [pattern])] = tolerance
        return _Changes(bounds)


@final
class _Nth:
    reference: Vector | None = None

    def __init__(self, n: int) -> None:
        self._n = n

    def choose(self, rows: Vector, first: int, is_forced: Mask) -> Mask:
        chosen: Mask = is_forced.copy()
        chosen[-first % self._n :: self._n] = True
        return chosen


@final
class _Changes:
    def __init__(self, bounds: Vector) -> None:
        self._watched = np.flatnonzero(np.isfinite(bounds))
        self._bounds = bounds[self._watched]
        self.reference: Vector | None = None

    def choose(self, rows: Vector, first: int, is_forced: Mask) -> Mask:
        values = rows[:, self._watched]
        chosen, at, width = np.zeros(len(rows), dtype=bool), 0, _LEAST_WINDOW
        # Where a kept row is followed by rows that each move on, all of them are kept.
        change = np.abs(np.diff(values, axis=0))
        moves_on: Mask = np.any(change > self._bounds, axis=1)
        rests = np.append(np.flatnonzero(~moves_on), len(moves_on))
        while at < len(rows):
            window = values[at : at + width]
            is_due: Mask = is_forced[at : at + width].copy()
            if self.reference is None:
                is_due[0] = True
            else:
                is_due |= (np.abs(window - self.reference) > self._bounds).any(axis=1)
            if is_due.any():
                at += int(is_due.argmax())
                last = int(rests[np.searchsorted(rests, at)])
                chosen[at : last + 1] = True
                self.reference = values[last].copy()
                at, width = last + 1, _LEAST_WINDOW
            else:
                at, width = at + len(window), min(2 * width, _MOST_WINDOW)
        return chosen


def match_names(names: tuple[str, ...], patterns: Sequence[str]) -> list[int]:
    """Return the places of the names that are, or match, one of the patterns.

    Raises:
        WiringError: A pattern matches none.
    """
    chosen: set[int] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = [
            i
            for i, name in enumerate(names)
            if name == pattern or fnmatchcase(name, pattern)
        ]
        if not found and pattern != "*":
            raise WiringError(no_output(pattern, names))
        chosen.update(found)
    return sorted(chosen)


def no_output(name: str, names: tuple[str, ...]) -> str:
    """Return the message about a name that is none."""
    return f"The system has no output `{name}`; nearest: {nearest_names(name, names)}."
