"""Masters: in which order components are stepped, and with which values.

Both are explicit and of first order in the step: each component is stepped once with
inputs held constant. They differ in what a connection carries during a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from packtwin.cosim.graph import sort_groups
from packtwin.cosim.stepper import StepOrder
from packtwin.cosim.system import System

__all__ = ["AbstractMaster", "GaussSeidel", "Jacobi"]


class AbstractMaster(ABC):
    """Decides how a system is stepped."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Name for reports."""
        return type(self).__name__

    @abstractmethod
    def order(self, system: System) -> StepOrder:
        """Return the order of steps and the connections that carry old values."""


@final
@dataclass(frozen=True, slots=True)
class Jacobi(AbstractMaster):
    """All components see the values at the start of the step, in any order."""

    @override
    def order(self, system: System) -> StepOrder:
        return StepOrder(components=system.component_names, lagged=system.connections)


@final
@dataclass(frozen=True, slots=True)
class GaussSeidel(AbstractMaster):
    """Components see what those before them found in the same step.

    The order follows the undelayed connections. Where they form a cycle between
    components, the declared order decides, and its backward connections carry the
    values at the start of the step; so do all delayed ones. An output sampled as a
    mean over the step thus arrives in the very step it belongs to, and what one
    component gives the other receives.
    """

    @override
    def order(self, system: System) -> StepOrder:
        graph: dict[str, list[str]] = {name: [] for name in system.component_names}
        for connection in system.connections:
            if not connection.is_delayed:
                targets = graph[connection.source.component]
                targets.append(connection.target.component)
        order = tuple(name for group in sort_groups(graph) for name in group)
        rank = {name: i for i, name in enumerate(order)}
        return StepOrder(
            components=order,
            lagged=tuple(
                c
                for c in system.connections
                if c.is_delayed or rank[c.source.component] >= rank[c.target.component]
            ),
        )
