"""What ends a run before its end: conditions and functions of its signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.stop_condition import StopCondition
from packtwin.cosim.thinning import no_output
from packtwin.twin.errors import WiringError

__all__ = ["Stop", "StopWhen", "compile_stops"]

Vector: TypeAlias = NDArray[np.float64]
Predicate: TypeAlias = Callable[[Mapping[str, float]], bool]
StopWhen: TypeAlias = "str | StopCondition | Predicate"
Condition: TypeAlias = tuple[int, StopCondition]
Stop: TypeAlias = tuple[str, Callable[[], bool], Condition | None]


def compile_stops(
    stop_when: StopWhen | Sequence[StopWhen], names: tuple[str, ...], values: Vector
) -> list[Stop]:
    """Return of each its text, a test, and place and condition if it is no function.

    Args:
        stop_when: What ends the run.
        names: Outputs of the system.
        values: Their values now, shared with the run.

    Raises:
        WiringError: It needs an output that there is not.
    """
    if isinstance(stop_when, str | StopCondition) or callable(stop_when):
        stop_when = [stop_when]
    return [_compile(stop, names, values) for stop in stop_when]


@final
class _Signals(Mapping[str, float]):
    """The outputs now, by name."""

    def __init__(self, names: tuple[str, ...], values: Vector) -> None:
        self._places = {name: i for i, name in enumerate(names)}
        self._values = values

    def __getitem__(self, name: str) -> float:
        place = self._places.get(name)
        if place is None:
            raise WiringError(no_output(name, tuple(self._places)))
        return float(self._values[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _compile(stop: StopWhen, names: tuple[str, ...], values: Vector) -> Stop:
    if isinstance(stop, str):
        stop = StopCondition.parse(stop)
    if isinstance(stop, StopCondition):
        if stop.signal not in names:
            raise WiringError(no_output(stop.signal, names))
        condition, place = stop, names.index(stop.signal)
        return (
            str(condition),
            lambda: condition.is_met(float(values[place])),
            (place, condition),
        )
    predicate, signals = stop, _Signals(names, values)
    text = getattr(predicate, "__name__", type(predicate).__name__)
    return text, lambda: bool(predicate(signals)), None
