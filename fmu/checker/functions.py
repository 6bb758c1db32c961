"""The functions that the standards require a library to export."""

from __future__ import annotations

from collections.abc import Iterable

from packtwin.fmu.fmi2 import CO_SIMULATION_FUNCTIONS

__all__ = ["FMI3_FUNCTIONS", "MODEL_EXCHANGE_FUNCTIONS", "required_functions"]

_N_COMMON = 25

MODEL_EXCHANGE_FUNCTIONS: tuple[str, ...] = (
    "fmi2EnterEventMode",
    "fmi2NewDiscreteStates",
    "fmi2EnterContinuousTimeMode",
    "fmi2CompletedIntegratorStep",
    "fmi2SetTime",
    "fmi2SetContinuousStates",
    "fmi2GetDerivatives",
    "fmi2GetEventIndicators",
    "fmi2GetContinuousStates",
    "fmi2GetNominalsOfContinuousStates",
)
"""The 10 functions that only FMI 2.0 model exchange has."""

_TYPES = (
    "Float32 Float64 Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 Boolean String "
    "Binary Clock"
)
_OTHERS = (
    "GetVersion SetDebugLogging InstantiateModelExchange InstantiateCoSimulation "
    "InstantiateScheduledExecution FreeInstance EnterInitializationMode "
    "ExitInitializationMode EnterEventMode Terminate Reset "
    "GetNumberOfVariableDependencies GetVariableDependencies GetFMUState SetFMUState "
    "FreeFMUState SerializedFMUStateSize SerializeFMUState DeserializeFMUState "
    "GetDirectionalDerivative GetAdjointDerivative EnterConfigurationMode "
    "ExitConfigurationMode GetIntervalDecimal GetIntervalFraction GetShiftDecimal "
    "GetShiftFraction SetIntervalDecimal SetIntervalFraction SetShiftDecimal "
    "SetShiftFraction EvaluateDiscreteStates UpdateDiscreteStates "
    "EnterContinuousTimeMode CompletedIntegratorStep SetTime SetContinuousStates "
    "GetContinuousStateDerivatives GetEventIndicators GetContinuousStates "
    "GetNominalsOfContinuousStates GetNumberOfEventIndicators "
    "GetNumberOfContinuousStates EnterStepMode GetOutputDerivatives DoStep "
    "ActivateModelPartition"
)

FMI3_FUNCTIONS: tuple[str, ...] = tuple(
    f"fmi3{name}"
    for name in (
        *_OTHERS.split(),
        *(f"{way}{t}" for t in _TYPES.split() for way in ("Get", "Set")),
    )
)
"""The 75 functions of FMI 3.0; every FMU exports all of them."""


def required_functions(is_3: bool, kinds: Iterable[str]) -> tuple[str, ...]:
    """Return what a library must export for `CoSimulation`, `ModelExchange`, ..."""
    if is_3:
        return FMI3_FUNCTIONS
    known = set(kinds)
    functions = CO_SIMULATION_FUNCTIONS[:_N_COMMON]
    if "CoSimulation" in known:
        functions = CO_SIMULATION_FUNCTIONS
    if "ModelExchange" in known:
        functions += MODEL_EXCHANGE_FUNCTIONS
    return functions
