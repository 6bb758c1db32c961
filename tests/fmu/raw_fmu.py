"""An FMU of either version called through ctypes, as an importer in C would."""

from __future__ import annotations

import ctypes
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np

from packtwin.fmu.export import compile_source
from packtwin.fmu.fmi2 import CallbackFunctions, CallbackLogger, EventInfo
from packtwin.fmu.fmi3 import IntermediateUpdateCallback, LogMessageCallback
from packtwin.fmu.source import FmuSource, render_source
from packtwin.twin.compiler import Compiler, find_compiler


def vector(values):
    return np.ascontiguousarray(values, dtype=np.float64)


def at(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def compiled_library(source: FmuSource, folder: Path) -> Path:
    """Compile quickly: no optimisation changes results under `-ffp-contract=off`."""
    compiler = Compiler(command=find_compiler().command, extra_flags=("-O0",))
    path = folder / f"{source.identifier}{source.fmi_version[0]}.so"
    path.write_bytes(compile_source(source, compiler))
    return path


class RawFmu:
    """One instance; every call returns or checks its status and keeps the log."""

    def __init__(
        self,
        library: Path,
        source: FmuSource,
        kind="cs",
        update=None,
        has_events=False,
        is_early=False,
    ):
        self.library = ctypes.CDLL(str(library))
        self.major = int(source.fmi_version[0])
        self.source = source
        self.log: list[str] = []
        root = ET.fromstring(source.model_description)
        self.reference, self.size = {}, {}
        for v in root.find("ModelVariables"):
            self.reference[v.get("name")] = int(v.get("valueReference"))
            dimension = v.find("Dimension")
            n = 1 if dimension is None else int(dimension.get("start"))
            self.size[v.get("name")] = n
        self.update = IntermediateUpdateCallback(update or 0)
        self.modes = has_events, is_early
        make = getattr(self, f"_make{self.major}")
        self.instance = make(kind)
        assert self.instance, self.log

    def _make2(self, kind):
        self.logger = CallbackLogger(lambda e, n, s, c, m: self.log.append(m.decode()))
        self.callbacks = CallbackFunctions(logger=self.logger)
        instantiate = self.library.fmi2Instantiate
        instantiate.restype = ctypes.c_void_p
        return instantiate(
            b"one",
            0 if kind == "me" else 1,
            self.source.token.encode(),
            b"",
            ctypes.byref(self.callbacks),
            0,
            0,
        )

    def _make3(self, kind):
        self.logger = LogMessageCallback(lambda e, s, c, m: self.log.append(m.decode()))
        token = self.source.token.encode()
        if kind == "me":
            instantiate = self.library.fmi3InstantiateModelExchange
            instantiate.restype = ctypes.c_void_p
            return instantiate(b"one", token, None, False, False, None, self.logger)
        root = ET.fromstring(self.source.model_description)
        inputs = [
            int(v.get("valueReference"))
            for v in root.find("ModelVariables")
            if v.get("causality") == "input"
        ]
        required = (ctypes.c_uint32 * max(1, len(inputs)))(*inputs)
        instantiate = self.library.fmi3InstantiateCoSimulation
        instantiate.restype = ctypes.c_void_p
        return instantiate(
            b"one",
            token,
            None,
            False,
            False,
            *self.modes,
            required,
            ctypes.c_size_t(len(inputs) if self.update else 0),
            None,
            self.logger,
            self.update,
        )

    def call(self, name, *arguments):
        function = getattr(self.library, f"fmi{self.major}{name}")
        return function(ctypes.c_void_p(self.instance), *arguments)

    def start(self, values=None, time=0.0, stops=False):
        """Go through initialization with the values given."""
        start = ctypes.c_double(time)
        if self.major == 2:
            zero = ctypes.c_double(0.0)
            assert self.call("SetupExperiment", 0, zero, start, int(stops), zero) == 0
            assert self.call("EnterInitializationMode") == 0
        else:
            zero = ctypes.c_double(0.0)
            entered = self.call(
                "EnterInitializationMode", False, zero, start, stops, zero
            )
            assert entered == 0
        for name, value in (values or {}).items():
            assert self.set(name, value) == 0, self.log
        return self

    def exit(self):
        assert self.call("ExitInitializationMode") == 0, self.log
        return self

    def _list(self, names):
        names = [names] if isinstance(names, str) else list(names)
        n = sum(self.size[k] for k in names)
        list_ = (ctypes.c_uint32 * max(1, len(names)))(
            *[self.reference[k] for k in names]
        )
        return list_, ctypes.c_size_t(len(names)), n

    def set(self, names, values):
        values = np.atleast_1d(vector(values))
        references, n, _ = self._list(names)
        if self.major == 2:
            return self.call("SetReal", references, n, at(values))
        count = ctypes.c_size_t(values.size)
        return self.call("SetFloat64", references, n, at(values), count)

    def get(self, names):
        references, n, count = self._list(names)
        values = np.full(max(1, count), np.nan)
        if self.major == 2:
            status = self.call("GetReal", references, n, at(values))
        else:
            size = ctypes.c_size_t(count)
            status = self.call("GetFloat64", references, n, at(values), size)
        assert status == 0, self.log
        return values

    def step(self, t, h):
        if self.major == 2:
            return self.call("DoStep", ctypes.c_double(t), ctypes.c_double(h), 1)
        status, flags, self.last_s = self.step_until(t, h)
        assert not any(flags)
        return status

    def step_until(self, t, h):
        """Return status, (needs events, ends, is early) and the time reached: FMI 3."""
        flags = [ctypes.c_bool(True) for _ in range(3)]
        last = ctypes.c_double(np.nan)
        status = self.call(
            "DoStep",
            ctypes.c_double(t),
            ctypes.c_double(h),
            True,
            *map(ctypes.byref, flags),
            ctypes.byref(last),
        )
        return status, tuple(flag.value for flag in flags), last.value

    def settle(self):
        """Update discrete states; return the time of the next event or infinity."""
        if self.major == 2:
            info = EventInfo()
            assert self.call("NewDiscreteStates", ctypes.byref(info)) == 0, self.log
            assert not info.new_discrete_states_needed
            return info.next_event_time if info.next_event_time_defined else np.inf
        flags, next_s = [ctypes.c_bool(True) for _ in range(5)], ctypes.c_double()
        pointers = (*map(ctypes.byref, flags), ctypes.byref(next_s))
        assert self.call("UpdateDiscreteStates", *pointers) == 0, self.log
        assert not any(flag.value for flag in flags[:4])
        return next_s.value if flags[4].value else np.inf

    def set_slopes(self, names, order, values):
        """FMI 2's input derivatives."""
        references, n, count = self._list(names)
        orders = (ctypes.c_int * count)(*[order] * count)
        values = np.atleast_1d(vector(values))
        return self.call("SetRealInputDerivatives", references, n, orders, at(values))

    def output_slopes(self, names):
        references, n, count = self._list(names)
        values = np.full(count, np.nan)
        orders = (ctypes.c_int32 * count)(*[1] * count)
        if self.major == 2:
            status = self.call(
                "GetRealOutputDerivatives", references, n, orders, at(values)
            )
        else:
            size = ctypes.c_size_t(count)
            status = self.call(
                "GetOutputDerivatives", references, n, orders, at(values), size
            )
        return status, values

    def directional(self, unknowns, knowns, seed, adjoint=False):
        to, n_to, count_to = self._list(unknowns)
        of, n_of, count_of = self._list(knowns)
        seed = np.atleast_1d(vector(seed))
        result = np.full(count_of if adjoint else count_to, np.nan)
        if self.major == 2:
            status = self.call(
                "GetDirectionalDerivative", to, n_to, of, n_of, at(seed), at(result)
            )
        else:
            name = "GetAdjointDerivative" if adjoint else "GetDirectionalDerivative"
            sizes = ctypes.c_size_t(seed.size), ctypes.c_size_t(result.size)
            status = self.call(
                name, to, n_to, of, n_of, at(seed), sizes[0], at(result), sizes[1]
            )
        assert status == 0, self.log
        return result

    def save(self):
        state = ctypes.c_void_p()
        assert self._state("Get", ctypes.byref(state)) == 0
        return state

    def restore(self, state):
        assert self._state("Set", state) == 0, self.log

    def forget(self, state):
        assert self._state("Free", ctypes.byref(state)) == 0

    def _state(self, verb, argument):
        return self.call(
            f"{verb}FMU{'state' if self.major == 2 else 'State'}", argument
        )

    def serialize(self, state):
        tail = "FMUstate" if self.major == 2 else "FMUState"
        size = ctypes.c_size_t()
        assert self.call(f"Serialized{tail}Size", state, ctypes.byref(size)) == 0
        data = ctypes.create_string_buffer(size.value)
        assert self.call(f"Serialize{tail}", state, data, size) == 0
        return data.raw

    def deserialize(self, data):
        """Return status and state."""
        name = "DeSerializeFMUstate" if self.major == 2 else "DeserializeFMUState"
        state = ctypes.c_void_p()
        status = self.call(name, data, ctypes.c_size_t(len(data)), ctypes.byref(state))
        return status, state

    def free(self):
        self.call("FreeInstance")
        self.instance = None


def made(subject, folder, version="2.0", kinds=("cs",), **options):
    """Render, compile and return `(library, source)`."""
    source = render_source(subject, fmi_version=version, kinds=kinds, **options)
    return compiled_library(source, folder), source


def description_of(path: Path) -> ET.Element:
    with zipfile.ZipFile(path) as archive:
        return ET.fromstring(archive.read("modelDescription.xml"))
