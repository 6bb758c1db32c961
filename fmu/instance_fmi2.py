"""An instance of an FMI 2.0 co-simulation FMU."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from packtwin.fmu.dialect import FMI2, Dialect
from packtwin.fmu.instance import AbstractInstance
from packtwin.fmu.stepping import AbstractStepping, SmoothInputs, Vector

__all__ = [
    "MODEL_EXCHANGE",
    "Fmi2Stepping",
    "enter_initialization",
    "instantiate",
]

_NEEDED = (
    "fmi2Instantiate",
    "fmi2FreeInstance",
    "fmi2SetupExperiment",
    "fmi2EnterInitializationMode",
    "fmi2ExitInitializationMode",
    "fmi2DoStep",
)
MODEL_EXCHANGE, CO_SIMULATION = 0, 1
_LAST_SUCCESSFUL_TIME, _TERMINATED = 2, 3
_DISCARD = 2


def instantiate(
    instance: AbstractInstance,
    library: ctypes.CDLL,
    kind: int,
    name: str,
    token: str,
    resources: Path,
) -> int | None:
    """Instantiate for one kind of use and return the address, or nothing."""
    function = library.fmi2Instantiate
    function.restype = ctypes.c_void_p
    address: int | None = function(
        name.encode(),
        kind,
        token.encode(),
        resources.absolute().as_uri().encode(),
        ctypes.byref(instance.log.callbacks),
        0,
        0,
    )
    return address


def enter_initialization(instance: AbstractInstance, time_s: float) -> None:
    """Enter initialization mode at `time_s`, without a stop time."""
    zero, start = ctypes.c_double(0.0), ctypes.c_double(time_s)
    instance.call("fmi2SetupExperiment", 0, zero, start, 0, zero)
    instance.call("fmi2EnterInitializationMode")


@final
class Fmi2Stepping(AbstractStepping):
    """An FMI 2.0 instance for co-simulation."""

    dialect: ClassVar[Dialect] = FMI2

    @override
    def _needed(self) -> tuple[str, ...]:
        return _NEEDED

    @override
    def _instantiate(self, name: str, token: str, resources: Path) -> int | None:
        self._t, self._h = ctypes.c_double(), ctypes.c_double()
        self._do_step = self._library.fmi2DoStep
        return instantiate(self, self._library, CO_SIMULATION, name, token, resources)

    @override
    def begin(self, time_s: float) -> None:
        enter_initialization(self, time_s)
        self._sent: tuple[ctypes.Array[ctypes.c_uint], NDArray[np.int32]] | None = None

    @override
    def finish(self) -> None:
        self.call("fmi2ExitInitializationMode")

    @override
    def do_step(self, time_s: float, length_s: float) -> int:
        self._t.value, self._h.value = time_s, length_s
        status: int = self._do_step(self.handle, self._t, self._h, self.never_rewinds)
        if status == _DISCARD:
            self._ask_reached(time_s)
        return status

    @override
    def take_flags(self, _status: int, *, reached_s: float, **_flags: bool) -> None:
        if _status == _DISCARD:
            self._ask_reached(reached_s)

    def _ask_reached(self, time_s: float) -> None:
        reached, is_ended = ctypes.c_double(time_s), ctypes.c_int(0)
        for name, question, answer in (
            ("fmi2GetRealStatus", _LAST_SUCCESSFUL_TIME, reached),
            ("fmi2GetBooleanStatus", _TERMINATED, is_ended),
        ):
            ask = self.function(name)
            if ask is not None:
                ask(self.handle, question, ctypes.byref(answer))
        self.reached_s, self.wants_end = reached.value, bool(is_ended.value)

    @override
    def set_input_rows(
        self,
        smooth: SmoothInputs,
        rows: Vector,
        start_s: float,
        write: Callable[[Vector], None],
    ) -> None:
        slopes = np.ascontiguousarray(rows[1:, smooth.positions] / smooth.factors)
        order, count = slopes.shape
        references = (ctypes.c_uint * slopes.size)(*(smooth.references * order))
        orders = np.repeat(np.arange(1, order + 1, dtype=np.int32), count)
        self._sent = (references, orders)
        self._send_slopes(slopes)

    @override
    def hold_inputs(self) -> None:
        if self._sent is not None:
            self._send_slopes(np.zeros(len(self._sent[0])))
            self._sent = None

    def _send_slopes(self, values: Vector) -> None:
        if self._sent is None:
            return
        references, orders = self._sent
        self.call(
            "fmi2SetRealInputDerivatives",
            references,
            ctypes.c_size_t(len(references)),
            ctypes.c_void_p(orders.ctypes.data),
            ctypes.c_void_p(values.ctypes.data),
        )
