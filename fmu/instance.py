"""One loaded instance of an FMU: library, memory, calls, whatever its FMI version.

Calls go straight through ctypes with arguments made once: a call costs well under a
microsecond, where a wrapper that converts its arguments costs several.
"""

from __future__ import annotations

import ctypes
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.dialect import Dialect
from packtwin.fmu.library import load_library
from packtwin.fmu.life import Life, free, free_state, unload
from packtwin.fmu.log_book import LogBook
from packtwin.twin.errors import FmuCallError, FmuError

__all__ = [
    "MAX_EVENT_ITERATIONS",
    "AbstractInstance",
    "SavedState",
]

MAX_EVENT_ITERATIONS = 1000
"""Updates of discrete states at one event before an FMU is given up."""

Vector: TypeAlias = NDArray[np.float64]

_OK, _WARNING, _ERROR, _FATAL = 0, 1, 3, 4


class AbstractInstance(ABC):
    """A loaded library with one instance; everything is freed by `close`.

    Attributes:
        dialect: The names of its FMI version.
        handle: The instance, as an argument for `function`s.
        log: Its last messages.
    """

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        library: Path | ctypes.CDLL,
        *,
        token: str,
        name: str,
        resources: Path,
        path: Path,
    ) -> None:
        """Load the library and instantiate; free both again if that fails.

        Args:
            library: The shared library; one that is loaded is loaded once more.
            token: The guid or instantiation token of the model description.
            name: Instance name.
            resources: The folder `resources/` of the extracted FMU.
            path: The FMU file, for messages.
        """
        self.log = LogBook()
        self._path = path
        self._name = name
        self._life = Life()
        with ExitStack() as stack:
            # Undone in reverse: the log outlives the instance, which may write to it.
            stack.callback(self.log.clear)
            self._library = load_library(library, path)
            stack.callback(unload, self._library, self._life)
            missing = [f for f in self._needed() if self.function(f) is None]
            if missing:
                msg = (
                    f"The binary of `{path}` lacks the functions {', '.join(missing)}; "
                    f"it is no FMU of FMI {self.dialect.version}, ask its maker."
                )
                raise FmuError(msg)
            address = self._instantiate(name, token, resources)
            if not address:
                msg = (
                    f"`{path}` cannot be instantiated as `{name}`: "
                    f"{self.log.last_problem() or 'the FMU gives no reason'}. Check "
                    "that description and binary are of the same export."
                )
                raise FmuError(msg)
            self.handle = ctypes.c_void_p(address)
            stack.callback(free, self._library, self.handle, self._life, self.dialect)
            self._resources = stack.pop_all()
        self._finalizer = weakref.finalize(self, self._resources.close)

    @abstractmethod
    def _needed(self) -> tuple[str, ...]:
        """Return the functions without which the instance is of no use."""

    @abstractmethod
    def _instantiate(self, name: str, token: str, resources: Path) -> int | None:
        """Instantiate and return the address, or nothing."""

    @abstractmethod
    def begin(self, time_s: float) -> None:
        """Enter initialization at `time_s`; start values may then be set."""

    @abstractmethod
    def finish(self) -> None:
        """Leave initialization: the instance can be stepped or integrated."""

    @property
    def label(self) -> str:
        """Name and file, for messages."""
        return f"`{self._name}` (`{self._path}`)"

    @property
    def is_open(self) -> bool:
        """Whether the instance still exists."""
        return self._finalizer.alive

    def function(self, name: str) -> Any:
        """Return an FMI function as a ctypes callable, or None if there is none."""
        return getattr(self._library, name, None)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the instance that must succeed.

        Raises:
            FmuCallError: It is missing, or returned more than a warning.
        """
        if (function := self.function(name)) is None:
            msg = f"`{self._path}` does not export `{name}`; ask its maker."
            raise FmuCallError(msg)
        status = function(self.handle, *arguments)
        if status not in (_OK, _WARNING):
            raise self.call_error(name, status)

    def call_error(self, name: str, status: int) -> FmuCallError:
        """Return the error that says which call failed and what the FMU logged."""
        if status >= _ERROR:
            self._life.is_running = False
            self._life.is_fatal |= status == _FATAL
        reason = self.log.last_problem() or "the FMU gives no reason"
        return FmuCallError(
            f"`{name}` of {self.label} returned "
            f"{self.dialect.status_name(status)}: {reason.rstrip('.')}."
        )

    def derivative(
        self,
        unknowns: Sequence[int],
        knowns: Sequence[int],
        seed: Vector,
        count: int,
        *,
        is_adjoint: bool = False,
    ) -> Vector:
        """Return the derivative of unknowns along a direction of knowns, all real.

        Args:
            unknowns: Value references.
            knowns: Value references.
            seed: Of the elements of the knowns, in the FMU's units.
            count: Elements of the unknowns.
            is_adjoint: Turn round: `seed` weighs unknowns, `count` is of the knowns.
        """
        values, along = np.zeros(count), np.ascontiguousarray(seed)
        arguments: list[Any] = []
        size = ctypes.c_size_t
        for given in (unknowns, knowns):
            arguments += [(ctypes.c_uint * len(given))(*given), size(len(given))]
        for numbers in (along, values):
            arguments += self.dialect.values(numbers)
        kind = "Adjoint" if is_adjoint else "Directional"
        self.call(f"{self.dialect.prefix}Get{kind}Derivative", *arguments)
        return values

    def unsettled(self) -> FmuCallError:
        """Return the error of an event that never ends."""
        return FmuCallError(
            f"{self.label} still wants to update its discrete "
            f"states after {MAX_EVENT_ITERATIONS} times; ask its maker."
        )

    def set_running(self, is_running: bool) -> None:
        """Say whether the instance is initialized, so that `close` terminates it."""
        self._life.is_running = is_running

    def reset(self) -> None:
        """Go back to the state after instantiation."""
        self.call(f"{self.dialect.prefix}Reset")
        self.set_running(False)

    def save(self) -> SavedState:
        """Return the complete state of the instance; `close` frees what is left of it.

        Raises:
            FmuError: The instance is closed.
        """
        self._require_open("cannot save its state")
        state = ctypes.c_void_p(None)
        self.call(self.dialect.get_state, ctypes.byref(state))
        return self._held(state)

    def restore(self, saved: SavedState) -> None:
        """Go back to a saved state, which stays usable.

        Raises:
            FmuError: Another instance saved it, or this one is closed.
        """
        self._require_open("cannot restore a state")
        if not saved.is_of(self):
            msg = (
                f"{self.label} cannot restore a state that another "
                "instance saved, or that was saved before a `close`; restore one that "
                "this instance saved."
            )
            raise FmuError(msg)
        self.call(self.dialect.set_state, saved.pointer)

    def pack(self, saved: SavedState) -> bytes:
        """Return a saved state as bytes, for another instance of the same FMU."""
        self._require_open("cannot pack a state")
        size = ctypes.c_size_t()
        self.call(self.dialect.state_size, saved.pointer, ctypes.byref(size))
        packed = ctypes.create_string_buffer(size.value)
        self.call(self.dialect.serialize, saved.pointer, packed, size)
        return packed.raw

    def unpack(self, packed: bytes) -> SavedState:
        """Return the saved state in bytes from `pack`."""
        self._require_open("cannot unpack a state")
        state, size = ctypes.c_void_p(None), ctypes.c_size_t(len(packed))
        self.call(self.dialect.deserialize, packed, size, ctypes.byref(state))
        return self._held(state)

    def _held(self, state: ctypes.c_void_p) -> SavedState:
        self._life.states[id(state)] = state
        return SavedState(self, state)

    def release(self, state: ctypes.c_void_p) -> None:
        """Free a saved state, unless `close` already did."""
        if self._life.states.pop(id(state), None) is not None:
            free_state(self._library, self.handle, self._life, self.dialect, state)

    def close(self) -> None:
        """Free the saved states and the instance, unload the library; idempotent."""
        self._finalizer()

    def _require_open(self, what: str) -> None:
        if not self.is_open:
            msg = f"{self.label} {what}: it is closed; open it again."
            raise FmuError(msg)


@final
class SavedState:
    """A state inside an FMU; freed when nobody holds it or its instance is closed.

    `bytes` of it outlive the process.
    """

    __slots__ = ("_instance", "pointer")

    def __init__(self, instance: AbstractInstance, pointer: ctypes.c_void_p) -> None:
        self._instance = instance
        self.pointer = pointer

    def is_of(self, instance: AbstractInstance) -> bool:
        """Whether that instance saved it."""
        return self._instance is instance

    def __bytes__(self) -> bytes:
        return self._instance.pack(self)

    def __del__(self) -> None:
        self._instance.release(self.pointer)
