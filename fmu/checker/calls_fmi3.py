"""Raw calls of an FMI 3.0 library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

from typing_extensions import override

from packtwin.fmu.checker.calls import AbstractCalls, Call, Instance
from packtwin.fmu.dialect import FMI3, Dialect
from packtwin.fmu.fmi3 import LogMessageCallback

__all__ = ["Fmi3Calls"]

_SENSITIVITY = "HPNPNPNPN"


@final
class Fmi3Calls(AbstractCalls):
    """A loaded library of FMI 3.0."""

    dialect: ClassVar[Dialect] = FMI3
    versions: ClassVar[Mapping[str, str]] = {"GetVersion": "3.0"}
    tells_time: ClassVar[str] = "DoStep"
    signatures: ClassVar[Mapping[str, str]] = {
        "EnterInitializationMode": "HBDDBD",
        "DoStep": "HDDBPPPP",
        "GetDirectionalDerivative": _SENSITIVITY,
        "GetAdjointDerivative": _SENSITIVITY,
        "UpdateDiscreteStates": "HPPPPPP",
        "CompletedIntegratorStep": "HBPP",
        "GetNumberOfContinuousStates": "HP",
        "GetNumberOfEventIndicators": "HP",
    }

    @override
    def __init__(self, library: Path, black_box: Path) -> None:
        super().__init__(library, black_box)
        journal = self.journal

        def write(_environment: Any, status: int, category: Any, text: Any) -> None:
            journal.write(status, category, text)

        self._log_message = LogMessageCallback(write)

    @override
    def instantiate(
        self, name: str, token: str, resources: Path, *, is_exchange: bool
    ) -> int:
        if not is_exchange:
            return self.instantiate_steps(name, token, resources)
        log = ctypes.cast(self._log_message, ctypes.c_void_p)
        names = (name.encode(), token.encode(), _folder(resources))
        options = (*names, False, False, None, log)
        return self.make("InstantiateModelExchange", "SSSBBPP", *options)

    def instantiate_steps(
        self,
        name: str,
        token: str,
        resources: Path,
        *,
        has_events: bool = False,
        may_return: bool = False,
        required: Sequence[int] = (),
        update: Callable[..., None] | None = None,
    ) -> int:
        """Return the address of a new instance for co-simulation, or 0.

        Args:
            name: Of the instance.
            token: Instantiation token.
            resources: Folder of the resources.
            has_events: Whether event mode is used.
            may_return: Whether steps may return early.
            required: Value references that are set or got inside steps.
            update: An `IntermediateUpdateCallback`, which the caller keeps alive.
        """
        return self.make(
            "InstantiateCoSimulation",
            "SSSBBBBPNPPP",
            name.encode(),
            token.encode(),
            _folder(resources),
            False,
            False,
            has_events,
            may_return,
            (ctypes.c_uint * len(required))(*required),
            len(required),
            None,
            ctypes.cast(self._log_message, ctypes.c_void_p),
            update and ctypes.cast(update, ctypes.c_void_p),  # type: ignore[arg-type]
        )

    @override
    def entry(self, tolerance: float, start_s: float) -> tuple[Call, ...]:
        options = (tolerance > 0.0, tolerance, start_s, False, 0.0)
        return (("EnterInitializationMode", options),)

    @override
    def step_arguments(self, made: Instance, time_s: float, size_s: float) -> Any:
        answers = (made.has_event, made.is_ended, made.is_early, made.reached_s)
        return time_s, size_s, False, *(ctypes.byref(a) for a in answers)

    @override
    def reached(self, made: Instance) -> float | None:
        return made.reached_s.value

    @override
    def update(self, made: Instance) -> tuple[bool, bool]:
        flags = [ctypes.c_bool(False) for _ in range(5)]
        next_s = ctypes.c_double()
        answers = (*(ctypes.byref(flag) for flag in flags), ctypes.byref(next_s))
        made.require("UpdateDiscreteStates", *answers)
        return flags[0].value, flags[1].value

    @override
    def complete(self, made: Instance) -> bool:
        flags = (ctypes.c_bool(False), ctypes.c_bool(False))
        made.require(
            "CompletedIntegratorStep", False, *(ctypes.byref(f) for f in flags)
        )
        return any(flag.value for flag in flags)


def _folder(resources: Path) -> bytes:
    return f"{resources}/".encode()
