"""Raw calls of an FMI 2.0 library for the checker: any order, every status.

Unlike `FmuInstance`, which makes only legal calls, this makes the calls it is told to.
The name of the call in progress is kept in a file that survives a crash.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from packtwin.fmu.fmi2 import CallbackFunctions, CallbackLogger, status_name
from packtwin.twin.errors import FmuCallError

__all__ = ["BLACK_BOX_BYTES", "Calls", "Instance", "RefusedError"]

BLACK_BOX_BYTES = 64
_CODES: Mapping[str, Any] = {
    "H": ctypes.c_void_p,
    "P": ctypes.c_void_p,
    "S": ctypes.c_char_p,
    "N": ctypes.c_size_t,
    "I": ctypes.c_int,
    "D": ctypes.c_double,
}
_ACCESS = {
    f"fmi2{way}{kind}": "HPNP"
    for way in ("Get", "Set")
    for kind in ("Real", "Integer", "Boolean", "String")
}
_SIGNATURES: Mapping[str, str] = {
    **_ACCESS,
    "fmi2SetDebugLogging": "HINP",
    "fmi2SetupExperiment": "HIDDID",
    "fmi2GetFMUstate": "HP",
    "fmi2SetFMUstate": "HP",
    "fmi2FreeFMUstate": "HP",
    "fmi2SerializedFMUstateSize": "HPP",
    "fmi2SerializeFMUstate": "HPPN",
    "fmi2DeSerializeFMUstate": "HPNP",
    "fmi2GetDirectionalDerivative": "HPNPNPP",
    "fmi2SetRealInputDerivatives": "HPNPP",
    "fmi2GetRealOutputDerivatives": "HPNPP",
    "fmi2DoStep": "HDDI",
    "fmi2GetStatus": "HIP",
    "fmi2GetRealStatus": "HIP",
    "fmi2GetIntegerStatus": "HIP",
    "fmi2GetBooleanStatus": "HIP",
    "fmi2GetStringStatus": "HIP",
    "fmi2NewDiscreteStates": "HP",
    "fmi2CompletedIntegratorStep": "HIPP",
    "fmi2SetTime": "HD",
    "fmi2SetContinuousStates": "HPN",
    "fmi2GetDerivatives": "HPN",
    "fmi2GetEventIndicators": "HPN",
    "fmi2GetContinuousStates": "HPN",
    "fmi2GetNominalsOfContinuousStates": "HPN",
}
_N_LOG = 200


@final
class RefusedError(FmuCallError):
    """A legal call did not succeed."""

    def __init__(self, function: str, status: int, reason: str) -> None:
        self.function = function
        self.status = status
        super().__init__(f"`{function}` returned {status_name(status)}: {reason}")


@final
class Calls:
    """A loaded library and its log.

    Attributes:
        log: The last messages as (instance, status, category, text).
        categories: The categories logged under, with the first message of each.
    """

    def __init__(self, library: Path, black_box: Path) -> None:
        """Load the library, all symbols bound at once.

        Raises:
            OSError: It cannot be loaded.
        """
        self.log: deque[tuple[str, int, str, str]] = deque(maxlen=_N_LOG)
        self.categories: dict[str, str] = {}
        with black_box.open("r+b") as file:
            self._box = mmap.mmap(file.fileno(), BLACK_BOX_BYTES)
        self.note("loading the library")
        self._library = ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        self.note("")
        libc = ctypes.CDLL(None)
        entries, categories = self.log, self.categories

        def write(_e: Any, name: Any, status: int, category: Any, text: Any) -> None:
            parts = [
                (part or b"")[:500].decode("utf-8", "replace")
                for part in (name, category, text)
            ]
            entries.append((parts[0], status, parts[1], parts[2]))
            if len(categories) < _N_LOG:
                categories.setdefault(parts[1], parts[2])

        self.callbacks = CallbackFunctions(
            logger=CallbackLogger(write),
            allocate_memory=ctypes.cast(libc.calloc, ctypes.c_void_p),
            free_memory=ctypes.cast(libc.free, ctypes.c_void_p),
        )
        self._functions: dict[str, Any] = {}

    def note(self, what: str) -> None:
        """Write what is being done where a crash does not reach it."""
        text = what.encode()[: BLACK_BOX_BYTES - 1]
        self._box[: len(text) + 1] = text + b"\0"

    def function(self, name: str) -> Any:
        """Return a function with its argument types, or nothing."""
        if name not in self._functions:
            function = getattr(self._library, name, None)
            if function is not None and name != "fmi2FreeInstance":
                signature = _SIGNATURES.get(name, "H")
                function.argtypes = [_CODES[code] for code in signature]
                function.restype = ctypes.c_int
            elif function is not None:
                function.argtypes, function.restype = [ctypes.c_void_p], None
            self._functions[name] = function
        return self._functions[name]

    def text(self, name: str) -> str:
        """Return what `fmi2GetVersion` or `fmi2GetTypesPlatform` says, if it exists."""
        function = getattr(self._library, name, None)
        if function is None:
            return ""
        function.restype, function.argtypes = ctypes.c_char_p, []
        self.note(name)
        return bytes(function() or b"").decode("utf-8", "replace")

    def instantiate(self, name: str, kind: int, token: str, resources: str) -> int:
        """Return the address of a new instance, or 0."""
        function = getattr(self._library, "fmi2Instantiate", None)
        if function is None:
            return 0
        function.restype = ctypes.c_void_p
        function.argtypes = [_CODES[code] for code in "SISSPII"]
        self.note("fmi2Instantiate")
        callbacks = ctypes.addressof(self.callbacks)
        address = function(
            name.encode(), kind, token.encode(), resources.encode(), callbacks, 0, 0
        )
        return int(address or 0)

    def refusal(self, status: int, function: str) -> RefusedError:
        """Return the error that a call was refused, with what the FMU logged."""
        return RefusedError(function, status, self.reason())

    def reason(self) -> str:
        """Return the last message of a problem, or that there is none."""
        for _, status, _, text in reversed(self.log):
            if status != 0 and text.strip():
                return text.strip()
        return "it logs no reason."


@final
class Instance:
    """One instance; `call` returns the status, `require` insists on success."""

    __slots__ = ("calls", "handle", "name")

    def __init__(self, calls: Calls, handle: int | None, name: str) -> None:
        self.calls = calls
        self.handle = handle
        self.name = name

    def call(self, function: str, *arguments: Any) -> int:
        """Call a function and return its status (5 and more: it is not exported)."""
        found = self.calls.function(function)
        if found is None:
            return 99
        self.calls.note(function)
        status = found(self.handle, *arguments)
        return int(status) if status is not None else 0

    def require(self, function: str, *arguments: Any) -> None:
        """Call a function that must succeed.

        Raises:
            RefusedError: It returned more than a warning.
        """
        status = self.call(function, *arguments)
        if status > 1:
            raise self.calls.refusal(status, function)

    def free(self) -> None:
        """Free the instance."""
        self.call("fmi2FreeInstance")
        self.handle = None

    def get(self, kind: str, references: Sequence[int]) -> tuple[int, list[Any]]:
        """Return the status and the values of variables of one type."""
        n = len(references)
        wanted = (ctypes.c_uint * n)(*references)
        if kind == "String":
            texts = (ctypes.c_char_p * n)()
            status = self.call("fmi2GetString", wanted, n, texts)
            return status, [bytes(text or b"") for text in texts]
        values: Any = (_c_type(kind) * n)()
        status = self.call(f"fmi2Get{kind}", wanted, n, values)
        return status, list(values)

    def set(self, kind: str, references: Sequence[int], values: Sequence[Any]) -> int:
        """Set variables of one type and return the status."""
        n = len(references)
        given = (_c_type(kind) * n)(*values)
        return self.call(f"fmi2Set{kind}", (ctypes.c_uint * n)(*references), n, given)

    def get_array(self, function: str, n: int) -> array[float]:
        """Return the doubles that a function of model exchange fills in."""
        values = (ctypes.c_double * n)()
        self.require(function, values, n)
        return array("d", values)


def _c_type(kind: str) -> Any:
    if kind == "Real":
        return ctypes.c_double
    return ctypes.c_char_p if kind == "String" else ctypes.c_int
