"""Masters: in which order components are stepped, and with which values.

Both are explicit and of first order in the step: each component is stepped once with
inputs held constant. They differ in what a connection carries during a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from packtwin.cosim.abstract_stepper import AbstractStepper, StepOrder
from packtwin.cosim.adaptive_pace import AdaptivePace
from packtwin.cosim.measured_order import lagged_connections, measured_order
from packtwin.cosim.pace import EvenPace, Pace
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.smooth_stepper import SmoothStepper
from packtwin.cosim.stepper import Stepper
from packtwin.cosim.system import System
from packtwin.twin.errors import WiringError

__all__ = [
    "AbstractExplicitMaster",
    "AbstractMaster",
    "Adaptive",
    "GaussSeidel",
    "Iterated",
    "Jacobi",
]


class AbstractMaster(ABC):
    """Decides how a system is stepped."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Name for reports."""
        return type(self).__name__

    @abstractmethod
    def prepare(
        self,
        system: System,
        *,
        duration_s: float = 1.0,
        first_ticks: Sequence[int] = (),
        bonds: Sequence[PowerBond] = (),
        has_timing: bool = False,
    ) -> AbstractStepper:
        """Return a run of a system, not yet started.

        Args:
            system: What to step.
            duration_s: Length of the whole run.
            first_ticks: Of the first communication points, for a trial.
            bonds: Power bonds to account for.
            has_timing: Measure the seconds spent in each component.
        """


@dataclass(frozen=True, slots=True)
class AbstractExplicitMaster(AbstractMaster):
    """Steps each component once, with inputs held.

    Attributes:
        is_compiled: Loop in C, with the same bits; the result's provenance says which
            components it calls without Python, or why it does not.
    """

    is_compiled: bool = False

    @abstractmethod
    def order(self, system: System, first_ticks: Sequence[int] = ()) -> StepOrder:
        """Return the order of steps and the connections that carry old values.

        Args:
            system: What to step.
            first_ticks: Of the first communication points, for a trial.
        """

    @override
    def prepare(
        self,
        system: System,
        *,
        duration_s: float = 1.0,
        first_ticks: Sequence[int] = (),
        bonds: Sequence[PowerBond] = (),
        has_timing: bool = False,
    ) -> AbstractStepper:
        return self.stepper(
            system, first_ticks=first_ticks, bonds=bonds, has_timing=has_timing
        )

    def stepper(
        self,
        system: System,
        *,
        first_ticks: Sequence[int] = (),
        bonds: Sequence[PowerBond] = (),
        has_timing: bool = False,
    ) -> Stepper:
        """Return a run of a system; see `prepare`."""
        if system.loop_cuts:
            cuts = ", ".join(f"`{c}`" for c in system.loop_cuts)
            msg = (
                f"`{self.name}` cannot solve the algebraic loops through {cuts}; take "
                "the master `Iterated`, or delay these connections."
            )
            raise WiringError(msg)
        return Stepper(
            system,
            self.order(system, first_ticks),
            bonds=bonds,
            has_timing=has_timing,
            wants_c=self.is_compiled,
        )


@final
@dataclass(frozen=True, slots=True)
class Jacobi(AbstractExplicitMaster):
    """All components see the values at the start of the step, in any order."""

    @override
    def order(self, system: System, first_ticks: Sequence[int] = ()) -> StepOrder:
        return StepOrder(components=system.component_names, lagged=system.connections)


@final
@dataclass(frozen=True, slots=True)
class GaussSeidel(AbstractExplicitMaster):
    """Components see what those before them found in the same step.

    The order follows the undelayed connections. Where they form a cycle between
    components, the declared order decides, and its backward connections carry the
    values at the start of the step; so do all delayed ones. An output sampled as a
    mean over the step thus arrives in the very step it belongs to, and what one
    component gives the other receives.

    Attributes:
        is_measured: Let a trial at the start decide in a cycle, and not the declared
            order: the weakest couplings carry old values. The provenance says how.
    """

    is_measured: bool = False

    @override
    def order(self, system: System, first_ticks: Sequence[int] = ()) -> StepOrder:
        order = tuple(name for group in system.groups for name in group)
        lagged = lagged_connections(system, order)
        declared = StepOrder(components=order, lagged=lagged)
        if not self.is_measured:
            return declared
        return measured_order(system, declared, first_ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstractSmoothMaster(AbstractMaster):
    """Components exchange smooth signals, iterated until both sides agree.

    Attributes:
        iteration_limit: Corrections in one step at most.
        substep_count: Substeps of components that do not take cubic inputs.
    """

    iteration_limit: int = 25
    substep_count: int = 1

    @property
    @abstractmethod
    def iteration_tolerance(self) -> float:
        """Of the exchanged signals, as a fraction of their size or nominal."""

    @abstractmethod
    def pace(self, duration_s: float) -> Pace:
        """Return the choice of steps for a run of that length."""

    @override
    def prepare(
        self,
        system: System,
        *,
        duration_s: float = 1.0,
        first_ticks: Sequence[int] = (),
        bonds: Sequence[PowerBond] = (),
        has_timing: bool = False,
    ) -> AbstractStepper:
        return SmoothStepper(
            system,
            tolerance=self.iteration_tolerance,
            iteration_limit=self.iteration_limit,
            substep_count=self.substep_count,
            pace=self.pace(duration_s),
            bonds=bonds,
            has_timing=has_timing,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Iterated(AbstractSmoothMaster):
    """Components exchange smooth signals, iterated until both sides agree.

    Between two communication points a signal is the cubic with the values and time
    derivatives that its source has at both. Of fourth order where components take
    cubic inputs and can rewind; see `docs/masters.md` for what others get. Each
    component gets the best it can take, and the result's provenance says which.
    M. Busch, ZAMM 96 (2016) 1061-1081, doi:10.1002/zamm.201500196.

    Attributes:
        tolerance: Of the exchanged signals, as a fraction of their size or nominal.
        iteration_limit: Corrections in one step at most; then the run fails.
        substep_count: Substeps of components that do not take cubic inputs.
    """

    tolerance: float = 1e-8

    @property
    @override
    def iteration_tolerance(self) -> float:
        return self.tolerance

    @override
    def pace(self, duration_s: float) -> Pace:
        return EvenPace()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive(AbstractSmoothMaster):
    """`Iterated` with steps as short as a tolerance asks, and no shorter.

    Every step is taken once whole and once in halves; the difference, scaled to the
    order of the scheme, is its error. The tolerance is the error of the whole run: each
    step may add its share by length, so that errors add up to it in a system that does
    not amplify them. Communication points (`step_s`) are met exactly and are the
    longest steps. All components must be able to rewind.

    Attributes:
        tolerance: Error of the outputs at the end, as a fraction of their size or
            `nominal`, whichever is larger.
        iteration_limit: Corrections in one step at most; then a shorter one is tried.
        substep_count: Substeps of components that do not take cubic inputs.
    """

    tolerance: float = 1e-4

    @property
    @override
    def iteration_tolerance(self) -> float:
        return min(1e-8, 1e-4 * self.tolerance)

    @override
    def pace(self, duration_s: float) -> Pace:
        return AdaptivePace(self.tolerance, duration_s)
