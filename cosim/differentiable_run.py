"""`DifferentiableRun`: a run of a system as a function of some of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.adjoint_sweep import sweep_back
from packtwin.cosim.connection import Port
from packtwin.cosim.masters import AbstractExplicitMaster, GaussSeidel
from packtwin.cosim.stepper import Stepper
from packtwin.cosim.system import System
from packtwin.cosim.tangent_sweep import Direction, sweep_forward
from packtwin.cosim.tape import Tape
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import Component
from packtwin.twin.component_roles import AdjustableComponent, SensitiveComponent
from packtwin.twin.errors import WiringError
from packtwin.twin.sensitivities import StepSensitivities
from packtwin.twin.variable import nearest_names

__all__ = ["DifferentiableRun", "GradientMethod"]

Vector: TypeAlias = NDArray[np.float64]
GradientMethod: TypeAlias = Literal["adjoint", "tangent"]
Known: TypeAlias = list[StepSensitivities | None]

_DEFAULT_MASTER = GaussSeidel()


@final
class DifferentiableRun:
    """Outputs at the communication points as a function of parameters and constants.

    Where every component knows the derivatives of its steps (native step maps, FMUs
    that packtwin exported), weights are carried backwards through the run (`adjoint`):
    the gradient of a loss is exact and costs as much as a few runs, however many
    parameters there are. Otherwise tangents are carried forwards for each parameter
    (`tangent`), through components that do not know them by central differences of
    their steps. The FMUs are not closed between runs; `close` does that.

    Attributes:
        parameters: `component.variable` of parameters of components and of constants.
        outputs: `component.variable` of outputs, the columns of `values`.
        times_s: Communication points, the rows of `values`.
        start: Values of the parameters that the system has.
    """

    def __init__(  # noqa: PLR0913 (keywords of the one entry point)
        self,
        system: System,
        *,
        parameters: Sequence[str],
        outputs: Sequence[str],
        stop_s: float,
        step_s: float,
        start_s: float = 0.0,
        master: AbstractExplicitMaster = _DEFAULT_MASTER,
        method: GradientMethod | None = None,
    ) -> None:
        """Prepare runs; none is made yet.

        Args:
            system: What to run.
            parameters: Parameters of components and constants of the system to vary.
            outputs: Outputs to return.
            stop_s: End.
            step_s: Communication step.
            start_s: Start.
            master: One that holds inputs over a step.
            method: By default `adjoint` where it can be.

        Raises:
            WiringError: A name is unknown, or a component cannot rewind.
        """
        for component in system.components:
            if not component.capabilities.can_rewind:
                msg = (
                    f"`{component.name}` cannot rewind, so a run with it has no "
                    "gradient here; take differences of whole runs."
                )
                raise WiringError(msg)
        self.parameters, self.outputs = tuple(parameters), tuple(outputs)
        self._grid = TimeGrid.from_seconds(start_s, stop_s, step_s)
        self.times_s = self._grid.times_s(self._grid.count + 1)
        self._stepper = master.stepper(system, first_ticks=self._grid.first_ticks)
        self._slots = self._stepper.slots
        self._directions = [
            _direction(system, self._stepper, name) for name in self.parameters
        ]
        self.start = np.array([d.value for d in self._directions], dtype=np.float64)
        self._columns = [_place(system, name) for name in self.outputs]
        self._wanted = method
        self._tape: Tape | None = None
        self._ran_with = self.start
        self._provenance: dict[str, str] = {}

    @property
    def provenance(self) -> dict[str, str]:
        """How the last gradient was made, and through which components how."""
        return dict(self._provenance)

    def values(self, parameters: Vector) -> Vector:
        """Run and return the outputs, `(n_time, n_outputs)`.

        Raises:
            StepError: A component failed.
        """
        return self._run(parameters).values.copy()

    def gradient(self, parameters: Vector, weights: Vector) -> Vector:
        """Return the gradient of `sum(weights * values(parameters))`.

        Args:
            parameters: Where; a run that `values` just made there is used again.
            weights: `(n_time, n_outputs)`.

        Raises:
            StepError: A component failed, or does not repeat its steps.
            WiringError: `adjoint` was asked for and is not possible.
        """
        tape = self._run(parameters)
        known = [_sensitivities(slot.component) for slot in self._slots]
        missing = [
            slot.component.name
            for i, (slot, one) in enumerate(zip(self._slots, known, strict=True))
            if one is None and self._is_influenced(i)
        ]
        names = ", ".join(f"`{name}`" for name in missing)
        if self._wanted == "adjoint" and missing:
            msg = (
                f"{names} cannot tell the derivatives of steps, so there is no "
                "`adjoint` gradient; take the method `tangent`."
            )
            raise WiringError(msg)
        method = self._wanted or ("tangent" if missing else "adjoint")
        self._provenance = {
            "gradient": method,
            "by differences": ", ".join(missing) or "none",
            "order": str(self._stepper.order),
        }
        if method == "adjoint":
            return self._by_adjoint(tape, known, weights)
        return self._by_tangents(tape, known, weights)

    def close(self) -> None:
        """Close all components; the next run opens them again."""
        self._tape = None
        self._stepper.close()

    def _run(self, parameters: Vector) -> Tape:
        wanted = np.asarray(parameters, dtype=np.float64)
        if self._tape is not None and np.array_equal(wanted, self._ran_with):
            return self._tape
        self._tape = None
        for i, value in enumerate(wanted.tolist()):
            direction = replace(self._directions[i], value=value)
            self._directions[i] = direction
            if direction.slot < 0:
                self._stepper.values[direction.place] = value
            else:
                component = self._slots[direction.slot].component
                cast(AdjustableComponent, component).adjust({direction.name: value})
        self._tape = Tape(self._stepper, self._grid, self._columns)
        self._ran_with = wanted.copy()
        return self._tape

    def _is_influenced(self, i: int) -> bool:
        has_inputs = bool(self._slots[i].inputs)
        return has_inputs or any(d.slot == i for d in self._directions)

    def _by_adjoint(self, tape: Tape, known: Known, weights: Vector) -> Vector:
        found = sweep_back(tape, self._slots, known, self._columns, weights)
        return np.array(
            [
                found.signals[d.place]
                if d.slot < 0
                else found.parameters[d.slot][d.place]
                for d in self._directions
            ]
        )

    def _by_tangents(self, tape: Tape, known: Known, weights: Vector) -> Vector:
        total = np.zeros(len(self._directions))

        def add(k: int, tangents: Vector) -> None:
            total[:] += weights[k] @ tangents[self._columns]

        sweep_forward(tape, self._slots, known, self._directions, add)
        return total


def _sensitivities(component: Component) -> StepSensitivities | None:
    if isinstance(component, SensitiveComponent):
        return component.sensitivities()
    return None


def _direction(system: System, stepper: Stepper, name: str) -> Direction:
    """Return the parameter of a component, or the constant, of that name."""
    port = Port.parse(name)
    if name in system.constants:
        place = len(system.output_names) + list(system.constants).index(name)
        return Direction(
            slot=-1,
            place=place,
            name=port.variable,
            value=system.constants[name],
            nominal=system.input(port).nominal,
        )
    component = system.component(port.component)
    known = component.interface.parameter_names
    if port.variable not in known or not isinstance(component, AdjustableComponent):
        names = [f"{port.component}.{other}" for other in known]
        near = nearest_names(name, (*names, *system.constants))
        msg = (
            f"`{name}` is neither a parameter that `{port.component}` lets change nor "
            f"a constant of the system; nearest: {near}."
        )
        raise WiringError(msg)
    at = known.index(port.variable)
    variable = component.interface.parameters[at]
    return Direction(
        slot=[slot.component.name for slot in stepper.slots].index(port.component),
        place=at,
        name=port.variable,
        value=variable.start,
        nominal=variable.nominal,
    )


def _place(system: System, name: str) -> int:
    system.output(Port.parse(name))
    return system.output_names.index(name)
