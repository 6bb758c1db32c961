"""An instance under test whose inputs and continuous states are moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias, final

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Subject

__all__ = ["Place", "Point", "cells", "initializing"]

Place: TypeAlias = Callable[[Subject], AbstractContextManager[Instance]]
"""Brings a new instance to where knowns are moved."""


@contextmanager
def initializing(subject: Subject) -> Iterator[Instance]:
    """Give a new instance in initialization mode."""
    with subject.instance() as made:
        subject.enter(made)
        yield made


@final
class Point:
    """What an instance depends on, moved one known at a time."""

    __slots__ = ("_first", "_x", "made")

    def __init__(self, subject: Subject, made: Instance) -> None:
        self.made = made
        self._x: list[float] = []
        self._first: dict[int, int] = {}
        n = 0
        for v in subject.states() if subject.is_exchange else ():
            self._first[v.key] = n
            n += v.size
        if n:
            self._x = list(made.get_vector("GetContinuousStates", n))

    def values(self, known: RunVariable) -> list[float]:
        """Return the present values of a known, empty if they are refused."""
        first = self._first.get(known.key)
        if first is not None:
            return self._x[first : first + known.size]
        status, values = self.made.get([known])
        return values if status <= 1 else []

    def put(self, known: RunVariable, values: Sequence[float]) -> bool:
        """Set a known; whether it was accepted."""
        first = self._first.get(known.key)
        if first is None:
            return self.made.set([known], values) <= 1
        moved = [*self._x]
        moved[first : first + known.size] = values
        return self.made.set_states(moved) <= 1


def cells(variables: Iterable[RunVariable]) -> list[RunVariable]:
    """Return a variable for each element."""
    return [v for v in variables for _ in range(v.size)]
