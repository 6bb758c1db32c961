"""The binary interface of FMI 2.0 as ctypes sees it."""

from __future__ import annotations

import ctypes

__all__ = [
    "CO_SIMULATION_FUNCTIONS",
    "CallbackFunctions",
    "CallbackLogger",
    "EventInfo",
]

CO_SIMULATION_FUNCTIONS: tuple[str, ...] = (
    "fmi2GetTypesPlatform",
    "fmi2GetVersion",
    "fmi2SetDebugLogging",
    "fmi2Instantiate",
    "fmi2FreeInstance",
    "fmi2SetupExperiment",
    "fmi2EnterInitializationMode",
    "fmi2ExitInitializationMode",
    "fmi2Terminate",
    "fmi2Reset",
    "fmi2GetReal",
    "fmi2GetInteger",
    "fmi2GetBoolean",
    "fmi2GetString",
    "fmi2SetReal",
    "fmi2SetInteger",
    "fmi2SetBoolean",
    "fmi2SetString",
    "fmi2GetFMUstate",
    "fmi2SetFMUstate",
    "fmi2FreeFMUstate",
    "fmi2SerializedFMUstateSize",
    "fmi2SerializeFMUstate",
    "fmi2DeSerializeFMUstate",
    "fmi2GetDirectionalDerivative",
    "fmi2SetRealInputDerivatives",
    "fmi2GetRealOutputDerivatives",
    "fmi2DoStep",
    "fmi2CancelStep",
    "fmi2GetStatus",
    "fmi2GetRealStatus",
    "fmi2GetIntegerStatus",
    "fmi2GetBooleanStatus",
    "fmi2GetStringStatus",
)
"""The 34 functions a co-simulation FMU exports."""

CallbackLogger = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
)


class CallbackFunctions(ctypes.Structure):
    """What an FMU may call: logger, calloc, free, step finished, environment."""

    _fields_ = (
        ("logger", CallbackLogger),
        ("allocate_memory", ctypes.c_void_p),
        ("free_memory", ctypes.c_void_p),
        ("step_finished", ctypes.c_void_p),
        ("environment", ctypes.c_void_p),
    )


class EventInfo(ctypes.Structure):
    """What an update of the discrete states answers."""

    _fields_ = (
        ("new_discrete_states_needed", ctypes.c_int),
        ("terminate_simulation", ctypes.c_int),
        ("nominals_changed", ctypes.c_int),
        ("values_changed", ctypes.c_int),
        ("next_event_time_defined", ctypes.c_int),
        ("next_event_time", ctypes.c_double),
    )
