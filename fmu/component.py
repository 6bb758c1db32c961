"""`FmuComponent`: any FMU of FMI 2.0 or 3.0 as a `Component`."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.advance import Advance, StepEnd
from packtwin.fmu.channel import make_channels
from packtwin.fmu.derivatives import Derivatives
from packtwin.fmu.file import FmuFile
from packtwin.fmu.mapped_interface import (
    Kind,
    choose_kind,
    kind_flags,
)
from packtwin.fmu.native import fmu_step
from packtwin.fmu.opening import open_stepping
from packtwin.fmu.sensitivities import FmuSensitivities, fmu_sensitivities
from packtwin.fmu.signals import Signals
from packtwin.fmu.smooth_inputs import smooth_inputs
from packtwin.fmu.snapshot import Snapshot
from packtwin.fmu.start_values import Start, StartValues
from packtwin.fmu.stepping import AbstractStepping, Standing
from packtwin.twin.component import Capabilities, StepReport, seconds
from packtwin.twin.errors import FmuError
from packtwin.twin.native_step import NativeStep
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface

__all__ = ["FmuComponent"]

logger = logging.getLogger(__name__)

Vector: TypeAlias = NDArray[np.float64]


@final
class FmuComponent:
    """An FMU for co-simulation or model exchange as a component.

    Names, units and start values come from the model description; a name that does not
    end in its SI unit is given one (see `packtwin.fmu.variable_map`). Arrays are taken
    apart; strings, binaries, clocks and what only clocks let touch are `left_out`.
    `close` frees the instance and the temporary folder; so does losing the last
    reference.

    Attributes:
        file: The FMU.
        kind: Which of its kinds is used.
        starts: Chosen start values, in the FMU's own terms.
        mapped: How inputs, outputs and parameters map to the FMU's variables.
    """

    def __init__(  # noqa: PLR0913 (keywords of the one way to make it)
        self,
        source: Path | str | FmuFile,
        *,
        name: str | None = None,
        parameters: Mapping[str, float] | None = None,
        names: Mapping[str, str] | None = None,
        kind: Kind | None = None,
        relative_tolerance: float = 1e-8,
        reports_events: bool = False,
        starts: Mapping[str, Start] | None = None,
    ) -> None:
        """Read, extract, load and instantiate an FMU.

        Args:
            source: The FMU file; an `FmuFile` that is kept saves reading it again.
            name: Name in the system and of the instance; the model's by default.
            parameters: Parameter values other than their start values, in our units.
            names: Our name for some of the FMU's variables.
            kind: Which kind to use if the FMU has both; co-simulation by default.
            relative_tolerance: Of the integrator in model exchange.
            reports_events: End a step at an event, for a master that handles it;
                otherwise events are handled inside the step.
            starts: Start values by the FMU's own names and in its own units, of any
                type: texts, items of enumerations, arrays, sizes of arrays. They are
                set after `parameters`.

        Raises:
            FmuError: The file cannot be used here; the message says why.
        """
        self._is_owner = not isinstance(source, FmuFile)
        self.file = source if isinstance(source, FmuFile) else FmuFile(source)
        description, self._path = self.file.description, self.file.path
        self.kind = choose_kind(description, kind, self._path)
        self._relative_tolerance = relative_tolerance
        self._reports_events = reports_events
        self._flags = kind_flags(description, self.kind, self._path)
        self._step_size = getattr(description.defaultExperiment, "stepSize", None)
        self._name = name or description.modelName or self._flags.modelIdentifier
        self.starts = StartValues(
            description, self.file.dialect, self._path, starts or {}
        )
        self._parameters = dict(parameters or {})
        self.mapped = self.file.interface(
            self._parameters, names or {}, self.starts.sizes
        )
        if self.left_out:
            missing = ", ".join(f"`{left}`" for left in self.left_out)
            logger.warning(
                "`%s` (`%s`) runs without %s.", self.name, self._path, missing
            )
        self._smooth = smooth_inputs(self.file, self.kind, self.mapped.inputs)
        self._derivatives = Derivatives(self.file, self.kind, self.mapped)
        self._tell: Callable[[int], None] | None = None
        self._load()

    def _load(self) -> None:
        with ExitStack() as stack:
            if self._is_owner:
                stack.callback(self.file.close)
            self._instance = open_stepping(
                self.file,
                self.kind,
                self._name,
                self._smooth,
                self._relative_tolerance,
            )
            self._instance.stops_at_events = self._reports_events
            self._instance.tell = self._tell
            self._instance.never_rewinds = not self._flags.canGetAndSetFMUstate
            stack.callback(self._instance.close)
            self._signals = Signals(self.mapped, self._instance, self._smooth)
            self._advance = Advance(
                self._instance, self._signals, reports_events=self._reports_events
            )
            resources = stack.pop_all()
        self._is_started = self._is_initialized = False
        self._last = np.full(len(self.mapped.outputs), np.nan)
        self._finalizer = weakref.finalize(self, resources.close)

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters, in SI units."""
        return self.mapped.interface

    @property
    def left_out(self) -> tuple[str, ...]:
        """Inputs and outputs of the FMU that are no signals here, by its own names."""
        return self.mapped.left_out

    @property
    def capabilities(self) -> Capabilities:
        """What the FMU's flags promise."""
        has_variable_step = self.kind == "model-exchange" or bool(
            self._flags.canHandleVariableCommunicationStepSize
        )
        size = None if self._step_size is None else float(self._step_size)
        return Capabilities(
            can_rewind=bool(self._flags.canGetAndSetFMUstate),
            has_variable_step=has_variable_step,
            fixed_step_s=None if has_variable_step else size,
            input_order=self._smooth.order,
            has_output_derivatives=self._derivatives.has_output_slopes,
            can_differentiate=self._derivatives.is_directional,
            has_events=self._reports_events and self._instance.has_event_mode,
        )

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) from the model structure; all where it is silent."""
        return self.mapped.feedthrough

    def tell_events(self, tell: Callable[[int], None]) -> bool:
        """From now on call `tell` with the tick of each event inside a step."""
        self._tell = self._instance.tell = tell
        return self.kind == "model-exchange" or self._instance.has_event_mode

    @property
    def event_count(self) -> int:
        """Events handled inside steps since the start."""
        return self._instance.event_count

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start, or start over, at `tick` with inputs `u`; reopens after `close`."""
        if not self._instance.is_open:
            self._load()
        instance = self._open_instance()
        instance.log.clear()
        if self._is_started:
            instance.reset()
        self._is_started, self._is_initialized = True, False
        instance.standing = Standing()
        self.starts.configure(instance)
        changed = self.mapped.changed_parameters
        for channel in make_channels(changed, instance, "Set"):
            channel.write(self.mapped.changed_values)
        self.starts.write(instance)
        instance.begin(seconds(tick))
        self._signals.start(u)
        instance.finish()
        self._is_initialized = True
        instance.set_running(True)
        self._last = self._signals.read()
        return self._last.copy()

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance with inputs that are constant or, given as rows, polynomials.

        Events inside the step are handled there; a step that the FMU ends early is
        continued to its end. An FMU that discards the step gives a report with status
        REFUSED, its log text and the time up to which it did come; one that asks to end
        the simulation gives ENDED instead of further steps.

        Args:
            tick: Start.
            end_tick: End.
            u: Values `(n_u,)`, or time derivatives 0, 1, ... at the start `(m, n_u)`.

        Raises:
            FmuCallError: A call failed; the message holds the FMU's log text.
        """
        if not self._is_initialized:
            self._open_instance()
            msg = f"`{self.name}` was not initialized; call `initialize` first."
            raise FmuError(msg)
        return self._report(self._advance.step(tick, end_tick, u))

    def _report(self, end: StepEnd) -> StepReport:
        status, at, reason = end
        if status is StepStatus.OK:
            self._last = self._signals.read()
            return StepReport(outputs=self._last, end_tick=at)
        if status is StepStatus.EVENT:
            self._last = self._signals.read()
        return StepReport(
            outputs=self._last, end_tick=at, status=status, message=reason
        )

    def native_step(self) -> NativeStep | None:
        """Return the step in C for a co-simulation FMU without discrete inputs."""
        channels = self._signals.channels
        if self.kind != "co-simulation" or channels is None:
            return None
        return fmu_step(
            self._open_instance(),
            channels,
            lambda *step: self._report(self._advance.conclude(*step)),
            self.step,
        )

    def handle_event(self, tick: int, u: Vector) -> Vector:
        """Handle an event at `tick` with inputs `u` and return the outputs after it."""
        instance = self._open_instance()
        instance.event_count += 1
        instance.at_event(partial(self._signals.start, u))
        self._last = self._signals.read()
        return self._last.copy()

    def output_derivatives(self) -> Vector:
        """Return the time derivatives of the outputs where the FMU stands."""
        return self._derivatives.output_slopes(self._open_instance())

    def directional_derivative(self, du: Vector) -> Vector:
        """Return the derivative of the outputs along `du` at once."""
        return self._derivatives.along(self._open_instance(), du)

    def adjust(self, parameters: Mapping[str, float]) -> None:
        """Take other parameter values, in our units, from the next `initialize` on."""
        self._parameters |= parameters
        self.mapped = self.mapped.with_parameters(self._parameters)

    def sensitivities(self) -> FmuSensitivities | None:
        """Return the derivatives of its steps if packtwin exported it with them."""
        if self.kind != "co-simulation" or not self.capabilities.can_rewind:
            return None
        where = (self.file, self.mapped, self._open_instance())
        return fmu_sensitivities(*where, self.restore)

    def save(self) -> Snapshot:
        """Return the complete state.

        Raises:
            FmuError: The FMU cannot save its state.
        """
        if not self.capabilities.can_rewind:
            msg = (
                f"`{self.name}` (`{self._path}`) cannot save its state "
                f"(`canGetAndSet{self.file.dialect.state_name}` is false); use a "
                "master that does not rewind."
            )
            raise FmuError(msg)
        instance = self._open_instance()
        return Snapshot(
            token=self.file.token,
            saved=instance.save(),
            standing=instance.standing,
            discrete=self._signals.discrete,
            outputs=self._last,
        )

    def restore(self, state: Snapshot) -> None:
        """Go back to a saved state, also one that another process made bytes of.

        Raises:
            FmuError: Another component saved it, or this one before `close`.
        """
        state.put_back(self._open_instance(), self.file.token)
        self._signals.discrete = state.discrete
        self._last = state.outputs

    def close(self) -> None:
        """Free the instance and the temporary folder; idempotent."""
        self._is_initialized = False
        self._finalizer()

    def _open_instance(self) -> AbstractStepping:
        if not self._instance.is_open:
            msg = f"`{self.name}` is closed; call `initialize` first."
            raise FmuError(msg)
        return self._instance
