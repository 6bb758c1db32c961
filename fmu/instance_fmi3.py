"""An instance of an FMI 3.0 co-simulation FMU."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, final

from typing_extensions import override

from packtwin.fmu.dialect import FMI3, Dialect
from packtwin.fmu.instance import MAX_EVENT_ITERATIONS, AbstractInstance
from packtwin.fmu.intermediate_update import IntermediateUpdate
from packtwin.fmu.stepping import AbstractStepping, SmoothInputs, Vector

__all__ = [
    "Fmi3Stepping",
    "enter_initialization",
    "update_discrete_states",
]

_NEEDED = (
    "fmi3InstantiateCoSimulation",
    "fmi3FreeInstance",
    "fmi3EnterInitializationMode",
    "fmi3ExitInitializationMode",
    "fmi3DoStep",
)
_WARNING = 1
_SETTER = "fmi3SetFloat64"


def enter_initialization(instance: AbstractInstance, time_s: float) -> None:
    """Enter initialization mode at `time_s`, without a stop time."""
    no, zero = ctypes.c_bool(False), ctypes.c_double(0.0)
    start = ctypes.c_double(time_s)
    instance.call("fmi3EnterInitializationMode", no, zero, start, no, zero)


def update_discrete_states(instance: AbstractInstance) -> tuple[bool, float]:
    """Update discrete states until they settle.

    Returns:
        Whether the FMU asks to end, and the time of its next event or infinity.
    """
    flags = [ctypes.c_bool() for _ in range(5)]
    next_s = ctypes.c_double()
    pointers = [ctypes.byref(flag) for flag in flags]
    for _ in range(MAX_EVENT_ITERATIONS):
        instance.call("fmi3UpdateDiscreteStates", *pointers, ctypes.byref(next_s))
        if not flags[0].value:
            return flags[1].value, next_s.value if flags[4].value else math.inf
    raise instance.unsettled()


@final
class Fmi3Stepping(AbstractStepping):
    """An FMI 3.0 instance for co-simulation.

    Event mode and early return are used where the FMU has them: a step that ends early
    at an event is handled and continued by the component.
    """

    dialect: ClassVar[Dialect] = FMI3

    def __init__(
        self,
        library: Path | ctypes.CDLL,
        *,
        smooth: SmoothInputs,
        has_event_mode: bool = False,
        **where: Any,
    ) -> None:
        """Load and instantiate; see `AbstractInstance`.

        Args:
            library: The shared library.
            smooth: The inputs that may be set inside a step.
            has_event_mode: Whether the FMU has one.
            where: `token`, `name`, `resources`, `path`.
        """
        self.has_event_mode = has_event_mode
        self._update = IntermediateUpdate(smooth)
        self._intermediate = smooth.references if smooth.order else ()
        super().__init__(library, **where)

    @override
    def _needed(self) -> tuple[str, ...]:
        return _NEEDED

    @override
    def _instantiate(self, name: str, token: str, resources: Path) -> int | None:
        self._flags = tuple(ctypes.c_bool() for _ in range(3))
        self._t, self._h, self._reached = (ctypes.c_double() for _ in range(3))
        self._pointers = (*map(ctypes.byref, self._flags), ctypes.byref(self._reached))
        self._do_step = self._library.fmi3DoStep
        address = self._try_instantiate(name, token, resources)
        if not address and self.has_event_mode:  # some promise one and have none
            self.has_event_mode = False
            address = self._try_instantiate(name, token, resources)
        if address and self._intermediate:
            handle = ctypes.c_void_p(address)
            self._update.attach(handle, self.function(_SETTER))
        return address

    def _try_instantiate(self, name: str, token: str, resources: Path) -> int | None:
        count = len(self._intermediate)
        instantiate = self._library.fmi3InstantiateCoSimulation
        instantiate.restype = ctypes.c_void_p
        address: int | None = instantiate(
            name.encode(),
            token.encode(),
            f"{resources.absolute()}/".encode(),
            ctypes.c_bool(False),
            ctypes.c_bool(False),
            ctypes.c_bool(self.has_event_mode),
            ctypes.c_bool(self.has_event_mode),
            (ctypes.c_uint * count)(*self._intermediate),
            ctypes.c_size_t(count),
            self._update.environment,
            self.log.log_message,
            self._update.callback,
        )
        return address

    @override
    def begin(self, time_s: float) -> None:
        enter_initialization(self, time_s)
        self._update.hold()

    @override
    def finish(self) -> None:
        self.call("fmi3ExitInitializationMode")
        if self.has_event_mode:  # it starts in event mode
            self._settle()

    @override
    def do_step(self, time_s: float, length_s: float) -> int:
        self._t.value, self._h.value = time_s, length_s
        self._reached.value = time_s
        status: int = self._do_step(
            self.handle, self._t, self._h, self.never_rewinds, *self._pointers
        )
        event, end, early = self._flags
        self.has_event, self.wants_end = event.value, end.value
        self.is_early, self.reached_s = early.value, self._reached.value
        return status

    @override
    def at_event(self, action: Callable[[], None]) -> None:
        if not self.has_event_mode:
            action()
            return
        self.call("fmi3EnterEventMode")
        action()
        self._settle()

    def _settle(self) -> None:
        self.wants_end, self.next_event_s = update_discrete_states(self)
        self.call("fmi3EnterStepMode")

    @override
    def set_input_rows(
        self,
        smooth: SmoothInputs,
        rows: Vector,
        start_s: float,
        write: Callable[[Vector], None],
    ) -> None:
        self._update.follow(rows, start_s)

    @override
    def hold_inputs(self) -> None:
        status = self._update.hold()
        if status > _WARNING:
            raise self.call_error(_SETTER, status)
