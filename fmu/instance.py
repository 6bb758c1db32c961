"""One loaded instance of an FMI 2.0 co-simulation FMU: library, memory, calls.

Calls go straight through ctypes with arguments made once: a call costs well under a
microsecond, where a wrapper that converts its arguments costs several.
"""

from __future__ import annotations

import _ctypes
import ctypes
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any, final

from packtwin.fmu.fmi2 import LogBook, status_name
from packtwin.twin.errors import FmuCallError, FmuError

__all__ = ["FmuInstance", "SavedState"]

_NEEDED = (
    "fmi2Instantiate",
    "fmi2FreeInstance",
    "fmi2SetupExperiment",
    "fmi2EnterInitializationMode",
    "fmi2ExitInitializationMode",
    "fmi2DoStep",
    "fmi2GetReal",
    "fmi2SetReal",
)
_CO_SIMULATION = 1
_OK, _WARNING, _ERROR, _FATAL = 0, 1, 3, 4
LAST_SUCCESSFUL_TIME = 2


@final
class _Life:
    """What may still be called, and what is left to free, when all is freed."""

    __slots__ = ("is_fatal", "is_running", "states")

    def __init__(self) -> None:
        self.is_running = False
        self.is_fatal = False
        self.states: dict[int, ctypes.c_void_p] = {}


@final
class FmuInstance:
    """A loaded library with one instance; everything is freed by `close`.

    Attributes:
        handle: The instance, as an argument for `function`s.
        log: Its last messages.
    """

    def __init__(
        self, library: Path, *, token: str, name: str, resources: Path, path: Path
    ) -> None:
        """Load the library and instantiate; free both again if that fails.

        Args:
            library: The shared library.
            token: The guid of the model description.
            name: Instance name.
            resources: The folder `resources/` of the extracted FMU.
            path: The FMU file, for messages.
        """
        self.log = LogBook()
        self._path = path
        self._name = name
        self._life = _Life()
        with ExitStack() as stack:
            # Undone in reverse: the log outlives the instance, which may write to it.
            stack.callback(self.log.clear)
            self._library = _load(library, path)
            stack.callback(_unload, self._library, self._life)
            missing = [f for f in _NEEDED if self.function(f) is None]
            if missing:
                msg = (
                    f"The binary of `{path}` lacks the functions {', '.join(missing)}; "
                    "it is no FMI 2.0 co-simulation FMU, ask its maker."
                )
                raise FmuError(msg)
            instantiate = self._library.fmi2Instantiate
            instantiate.restype = ctypes.c_void_p
            address = instantiate(
                name.encode(),
                _CO_SIMULATION,
                token.encode(),
                resources.resolve().as_uri().encode(),
                ctypes.byref(self.log.callbacks),
                0,
                0,
            )
            if not address:
                msg = (
                    f"`{path}` cannot be instantiated as `{name}`: "
                    f"{self.log.last_problem() or 'the FMU gives no reason'}. Check "
                    "that description and binary are of the same export."
                )
                raise FmuError(msg)
            self.handle = ctypes.c_void_p(address)
            stack.callback(_free, self._library, self.handle, self._life)
            self._resources = stack.pop_all()
        self._finalizer = weakref.finalize(self, self._resources.close)

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
        function = self.function(name)
        if function is None:
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
            f"`{name}` of `{self._name}` (`{self._path}`) returned "
            f"{status_name(status)}: {reason}" + ("" if reason.endswith(".") else ".")
        )

    def set_running(self, is_running: bool) -> None:
        """Say whether the instance is initialized, so that `close` terminates it."""
        self._life.is_running = is_running

    def save(self) -> SavedState:
        """Return the complete state of the instance; `close` frees what is left of it.

        Raises:
            FmuError: The instance is closed.
        """
        self._require_open("cannot save its state")
        state = ctypes.c_void_p(None)
        self.call("fmi2GetFMUstate", ctypes.byref(state))
        self._life.states[id(state)] = state
        return SavedState(self, state)

    def restore(self, saved: SavedState) -> None:
        """Go back to a saved state, which stays usable.

        Raises:
            FmuError: Another instance saved it, or this one is closed.
        """
        self._require_open("cannot restore a state")
        if not saved.is_of(self):
            msg = (
                f"`{self._name}` (`{self._path}`) cannot restore a state that another "
                "instance saved, or that was saved before a `close`; restore one that "
                "this instance saved."
            )
            raise FmuError(msg)
        self.call("fmi2SetFMUstate", saved.pointer)

    def release(self, state: ctypes.c_void_p) -> None:
        """Free a saved state, unless `close` already did."""
        if self._life.states.pop(id(state), None) is not None:
            _free_state(self._library, self.handle, self._life, state)

    def close(self) -> None:
        """Free the saved states and the instance, unload the library; idempotent."""
        self._finalizer()

    def _require_open(self, what: str) -> None:
        if not self.is_open:
            msg = (
                f"`{self._name}` (`{self._path}`) {what}: it is closed; open it again."
            )
            raise FmuError(msg)


@final
class SavedState:
    """A state inside an FMU; freed when nobody holds it or its instance is closed."""

    __slots__ = ("_instance", "pointer")

    def __init__(self, instance: FmuInstance, pointer: ctypes.c_void_p) -> None:
        self._instance = instance
        self.pointer = pointer

    def is_of(self, instance: FmuInstance) -> bool:
        """Whether that instance saved it."""
        return self._instance is instance

    def __del__(self) -> None:
        self._instance.release(self.pointer)


def _free_state(
    library: ctypes.CDLL, handle: ctypes.c_void_p, life: _Life, state: ctypes.c_void_p
) -> None:
    free = getattr(library, "fmi2FreeFMUstate", None)
    if free is not None and not life.is_fatal:
        free(handle, ctypes.byref(state))


def _free(library: ctypes.CDLL, handle: ctypes.c_void_p, life: _Life) -> None:
    while life.states:
        _, state = life.states.popitem()
        _free_state(library, handle, life, state)
    if life.is_fatal:  # FMI forbids any further call
        return
    terminate = getattr(library, "fmi2Terminate", None)
    if life.is_running and terminate is not None:
        terminate(handle)
    library.fmi2FreeInstance.restype = None
    library.fmi2FreeInstance(handle)


def _unload(library: ctypes.CDLL, life: _Life) -> None:
    if not life.is_fatal:
        _ctypes.dlclose(library._handle)  # noqa: SLF001 (ctypes has no other way)


def _load(library: Path, path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        msg = (
            f"The binary `{library.name}` of `{path}` cannot be loaded: {error}. "
            "Install what it needs, or use an FMU made for this system."
        )
        raise FmuError(msg) from error
