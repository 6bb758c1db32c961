"""`compose`: a system of step maps as one step map, and hence as one FMU.

What the master `GaussSeidel` does in a communication step is written as one CasADi
function: the components one after the other, connections that carry old values as part
of the memory. Nothing is left to a runtime: the result is exported, saved, rewound and
differentiated like any other step map.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.cosim.connection import Connection, Port
from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.system import System
from packtwin.twin.component import StepMapComponent
from packtwin.twin.errors import WiringError
from packtwin.twin.step_map import StepMap
from packtwin.twin.units import UNITS
from packtwin.twin.variable import Interface, Variable

__all__ = ["compose"]

Symbol: TypeAlias = Any  # casadi.MX
Values: TypeAlias = dict[str, Symbol]


def compose(system: System, name: str) -> StepMap:
    """Return a system as one step map that does what `GaussSeidel` does in a step.

    Its inputs are the constants of the system, its outputs and parameters those of all
    components, each called `component_variable`. A step of it is one communication
    step; whoever takes it chooses the length. One longer than the shortest `substep_s`
    of a component is cut into several.

    Args:
        system: Of `StepMapComponent`s of step maps in CasADi.
        name: C identifier of the result.

    Raises:
        WiringError: A component is something else, or two names become one.
    """
    return _Composition(system).step_map(name)


@final
class _Composition:
    def __init__(self, system: System) -> None:
        self._system = system
        self._maps = {c.name: _step_map(c) for c in system.components}
        order = GaussSeidel().order(system)
        self._names, self._lagged = order.components, order.lagged
        self._sources = {str(c.target): c for c in system.connections}
        self._given = {port: ca.MX.sym("u") for port in system.constants}
        self._parameters = {
            component.name: ca.MX.sym("p", len(component.interface.parameters))
            for component in system.components
        }

    def step_map(self, name: str) -> StepMap:
        interfaces = {c.name: c.interface for c in self._system.components}
        interface = Interface(
            inputs=tuple(
                replace(
                    self._system.input(Port.parse(port)),
                    name=_flat(port),
                    start=self._system.constants[port],
                )
                for port in self._given
            ),
            outputs=tuple(
                replace(v, name=_flat(f"{component}.{v.name}"))
                for component, own in interfaces.items()
                for v in own.outputs
            ),
            parameters=tuple(
                replace(v, name=_flat(f"{component}.{v.name}"))
                for component, own in interfaces.items()
                for v in own.parameters
            ),
        )
        memory = tuple(
            replace(v, name=f"{_flat(component)}_{v.name}")
            for component, own in self._maps.items()
            for v in own.memory
        )
        old = tuple(
            Variable(name=f"old_{i}_value", start=0.0) for i in range(len(self._lagged))
        )
        u = ca.vertcat(*self._given.values())
        p = ca.vertcat(*self._parameters.values())
        return StepMap(
            name=name,
            interface=interface,
            memory=(*memory, *old),
            initialize=ca.Function("initialize", [u, p], self._initialize()),
            step=ca.Function("step", *self._step(u, p)),
            substep_s=min(m.substep_s for m in self._maps.values()),
        )

    def _initialize(self) -> list[Symbol]:
        """Return memory and outputs at the start.

        Components are started in their order again and again; each time settles what
        depends on one more connection against that order. Delayed connections first
        carry the starts of their inputs, then what came of it.
        """
        held: Values = {
            f"{component.name}.{v.name}": ca.MX(v.start)
            for component in self._system.components
            for v in component.interface.inputs
        }
        memories, outputs = self._settle(held)
        delayed = [c for c in self._system.connections if c.is_delayed]
        if delayed:
            held |= {str(c.target): self._arrived(c, outputs) for c in delayed}
            memories, outputs = self._settle(held)
        return self._stacked(memories, outputs)

    def _settle(self, held: Values) -> tuple[Values, Values]:
        inputs, memories, outputs = dict(held), dict[str, Symbol](), dict[str, Symbol]()
        for _ in range(1 + sum(not c.is_delayed for c in self._lagged)):
            for name in self._names:
                for port in self._ports(name):
                    source = self._sources.get(port)
                    if source is None:
                        inputs[port] = self._given[port]
                    elif not source.is_delayed and str(source.source) in outputs:
                        inputs[port] = self._arrived(source, outputs)
                u = ca.vertcat(*(inputs[port] for port in self._ports(name)))
                start = self._maps[name].initialize
                memories[name], y = start(u, self._parameters[name])
                self._keep(name, y, outputs)
        return memories, outputs

    def _step(self, u: Symbol, p: Symbol) -> tuple[list[Symbol], list[Symbol]]:
        """Return arguments and results of one communication step."""
        t, h = ca.MX.sym("t"), ca.MX.sym("h")
        before = {n: ca.MX.sym("m", m.n_memory) for n, m in self._maps.items()}
        old = {str(c.target): ca.MX.sym("old") for c in self._lagged}
        after: Values = {}
        outputs: Values = {}
        for name in self._names:
            own = self._maps[name]
            values = []
            for port in self._ports(name):
                source = self._sources.get(port)
                if source is None:
                    values.append(self._given[port])
                elif port in old:
                    values.append(old[port])
                else:
                    values.append(self._arrived(source, outputs))
            rates = ca.MX.zeros(len(values) * own.input_order)
            rows = ca.vertcat(*values, rates)
            after[name], y = own.step(before[name], t, h, rows, self._parameters[name])
            self._keep(name, y, outputs)
        memory = ca.vertcat(*before.values(), *old.values())
        return [memory, t, h, u, p], self._stacked(after, outputs)

    def _stacked(self, memories: Values, outputs: Values) -> list[Symbol]:
        return [
            ca.vertcat(
                *(memories[name] for name in self._maps),
                *(self._arrived(c, outputs) for c in self._lagged),
            ),
            ca.vertcat(*(outputs[name] for name in self._system.output_names)),
        ]

    def _keep(self, name: str, y: Symbol, outputs: Values) -> None:
        for i, variable in enumerate(self._maps[name].interface.output_names):
            outputs[f"{name}.{variable}"] = y[i]

    def _ports(self, name: str) -> list[str]:
        return [f"{name}.{v}" for v in self._maps[name].interface.input_names]

    def _arrived(self, connection: Connection, outputs: Values) -> Symbol:
        """Return what an input gets of an output."""
        value = outputs[str(connection.source)]
        if connection.linear is not None:
            return connection.linear.factor * value + connection.linear.offset
        a = UNITS[self._system.output(connection.source).unit]
        b = UNITS[self._system.input(connection.target).unit]
        if (a.factor, a.offset) == (b.factor, b.offset):
            return value
        return value * (a.factor / b.factor) + (a.offset - b.offset) / b.factor


def _step_map(component: Any) -> StepMap:
    step_map = getattr(component, "step_map", None)
    if not isinstance(component, StepMapComponent) or not isinstance(step_map, StepMap):
        msg = (
            f"`{component.name}` is a `{type(step_map or component).__name__}`, but "
            "only step maps in CasADi can be composed; write a package and make a "
            "container of it."
        )
        raise WiringError(msg)
    return step_map


def _flat(port: str) -> str:
    stem, bracket, index = port.partition("[")
    return re.sub(r"\W", "_", stem) + bracket + index
