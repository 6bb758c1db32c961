"""An instance of an FMI 2.0 model-exchange FMU."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path
from typing import Any, ClassVar, final

from typing_extensions import override

from packtwin.fmu.dialect import FMI2, Dialect
from packtwin.fmu.exchange import AbstractExchange
from packtwin.fmu.fmi2 import EventInfo
from packtwin.fmu.instance import MAX_EVENT_ITERATIONS
from packtwin.fmu.instance_fmi2 import (
    MODEL_EXCHANGE,
    enter_initialization,
    instantiate,
)

__all__ = ["Fmi2Exchange"]


@final
class Fmi2Exchange(AbstractExchange):
    """An FMI 2.0 instance for model exchange."""

    dialect: ClassVar[Dialect] = FMI2
    derivatives_name: ClassVar[str] = "GetDerivatives"

    def __init__(
        self,
        library: Path | ctypes.CDLL,
        *,
        state_count: int,
        indicator_count: int,
        **options: Any,
    ) -> None:
        """Load and instantiate; see `AbstractExchange`.

        Args:
            library: The shared library.
            state_count: Continuous states, by the model description.
            indicator_count: Event indicators, by the model description.
            options: As of `AbstractExchange`.
        """
        self._described = (state_count, indicator_count)
        super().__init__(library, **options)

    @override
    def _instantiate(self, name: str, token: str, resources: Path) -> int | None:
        return instantiate(self, self._library, MODEL_EXCHANGE, name, token, resources)

    @override
    def begin(self, time_s: float) -> None:
        enter_initialization(self, time_s)

    @override
    def _counts(self) -> tuple[int, int]:
        return self._described

    @override
    def _update_discrete_states(self) -> tuple[bool, float]:
        info = EventInfo()
        for _ in range(MAX_EVENT_ITERATIONS):
            self.call("fmi2NewDiscreteStates", ctypes.byref(info))
            if not info.new_discrete_states_needed:
                is_next = bool(info.next_event_time_defined)
                next_s = float(info.next_event_time) if is_next else math.inf
                return bool(info.terminate_simulation), next_s
        raise self.unsettled()

    @override
    def _completed_step(self) -> tuple[bool, bool]:
        is_due, is_end = ctypes.c_int(0), ctypes.c_int(0)
        self.call(
            "fmi2CompletedIntegratorStep",
            0,
            ctypes.byref(is_due),
            ctypes.byref(is_end),
        )
        return bool(is_due.value), bool(is_end.value)
