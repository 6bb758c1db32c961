"""The layers of C around a good FMU that the run-time mutants are made of, per version.

A layer exports the standard's functions and passes every call on. Functions have the
names of FMI 3.0 without prefix here, and `Real` for doubles, in both versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from packtwin.fmu.dialect import FMI2, FMI3, Dialect

__all__ = ["LAYERS", "Layer"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What C calls things in one version.

    Attributes:
        dialect: Names of the version.
        instance: Type of an instance.
        host: What is kept of the importer, members of a structure.
        keep: How it is kept.
        log: A call that logs `category` and `text`.
        makers: Arguments of the functions that make instances.
        functions: Arguments of all others that have an instance, first.
        texts: Functions without arguments.
        spellings: What is called otherwise than in FMI 3.0.
        access: Arguments after the values in getters and setters.
        has_all: Whether every library has the functions of all interfaces.
    """

    dialect: Dialect
    instance: str
    host: str
    keep: str
    log: str
    makers: Mapping[str, str]
    functions: Mapping[str, str]
    texts: tuple[str, ...]
    spellings: Mapping[str, str]
    access: str
    has_all: bool

    def maker(self, kind: str) -> str:
        """Return the function that makes instances of `cs` or `me`."""
        first, *others = self.makers
        return others[0] if others and kind == "me" else first

    def functions_of(self, kind: str) -> dict[str, str]:
        """Return the functions of libraries for `cs` or `me`, with their arguments."""
        left_out = () if self.has_all else _LEFT_OUT[kind]
        return {
            name: arguments
            for name, arguments in self.functions.items()
            if name not in left_out
        }

    def name(self, function: str) -> str:
        """Return the full name of a function."""
        return self.dialect.prefix + self.spellings.get(function, function)

    def type_name(self, name: str) -> str:
        """Return the full name of a type."""
        return self.dialect.prefix + {"State": self.dialect.state_name}.get(name, name)


_READ = "const Reference r[], size_t n"
_STATES: Mapping[str, str] = {
    "GetFMUState": "SavedState *s",
    "SetFMUState": "SavedState s",
    "FreeFMUState": "SavedState *s",
    "SerializedFMUStateSize": "SavedState s, size_t *n",
    "SerializeFMUState": "SavedState s, Byte b[], size_t n",
    "DeserializeFMUState": "const Byte b[], size_t n, SavedState *s",
}
_VECTORS = (
    "GetContinuousStateDerivatives GetEventIndicators GetContinuousStates "
    "GetNominalsOfContinuousStates"
)
_EXCHANGE: Mapping[str, str] = {
    "EnterEventMode": "",
    "EnterContinuousTimeMode": "",
    "SetTime": "double t",
    "SetContinuousStates": "const double x[], size_t n",
    **dict.fromkeys(_VECTORS.split(), "double x[], size_t n"),
}
_STATUSES = tuple(
    f"Get{kind}Status" for kind in ("", "Real", "Integer", "Boolean", "String")
)
_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "cs": (*_EXCHANGE, "UpdateDiscreteStates", "CompletedIntegratorStep"),
    "me": (
        "SetRealInputDerivatives",
        "GetRealOutputDerivatives",
        "DoStep",
        "CancelStep",
        *_STATUSES,
    ),
}
_COMMON: Mapping[str, str] = {
    "ExitInitializationMode": "",
    "Terminate": "",
    "Reset": "",
    **_STATES,
    **_EXCHANGE,
}


def _accessors(kinds: str, prefix: str, rest: str) -> dict[str, str]:
    found = {}
    for kind in kinds.split():
        c_type = f"{prefix}{kind}"
        name = "Real" if kind == "Float64" else kind
        found[f"Get{name}"] = f"{_READ}, {c_type} v[]{rest}"
        found[f"Set{name}"] = f"{_READ}, const {c_type} v[]{rest}"
    return found


_LAYER_2 = Layer(
    dialect=FMI2,
    instance="fmi2Component",
    host="fmi2CallbackFunctions callbacks;",
    keep="layer->callbacks = *callbacks;",
    log="layer->callbacks.logger(layer->callbacks.componentEnvironment, "
    '"x", OK, category, text);',
    makers={
        "InstantiateCoSimulation": "fmi2String name, fmi2Type type, fmi2String token, "
        "fmi2String resources, const fmi2CallbackFunctions *callbacks, "
        "fmi2Boolean visible, fmi2Boolean logging"
    },
    functions={
        **_COMMON,
        "SetDebugLogging": "fmi2Boolean a, size_t b, const fmi2String d[]",
        "SetupExperiment": "fmi2Boolean a, double b, double d, fmi2Boolean e, double f",
        "EnterInitializationMode": "",
        **_accessors("Real Integer Boolean String", "fmi2", ""),
        "GetDirectionalDerivative": "const Reference u[], size_t m, "
        "const Reference r[], size_t n, const double d[], double v[]",
        "SetRealInputDerivatives": f"{_READ}, const fmi2Integer o[], const double v[]",
        "GetRealOutputDerivatives": f"{_READ}, const fmi2Integer o[], double v[]",
        "DoStep": "double t, double h, fmi2Boolean f",
        "CancelStep": "",
        **{
            name: f"fmi2StatusKind k, fmi2{name[3:-6] or 'Status'} *v"
            for name in _STATUSES
        },
        "UpdateDiscreteStates": "fmi2EventInfo *e",
        "CompletedIntegratorStep": "fmi2Boolean a, fmi2Boolean *b, fmi2Boolean *d",
    },
    texts=("GetVersion", "GetTypesPlatform"),
    spellings={
        "InstantiateCoSimulation": "Instantiate",
        "GetFMUState": "GetFMUstate",
        "SetFMUState": "SetFMUstate",
        "FreeFMUState": "FreeFMUstate",
        "SerializedFMUStateSize": "SerializedFMUstateSize",
        "SerializeFMUState": "SerializeFMUstate",
        "DeserializeFMUState": "DeSerializeFMUstate",
        "GetContinuousStateDerivatives": "GetDerivatives",
        "UpdateDiscreteStates": "NewDiscreteStates",
    },
    access="",
    has_all=False,
)
_MAKER = "fmi3String name, fmi3String token, fmi3String resources, bool visible, "
_HOST = "fmi3InstanceEnvironment environment, fmi3LogMessageCallback log"
_SLOPES = (
    "const Reference u[], size_t m, const Reference r[], size_t n, const double d[], "
    "size_t n_d, double v[], size_t n_v"
)
_LAYER_3 = Layer(
    dialect=FMI3,
    instance="fmi3Instance",
    host="fmi3InstanceEnvironment environment; fmi3LogMessageCallback log;",
    keep="layer->environment = environment; layer->log = log;",
    log="layer->log(layer->environment, OK, category, text);",
    makers={
        "InstantiateCoSimulation": f"{_MAKER} bool logging, bool events, bool early, "
        f"const Reference needed[], size_t n_needed, {_HOST}, "
        "fmi3IntermediateUpdateCallback update",
        "InstantiateModelExchange": f"{_MAKER} bool logging, {_HOST}",
        "InstantiateScheduledExecution": f"{_MAKER} bool logging, {_HOST}, "
        "fmi3ClockUpdateCallback clock, fmi3LockPreemptionCallback lock, "
        "fmi3UnlockPreemptionCallback unlock",
    },
    functions={
        **_COMMON,
        "SetDebugLogging": "bool a, size_t b, const fmi3String d[]",
        "EnterInitializationMode": "bool a, double b, double d, bool e, double f",
        "EnterConfigurationMode": "",
        "ExitConfigurationMode": "",
        "EnterStepMode": "",
        "EvaluateDiscreteStates": "",
        **_accessors(
            "Float64 Float32 Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 "
            "Boolean String",
            "fmi3",
            ", size_t m",
        ),
        "GetBinary": f"{_READ}, size_t z[], fmi3Binary v[], size_t m",
        "SetBinary": f"{_READ}, const size_t z[], const fmi3Binary v[], size_t m",
        "GetClock": f"{_READ}, fmi3Clock v[]",
        "SetClock": f"{_READ}, const fmi3Clock v[]",
        "GetNumberOfVariableDependencies": "Reference r, size_t *n",
        "GetVariableDependencies": "Reference r, size_t e[], Reference i[], "
        "size_t d[], fmi3DependencyKind k[], size_t n",
        "GetIntervalDecimal": f"{_READ}, double v[], fmi3IntervalQualifier q[]",
        "GetIntervalFraction": f"{_READ}, fmi3UInt64 v[], fmi3UInt64 w[], "
        "fmi3IntervalQualifier q[]",
        "GetShiftDecimal": f"{_READ}, double v[]",
        "GetShiftFraction": f"{_READ}, fmi3UInt64 v[], fmi3UInt64 w[]",
        "SetIntervalDecimal": f"{_READ}, const double v[]",
        "SetIntervalFraction": f"{_READ}, const fmi3UInt64 v[], const fmi3UInt64 w[]",
        "SetShiftDecimal": f"{_READ}, const double v[]",
        "SetShiftFraction": f"{_READ}, const fmi3UInt64 v[], const fmi3UInt64 w[]",
        "GetDirectionalDerivative": _SLOPES,
        "GetAdjointDerivative": _SLOPES,
        "GetOutputDerivatives": f"{_READ}, const fmi3Int32 o[], double v[], size_t m",
        "DoStep": "double t, double h, bool f, bool *event, bool *end, bool *early, "
        "double *last",
        "UpdateDiscreteStates": "bool *a, bool *b, bool *d, bool *e, bool *f, "
        "double *g",
        "CompletedIntegratorStep": "bool a, bool *b, bool *d",
        "GetNumberOfEventIndicators": "size_t *n",
        "GetNumberOfContinuousStates": "size_t *n",
        "ActivateModelPartition": "Reference r, double t",
    },
    texts=("GetVersion",),
    spellings={
        "GetReal": "GetFloat64",
        "SetReal": "SetFloat64",
    },
    access=", m",
    has_all=True,
)

LAYERS: Mapping[str, Layer] = {"2.0": _LAYER_2, "3.0": _LAYER_3}
"""By FMI version."""
