"""`System`: components and how they are connected, checked once when it is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import final

from packtwin.cosim.connection import Connection, Port
from packtwin.cosim.graph import find_cycle, sort_groups
from packtwin.twin.component import Component
from packtwin.twin.errors import InterfaceError, WiringError
from packtwin.twin.units import convert
from packtwin.twin.variable import Variable, nearest_names

__all__ = ["System"]


@final
@dataclass(frozen=True, slots=True, init=False)
class System:
    """Connected components, ready for any master.

    Attributes:
        components: In declared order, which decides where the connections do not.
        connections: Each input has exactly one driver: a connection or a constant.
        constants: Values of the inputs that nothing drives, by `component.variable`.
        loop_cuts: Connections that open all algebraic loops; empty if there are none.
    """

    components: tuple[Component, ...]
    connections: tuple[Connection, ...]
    constants: Mapping[str, float]
    loop_cuts: tuple[Connection, ...]

    def __init__(
        self,
        components: Sequence[Component],
        connections: Sequence[Connection] = (),
        *,
        constants: Mapping[str, float] | None = None,
        has_loops: bool = False,
    ) -> None:
        """Connect and check.

        Args:
            components: What to connect.
            connections: Which output feeds which input.
            constants: Values of the other inputs, by `component.variable`.
            has_loops: Allow algebraic loops; only masters that solve them run such a
                system, starting from the `start` of the inputs on the loop.

        Raises:
            WiringError: An unknown name, wrong unit, an input with no or two drivers,
                or an algebraic loop.
        """
        fixed = MappingProxyType({k: float(v) for k, v in (constants or {}).items()})
        object.__setattr__(self, "components", tuple(components))
        object.__setattr__(self, "connections", tuple(connections))
        object.__setattr__(self, "constants", fixed)
        _check_components(self.component_names)
        for connection in self.connections:
            self._check_connection(connection)
        for name, value in fixed.items():
            self._check_constant(name, value)
        self._check_drivers()
        cuts = tuple(self._find_loop_cuts(has_loops=has_loops))
        object.__setattr__(self, "loop_cuts", cuts)

    @property
    def component_names(self) -> tuple[str, ...]:
        """Names of the components in declared order."""
        return tuple(component.name for component in self.components)

    @property
    def output_names(self) -> tuple[str, ...]:
        """`component.variable` of every output, component by component."""
        return tuple(
            f"{component.name}.{variable}"
            for component in self.components
            for variable in component.interface.output_names
        )

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Components that undelayed connections tie in cycles, sources first."""
        graph: dict[str, list[str]] = {name: [] for name in self.component_names}
        for c in self.connections:
            if not c.is_delayed:
                graph[c.source.component].append(c.target.component)
        return sort_groups(graph)

    def component(self, name: str) -> Component:
        """Return a component by name."""
        for component in self.components:
            if component.name == name:
                return component
        known = nearest_names(name, self.component_names)
        msg = f"The system has no component `{name}`; nearest: {known}."
        raise WiringError(msg)

    def output(self, port: Port) -> Variable:
        """Return the variable of an output."""
        return self._variable(port, "output")

    def input(self, port: Port) -> Variable:
        """Return the variable of an input."""
        return self._variable(port, "input")

    def _variable(self, port: Port, role: str) -> Variable:
        interface = self.component(port.component).interface
        wanted, other, other_role = interface.inputs, interface.outputs, "output"
        if role == "output":
            wanted, other, other_role = interface.outputs, interface.inputs, "input"
        for variable in wanted:
            if variable.name == port.variable:
                return variable
        known = tuple(variable.name for variable in wanted)
        what = f"`{port.component}` has no {role} `{port.variable}`"
        if port.variable in {variable.name for variable in other}:
            what = f"`{port}` is an {other_role}, where an {role} is needed"
        offer = f"nearest {role}s: {nearest_names(port.variable, known)}"
        msg = f"{what}; {offer if known else f'it has no {role}s'}."
        raise WiringError(msg)

    def _check_connection(self, connection: Connection) -> None:
        try:
            source = self.output(connection.source)
            target = self.input(connection.target)
        except WiringError as error:
            msg = f"Cannot connect `{connection}`: {error}"
            raise WiringError(msg) from error
        if connection.linear is not None:
            return
        try:
            convert(source.start, source.unit, target.unit)
        except InterfaceError as error:
            msg = (
                f"Cannot connect `{connection.source}` in `{source.unit}` to "
                f"`{connection.target}` in `{target.unit}`: they measure different "
                "quantities; connect ports of one quantity."
            )
            raise WiringError(msg) from error

    def _check_constant(self, name: str, value: float) -> None:
        try:
            variable = self.input(Port.parse(name))
        except WiringError as error:
            msg = f"Cannot set the constant `{name}`: {error}"
            raise WiringError(msg) from error
        if not (math.isfinite(value) and variable.minimum <= value <= variable.maximum):
            msg = (
                f"The constant `{name}` is {value} {variable.unit}, expected a finite "
                f"value in [{variable.minimum}, {variable.maximum}] {variable.unit}."
            )
            raise WiringError(msg)

    def _check_drivers(self) -> None:
        drivers = dict.fromkeys(self.constants, "a constant")
        for connection in self.connections:
            target, source = str(connection.target), f"`{connection.source}`"
            if target in drivers:
                msg = (
                    f"The input `{target}` is driven twice, by {drivers[target]} and "
                    f"by {source}; keep one of them."
                )
                raise WiringError(msg)
            drivers[target] = source
        open_inputs = [
            f"`{component.name}.{variable.name}` [{variable.unit}]"
            for component in self.components
            for variable in component.interface.inputs
            if f"{component.name}.{variable.name}" not in drivers
        ]
        if open_inputs:
            msg = (
                f"Nothing drives {', '.join(open_inputs)}; connect an output or give a "
                "value in `constants`."
            )
            raise WiringError(msg)

    def _find_loop_cuts(self, *, has_loops: bool) -> Iterator[Connection]:
        graph = self._port_graph()
        while cycle := find_cycle(graph):
            ring = (*cycle, cycle[0])
            edges = set(pairwise(ring))
            cut = next(
                connection
                for connection in reversed(self.connections)
                if (str(connection.source), str(connection.target)) in edges
            )
            if not has_loops:
                raise WiringError(_loop_message(ring, cut))
            graph[str(cut.source)].remove(str(cut.target))
            yield cut

    def _port_graph(self) -> dict[str, list[str]]:
        graph: dict[str, list[str]] = {port: [] for port in self._port_names()}
        for connection in self.connections:
            if not connection.is_delayed:
                graph[str(connection.source)].append(str(connection.target))
        for component in self.components:
            for source, target in sorted(component.feedthrough):
                name = component.name
                try:
                    graph[f"{name}.{source}"].append(str(Port(name, target)))
                    self.output(Port(name, target))
                except (KeyError, WiringError) as error:
                    msg = (
                        f"`{name}` declares feedthrough from `{source}` to `{target}`, "
                        "which are not an input and an output of it; correct its "
                        "`feedthrough`."
                    )
                    raise WiringError(msg) from error
        return graph

    def _port_names(self) -> Iterator[str]:
        for component in self.components:
            for variable in (*component.interface.inputs, *component.interface.outputs):
                yield f"{component.name}.{variable.name}"


def _loop_message(ring: tuple[str, ...], cut: Connection) -> str:
    return (
        f"Algebraic loop: {' -> '.join(f'`{port}`' for port in ring)}; each "
        "depends at once on the one before. Mark one of the connections as "
        f'delayed, for example Connection("{cut.source}", "{cut.target}", '
        "is_delayed=True), or say `has_loops=True` and take the master `Iterated`."
    )


def _check_components(names: tuple[str, ...]) -> None:
    if not names:
        msg = "A system needs at least one component; none was given."
        raise WiringError(msg)
    for name in names:
        if names.count(name) > 1:
            msg = f"Two components are called `{name}`; give each its own name."
            raise WiringError(msg)
        if not name or "." in name:
            msg = f"`{name}` cannot name a component: it is empty or has a dot in it."
            raise WiringError(msg)
