"""`Signals`: the inputs and outputs of one FMU instance, moved in whole vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.channel import Channel, make_channels
from packtwin.fmu.mapped_interface import MappedInterface
from packtwin.fmu.stepping import AbstractStepping, SmoothInputs
from packtwin.twin.errors import FmuError

__all__ = ["Signals"]

Vector: TypeAlias = NDArray[np.float64]


@final
class Signals:
    """Writes inputs when FMI allows it and reads outputs.

    Attributes:
        discrete: Values of the inputs that change at events only, as last set.
        hold: Makes the inputs constants for the next step; discrete ones at an event.
        read: Returns the outputs, in a new vector.
    """

    def __init__(
        self, mapped: MappedInterface, instance: AbstractStepping, smooth: SmoothInputs
    ) -> None:
        """Prepare the calls.

        Args:
            mapped: The variables.
            instance: Whose.
            smooth: Inputs that may change inside a step.
        """
        inputs = mapped.inputs
        self._instance, self._smooth = instance, smooth
        self._discrete = [
            i
            for i, m in enumerate(inputs)
            if instance.has_event_mode and m.variable.variability != "continuous"
        ]
        others = [i for i in range(len(inputs)) if i not in self._discrete]
        self._writers = make_channels(inputs, instance, "Set", others)
        self._event_writers = make_channels(inputs, instance, "Set", self._discrete)
        self.discrete = np.full(len(self._discrete), np.nan)
        self._readers = make_channels(mapped.outputs, instance, "Get")
        self._output_count = len(mapped.outputs)
        writer = None if self._discrete else _sole_plain(self._writers)
        reader = _sole_plain(self._readers)
        # The shortest way: a call more is a fiftieth of a step.
        self.hold: Callable[[Vector], None] = (
            self._hold if writer is None else writer.write_plain
        )
        self.read: Callable[[], Vector] = (
            self._read if reader is None else reader.read_plain
        )

    @property
    def channels(self) -> tuple[tuple[Channel, ...], tuple[Channel, ...]] | None:
        """What sets and gets in a step with held inputs; None if events are needed."""
        return None if self._discrete else (self._writers, self._readers)

    def start(self, u: Vector) -> None:
        """Set all inputs, as initialization and events allow."""
        _write_all(self._writers, u)
        _write_all(self._event_writers, u)
        self.discrete = u[self._discrete]

    def _hold(self, u: Vector) -> None:
        _write_all(self._writers, u)
        if not np.array_equal(u[self._discrete], self.discrete):
            self._instance.at_event(partial(self.start, u))

    def follow(self, rows: Vector, time_s: float) -> None:
        """Make the inputs polynomials for the next step.

        Args:
            rows: Time derivatives 0, 1, ... at the start, shape `(m, n_u)`.
            time_s: The start.

        Raises:
            FmuError: More derivatives than the FMU takes.
        """
        self.hold(rows[0])
        order = len(rows) - 1
        if order > self._smooth.order:
            msg = (
                f"{self._instance.label} takes time derivatives of its inputs up to "
                f"order {self._smooth.order}, got {order}; give fewer rows."
            )
            raise FmuError(msg)
        if order:
            write = partial(_write_all, self._writers)
            self._instance.set_input_rows(self._smooth, rows, time_s, write)

    def _read(self) -> Vector:
        values = np.empty(self._output_count)
        for channel in self._readers:
            channel.read(values)
        return values


def _write_all(channels: tuple[Channel, ...], u: Vector) -> None:
    for channel in channels:
        channel.write(u)


def _sole_plain(channels: tuple[Channel, ...]) -> Channel | None:
    """Return the channel if it alone moves all values, in order and unconverted."""
    return channels[0] if len(channels) == 1 and channels[0].is_plain else None
