"""An instance of an FMI 3.0 model-exchange FMU."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import ClassVar, final

from typing_extensions import override

from packtwin.fmu.dialect import FMI3, Dialect
from packtwin.fmu.exchange import AbstractExchange
from packtwin.fmu.instance_fmi3 import enter_initialization, update_discrete_states

__all__ = ["Fmi3Exchange"]


@final
class Fmi3Exchange(AbstractExchange):
    """An FMI 3.0 instance for model exchange."""

    dialect: ClassVar[Dialect] = FMI3
    derivatives_name: ClassVar[str] = "GetContinuousStateDerivatives"

    @override
    def _instantiate(self, name: str, token: str, resources: Path) -> int | None:
        function = self._library.fmi3InstantiateModelExchange
        function.restype = ctypes.c_void_p
        address: int | None = function(
            name.encode(),
            token.encode(),
            f"{resources.absolute()}/".encode(),
            ctypes.c_bool(False),
            ctypes.c_bool(False),
            None,
            self.log.log_message,
        )
        return address

    @override
    def begin(self, time_s: float) -> None:
        enter_initialization(self, time_s)

    @override
    def _counts(self) -> tuple[int, int]:
        counts = []
        for name in ("ContinuousStates", "EventIndicators"):
            count = ctypes.c_size_t()
            self.call(f"fmi3GetNumberOf{name}", ctypes.byref(count))
            counts.append(count.value)
        return counts[0], counts[1]

    @override
    def _update_discrete_states(self) -> tuple[bool, float]:
        return update_discrete_states(self)

    @override
    def _completed_step(self) -> tuple[bool, bool]:
        is_due, is_end = ctypes.c_bool(), ctypes.c_bool()
        self.call(
            "fmi3CompletedIntegratorStep",
            ctypes.c_bool(False),
            ctypes.byref(is_due),
            ctypes.byref(is_end),
        )
        return is_due.value, is_end.value
