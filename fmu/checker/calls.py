"""Raw calls of an FMI library for the checker: any order, every status.

Unlike an `AbstractInstance`, which makes only legal calls, this makes the calls it is
told to. Functions have the names of FMI 3.0 without prefix, in both versions.
"""

from __future__ import annotations

import ctypes
import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, final

import numpy as np

from packtwin.fmu.checker.journal import Journal, RefusedError
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.signatures import COMMON_SIGNATURES, argument_types
from packtwin.fmu.dialect import Dialect

__all__ = ["AbstractCalls", "Call", "Instance"]

Call: TypeAlias = tuple[str, tuple[Any, ...]]

_MAX_UPDATES = 100
_ENDED, _ABSENT = 98, 99


class AbstractCalls(ABC):
    """A loaded library and its log, in one version of FMI.

    Attributes:
        dialect: The names of that version.
        signatures: Argument types of functions that both versions do not share.
        spellings: Functions that the version calls otherwise than FMI 3.0.
        versions: What functions without arguments return.
        tells_time: The function that tells the last successful time.
        journal: What it logs, and the call in progress.
    """

    dialect: ClassVar[Dialect]
    signatures: ClassVar[Mapping[str, str]]
    spellings: ClassVar[Mapping[str, str]] = {}
    versions: ClassVar[Mapping[str, str]]
    tells_time: ClassVar[str]

    def __init__(self, library: Path, black_box: Path) -> None:
        """Load the library, all symbols bound at once.

        Raises:
            OSError: It cannot be loaded.
        """
        self.journal = Journal(black_box)
        self.journal.note("loading the library")
        self._library = ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        self.journal.note("")
        self._functions: dict[str, Any] = {}
        c_type: Any = np.ctypeslib.as_ctypes_type
        types = self.dialect.types.values()
        self._c_types = {kind: c_type(dtype) for dtype, kind in types}
        self._c_types["String"] = ctypes.c_char_p

    @abstractmethod
    def instantiate(
        self, name: str, token: str, resources: Path, *, is_exchange: bool
    ) -> int:
        """Return the address of a new instance, or 0."""

    @abstractmethod
    def entry(self, tolerance: float, start_s: float) -> tuple[Call, ...]:
        """Return the calls from a new instance to initialization mode."""

    @abstractmethod
    def step_arguments(self, made: Instance, time_s: float, size_s: float) -> Any:
        """Return the arguments of `DoStep`."""

    @abstractmethod
    def reached(self, made: Instance) -> float | None:
        """Return the last successful time, if the FMU tells it."""

    @abstractmethod
    def update(self, made: Instance) -> tuple[bool, bool]:
        """Update discrete states once; whether to go on, and whether to end."""

    @abstractmethod
    def complete(self, made: Instance) -> bool:
        """Complete an integrator step; whether an event or the end is due."""

    def named(self, function: str) -> str:
        """Return the full name of a function in this version of FMI."""
        return self.dialect.prefix + self.spellings.get(function, function)

    def function(self, function: str) -> Any:
        """Return a function with its argument types, or nothing."""
        if function not in self._functions:
            found = self.symbol(function)
            if found is not None:
                found.argtypes = argument_types(self._signature(function))
                found.restype = None if function == "FreeInstance" else ctypes.c_int
            self._functions[function] = found
        return self._functions[function]

    def _signature(self, function: str) -> str:
        is_access = function[:3] in ("Get", "Set") and function[3:] in self._c_types
        default = "HPNPN"[: 4 + self.dialect.has_value_count] if is_access else "H"
        default = COMMON_SIGNATURES.get(function, default)
        return self.signatures.get(function, default)

    def symbol(self, function: str) -> Any:
        """Return a function as it is exported, or nothing."""
        return getattr(self._library, self.named(function), None)

    def text(self, function: str) -> str:
        """Return what a function without arguments says, if it exists."""
        found = self.symbol(function)
        if found is None:
            return ""
        found.restype, found.argtypes = ctypes.c_char_p, []
        self.journal.note(self.named(function))
        return bytes(found() or b"").decode("utf-8", "replace")

    def make(self, function: str, signature: str, *arguments: Any) -> int:
        """Call a function that makes an instance and return its address, or 0."""
        found = self.symbol(function)
        if found is None:
            return 0
        found.restype = ctypes.c_void_p
        found.argtypes = argument_types(signature)
        self.journal.note(self.named(function))
        return int(found(*arguments) or 0)

    def buffer(self, kind: str, values: int | Sequence[Any]) -> Any:
        """Return a C array of a type, empty or with values."""
        if isinstance(values, int):
            return (self._c_types[kind] * values)()
        return (self._c_types[kind] * len(values))(*values)

    def refusal(self, status: int, function: str) -> RefusedError:
        """Return the error that a call was refused, with what the FMU logged."""
        said = self.dialect.status_name(status)
        if status == _ABSENT:
            said = "nothing, it is not exported"
        return RefusedError(self.named(function), said, self.journal.reason())


@final
class Instance:
    """One instance; `call` returns the status, `require` insists on success.

    Attributes:
        has_event, is_ended, is_early: What the last step of FMI 3 answered.
        reached_s: The time that it said it reached.
    """

    __slots__ = (
        "calls",
        "handle",
        "has_event",
        "is_early",
        "is_ended",
        "name",
        "reached_s",
    )

    def __init__(self, calls: AbstractCalls, handle: int | None, name: str) -> None:
        self.calls = calls
        self.handle = handle
        self.name = name
        self.has_event, self.is_ended, self.is_early = (
            ctypes.c_bool(False) for _ in range(3)
        )
        self.reached_s = ctypes.c_double()

    def call(self, function: str, *arguments: Any) -> int:
        """Call a function and return its status; one that is not exported fails."""
        found = self.calls.function(function)
        if found is None:
            return _ABSENT
        self.calls.journal.note(self.calls.named(function))
        status = found(self.handle, *arguments)
        if function in ("Reset", "SetFMUState"):
            self.is_ended.value = False
        return int(status) if status is not None else 0

    def require(self, function: str, *arguments: Any) -> None:
        """Call a function that must succeed.

        Raises:
            RefusedError: It returned more than a warning.
        """
        status = self.call(function, *arguments)
        if status > 1:
            raise self.calls.refusal(status, function)

    def step(self, time_s: float, size_s: float) -> int:
        """Take a step; not one more after the FMU asked to end."""
        if self.is_ended.value:
            return _ENDED
        arguments = self.calls.step_arguments(self, time_s, size_s)
        return self.call("DoStep", *arguments)

    def settle(self) -> bool:
        """Update discrete states until they rest; whether to end."""
        for _ in range(_MAX_UPDATES):
            goes_on, is_end = self.calls.update(self)
            if is_end or not goes_on:
                return is_end
        return False

    def free(self) -> None:
        """Free the instance."""
        self.call("FreeInstance")
        self.handle = None

    def access(
        self, way: str, kind: str, references: Sequence[int], values: Any
    ) -> int:
        """Get or set variables of one type, in a C array, and return the status."""
        n = len(references)
        arguments = ((ctypes.c_uint * n)(*references), n, values)
        if self.calls.dialect.has_value_count:
            return self.call(way + kind, *arguments, len(values))
        return self.call(way + kind, *arguments)

    def get(self, variables: Sequence[RunVariable]) -> tuple[int, list[Any]]:
        """Return the worst status and all elements; neighbours of a type at once."""
        worst, values = 0, []
        for kind, group in groupby(variables, key=lambda v: v.kind):
            members = list(group)
            found = self.calls.buffer(kind, sum(v.size for v in members))
            references = [v.reference for v in members]
            worst = max(worst, self.access("Get", kind, references, found))
            values += (
                [bytes(text or b"") for text in found]
                if kind == "String"
                else list(found)
            )
        return worst, values

    def set(self, variables: Sequence[RunVariable], values: Sequence[Any]) -> int:
        """Set all elements of variables and return the worst status."""
        worst, first = 0, 0
        for kind, group in groupby(variables, key=lambda v: v.kind):
            members = list(group)
            last = first + sum(v.size for v in members)
            given = self.calls.buffer(kind, values[first:last])
            references = [v.reference for v in members]
            worst = max(worst, self.access("Set", kind, references, given))
            first = last
        return worst

    def get_vector(self, function: str, n: int) -> array[float]:
        """Return the doubles that a function of model exchange fills in."""
        values = (ctypes.c_double * n)()
        self.require(function, values, n)
        return array("d", values)

    def set_states(self, values: Sequence[float]) -> int:
        """Set the continuous states and return the status."""
        n = len(values)
        return self.call("SetContinuousStates", (ctypes.c_double * n)(*values), n)

    def differentiate(
        self,
        function: str,
        unknowns: Sequence[RunVariable],
        knowns: Sequence[RunVariable],
        seed: Sequence[float],
    ) -> list[float] | None:
        """Return derivatives along or across a seed; nothing if the FMU refuses.

        Args:
            function: `GetDirectionalDerivative` or `GetAdjointDerivative`.
            unknowns: All of them doubles, as the knowns.
            knowns: What they are derived by.
            seed: One number per element of the knowns (directional) or the unknowns.
        """
        arguments: list[Any] = []
        for variables in (unknowns, knowns):
            references = [v.reference for v in variables]
            arguments += [(ctypes.c_uint * len(references))(*references)]
            arguments += [len(references)]
        is_adjoint = function == "GetAdjointDerivative"
        n = sum(v.size for v in (knowns if is_adjoint else unknowns))
        result = (ctypes.c_double * n)(*[float("nan")] * n)
        for numbers in ((ctypes.c_double * len(seed))(*seed), result):
            arguments.append(numbers)
            if self.calls.dialect.has_value_count:
                arguments.append(len(numbers))
        status = self.call(function, *arguments)
        return list(result) if status <= 1 else None
