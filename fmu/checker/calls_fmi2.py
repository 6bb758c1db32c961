"""Raw calls of an FMI 2.0 library."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, final

from typing_extensions import override

from packtwin.fmu.checker.calls import AbstractCalls, Call, Instance
from packtwin.fmu.dialect import FMI2, Dialect
from packtwin.fmu.fmi2 import CallbackFunctions, CallbackLogger, EventInfo

__all__ = ["Fmi2Calls"]

_LAST_SUCCESSFUL_TIME = 2


@final
class Fmi2Calls(AbstractCalls):
    """A loaded library of FMI 2.0."""

    dialect: ClassVar[Dialect] = FMI2
    versions: ClassVar[Mapping[str, str]] = {
        "GetVersion": "2.0",
        "GetTypesPlatform": "default",
    }
    tells_time: ClassVar[str] = "GetRealStatus"
    signatures: ClassVar[Mapping[str, str]] = {
        "SetupExperiment": "HIDDID",
        "DoStep": "HDDI",
        "GetRealStatus": "HIP",
        "GetDirectionalDerivative": "HPNPNPP",
        "UpdateDiscreteStates": "HP",
        "CompletedIntegratorStep": "HIPP",
    }
    spellings: ClassVar[Mapping[str, str]] = {
        "InstantiateCoSimulation": "Instantiate",
        "InstantiateModelExchange": "Instantiate",
        "GetFMUState": FMI2.get_state.removeprefix(FMI2.prefix),
        "SetFMUState": FMI2.set_state.removeprefix(FMI2.prefix),
        "FreeFMUState": FMI2.free_state.removeprefix(FMI2.prefix),
        "SerializedFMUStateSize": "SerializedFMUstateSize",
        "SerializeFMUState": "SerializeFMUstate",
        "DeserializeFMUState": "DeSerializeFMUstate",
        "GetContinuousStateDerivatives": "GetDerivatives",
        "UpdateDiscreteStates": "NewDiscreteStates",
    }

    @override
    def __init__(self, library: Path, black_box: Path) -> None:
        super().__init__(library, black_box)
        libc, journal = ctypes.CDLL(None), self.journal

        def write(_e: Any, _name: Any, status: int, category: Any, text: Any) -> None:
            journal.write(status, category, text)

        self._callbacks = CallbackFunctions(
            logger=CallbackLogger(write),
            allocate_memory=ctypes.cast(libc.calloc, ctypes.c_void_p),
            free_memory=ctypes.cast(libc.free, ctypes.c_void_p),
        )

    @override
    def instantiate(
        self, name: str, token: str, resources: Path, *, is_exchange: bool
    ) -> int:
        return self.make(
            "InstantiateCoSimulation",
            "SISSPII",
            name.encode(),
            0 if is_exchange else 1,
            token.encode(),
            resources.as_uri().encode(),
            ctypes.addressof(self._callbacks),
            0,
            0,
        )

    @override
    def entry(self, tolerance: float, start_s: float) -> tuple[Call, ...]:
        setup = (int(tolerance > 0.0), tolerance, start_s, 0, 0.0)
        return (("SetupExperiment", setup), ("EnterInitializationMode", ()))

    @override
    def step_arguments(self, made: Instance, time_s: float, size_s: float) -> Any:
        return time_s, size_s, 1

    @override
    def reached(self, made: Instance) -> float | None:
        value = ctypes.c_double(math.nan)
        question = (_LAST_SUCCESSFUL_TIME, ctypes.byref(value))
        return value.value if made.call("GetRealStatus", *question) == 0 else None

    @override
    def update(self, made: Instance) -> tuple[bool, bool]:
        events = EventInfo(1)
        made.require("UpdateDiscreteStates", ctypes.byref(events))
        goes_on = bool(events.new_discrete_states_needed)
        return goes_on, bool(events.terminate_simulation)

    @override
    def complete(self, made: Instance) -> bool:
        flags = (ctypes.c_int(0), ctypes.c_int(0))
        made.require("CompletedIntegratorStep", 1, *(ctypes.byref(f) for f in flags))
        return any(flag.value for flag in flags)
