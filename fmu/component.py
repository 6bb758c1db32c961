"""`FmuComponent`: any vendor's FMI 2.0 co-simulation FMU as a `Component`."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.channel import Channel, make_channels
from packtwin.fmu.description import read_description
from packtwin.fmu.instance import LAST_SUCCESSFUL_TIME, FmuInstance, SavedState
from packtwin.fmu.mapped_interface import co_simulation_identifier, read_interface
from packtwin.fmu.unpack import find_library, unpack
from packtwin.twin.component import Capabilities, StepReport, seconds, ticks
from packtwin.twin.errors import FmuError
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface

__all__ = ["FmuComponent"]

Vector: TypeAlias = NDArray[np.float64]

_WARNING, _DISCARD = 1, 2


@final
@dataclass(frozen=True, slots=True)
class _Snapshot:
    saved: SavedState
    outputs: Vector


@final
class FmuComponent:
    """An FMI 2.0 co-simulation FMU as a component.

    Names, units and start values come from the model description; a name that does not
    end in its SI unit is given one (see `packtwin.fmu.variable_map`). Strings are left
    out. `close` frees the instance and the temporary folder; so does losing the last
    reference.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        parameters: Mapping[str, float] | None = None,
        names: Mapping[str, str] | None = None,
        extract_dir: Path | None = None,
    ) -> None:
        """Read, extract, load and instantiate an FMU.

        Args:
            path: The FMU file.
            name: Name in the system and of the instance; the model's by default.
            parameters: Parameter values other than their start values, in our units.
            names: Our name for some of the FMU's variables.
            extract_dir: Folder kept between runs for the extracted file; a temporary
                one by default.

        Raises:
            FmuError: The file cannot be used here; the message says why.
        """
        self._path = Path(path)
        description = read_description(self._path)
        identifier = co_simulation_identifier(description, self._path)
        self._flags = description.coSimulation
        self._step_size = getattr(description.defaultExperiment, "stepSize", None)
        self._name = name or description.modelName or identifier
        self._mapped = read_interface(
            description, self._path, parameters=parameters or {}, names=names or {}
        )
        self._library = find_library(self._path, identifier)
        self._token, self._extract_dir = description.guid, extract_dir
        self._load()

    def _load(self) -> None:
        with ExitStack() as stack:
            folder = unpack(self._path, self._extract_dir, stack)
            self._instance = FmuInstance(
                folder / self._library,
                token=self._token,
                name=self._name,
                resources=folder / "resources",
                path=self._path,
            )
            stack.callback(self._instance.close)
            self._prepare_calls()
            resources = stack.pop_all()
        self._finalizer = weakref.finalize(self, resources.close)

    def _prepare_calls(self) -> None:
        instance = self._instance
        self._writers = make_channels(self._mapped.inputs, instance, "fmi2Set")
        self._readers = make_channels(self._mapped.outputs, instance, "fmi2Get")
        self._only_writer = _sole_plain(self._writers)
        self._only_reader = _sole_plain(self._readers)
        self._do_step = instance.function("fmi2DoStep")
        self._t, self._h = ctypes.c_double(), ctypes.c_double()
        # fmi2True promises never to go back, which a rewinding master breaks.
        self._no_rewind = ctypes.c_int(not self.capabilities.can_rewind)
        self._is_started = self._is_initialized = False
        self._last = np.full(len(self._mapped.outputs), np.nan)

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters, in SI units."""
        return self._mapped.interface

    @property
    def capabilities(self) -> Capabilities:
        """What the FMU's flags promise."""
        has_variable_step = bool(self._flags.canHandleVariableCommunicationStepSize)
        size = None if self._step_size is None else float(self._step_size)
        return Capabilities(
            can_rewind=bool(self._flags.canGetAndSetFMUstate),
            has_variable_step=has_variable_step,
            fixed_step_s=None if has_variable_step else size,
        )

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) from the model structure; all where it is silent."""
        return self._mapped.feedthrough

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start, or start over, at `tick` with inputs `u`; reopens after `close`."""
        if not self._instance.is_open:
            self._load()
        instance = self._open_instance()
        instance.log.clear()
        if self._is_started:
            instance.call("fmi2Reset")
        self._is_started, self._is_initialized = True, False
        instance.set_running(False)
        changed = self._mapped.changed_parameters
        for channel in make_channels(changed, instance, "fmi2Set"):
            channel.write(self._parameter_values())
        zero = ctypes.c_double(0.0)
        instance.call(
            "fmi2SetupExperiment", 0, zero, ctypes.c_double(seconds(tick)), 0, zero
        )
        instance.call("fmi2EnterInitializationMode")
        self._write(u)
        instance.call("fmi2ExitInitializationMode")
        self._is_initialized = True
        instance.set_running(True)
        return self._read().copy()

    def _parameter_values(self) -> Vector:
        starts = {v.name: v.start for v in self._mapped.interface.parameters}
        return np.array(
            [starts[m.variable.name] for m in self._mapped.changed_parameters]
        )

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance with constant inputs.

        An FMU that discards the step gives a report with status REFUSED, its log text
        and the time up to which it did come.

        Raises:
            FmuCallError: A call failed; the message holds the FMU's log text.
        """
        instance = self._instance
        if not self._is_initialized:
            self._open_instance()
            msg = f"`{self.name}` was not initialized; call `initialize` first."
            raise FmuError(msg)
        writer, reader = self._only_writer, self._only_reader
        if writer is None:
            self._write(u)
        else:
            writer.write_plain(u)
        self._t.value = seconds(tick)
        self._h.value = seconds(end_tick - tick)
        status = self._do_step(instance.handle, self._t, self._h, self._no_rewind)
        if status > _WARNING:
            return self._refused(status, tick)
        self._last = outputs = self._read() if reader is None else reader.read_plain()
        return StepReport(outputs=outputs, end_tick=end_tick)

    def _refused(self, status: int, tick: int) -> StepReport:
        if status != _DISCARD:
            error = self._instance.call_error("fmi2DoStep", status)
            raise error
        reached = ctypes.c_double(seconds(tick))
        ask = self._instance.function("fmi2GetRealStatus")
        end_tick = tick
        if ask is not None:
            answer = ask(
                self._instance.handle, LAST_SUCCESSFUL_TIME, ctypes.byref(reached)
            )
            end_tick = ticks(reached.value) if answer <= _WARNING else tick
        reason = self._instance.log.last_problem() or "the FMU gives no reason"
        return StepReport(
            outputs=self._last,
            end_tick=end_tick,
            status=StepStatus.REFUSED,
            message=reason,
        )

    def _write(self, u: Vector) -> None:
        for channel in self._writers:
            channel.write(u)

    def _read(self) -> Vector:
        values = np.empty(len(self._mapped.outputs))
        for channel in self._readers:
            channel.read(values)
        self._last = values
        return values

    def save(self) -> _Snapshot:
        """Return the complete state.

        Raises:
            FmuError: The FMU cannot save its state.
        """
        if not self.capabilities.can_rewind:
            msg = (
                f"`{self.name}` (`{self._path}`) cannot save its state "
                "(`canGetAndSetFMUstate` is false); use a master that does not rewind."
            )
            raise FmuError(msg)
        return _Snapshot(self._open_instance().save(), self._last)

    def restore(self, state: _Snapshot) -> None:
        """Go back to a saved state.

        Raises:
            FmuError: Another component saved it, or this one before `close`.
        """
        self._open_instance().restore(state.saved)
        self._last = state.outputs

    def close(self) -> None:
        """Free the instance and the temporary folder; idempotent."""
        self._is_initialized = False
        self._finalizer()

    def _open_instance(self) -> FmuInstance:
        if not self._instance.is_open:
            msg = f"`{self.name}` is closed; call `initialize` first."
            raise FmuError(msg)
        return self._instance


def _sole_plain(channels: tuple[Channel, ...]) -> Channel | None:
    """Return the channel if it alone moves all values, in order and unconverted."""
    return channels[0] if len(channels) == 1 and channels[0].is_plain else None
