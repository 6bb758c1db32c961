"""`load_ssp`: a system structure package as a `System` that can be simulated."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, final

from packtwin.cosim.connection import Connection
from packtwin.cosim.ssp_file import MAIN, SspFile
from packtwin.cosim.ssp_graph import Place
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.scenarios.ssp_parts import SspParts
from packtwin.scenarios.ssp_starts import SspStarts
from packtwin.scenarios.ssp_units import find_unit, line_through
from packtwin.scenarios.ssp_wiring import wire

__all__ = ["LoadedSsp", "Loops", "Route", "load_ssp"]

Loops: TypeAlias = Literal["delay", "solve"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way between a connector of the package and a port of a component.

    Attributes:
        port: `component.variable`.
        line: `(factor, offset)` of what happens on the way, from the number given to
            the one received, each in the unit of the connector or of the FMU.
    """

    port: str
    line: tuple[float, float]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class LoadedSsp:
    """A package as a system; `close` removes the extracted FMUs.

    Attributes:
        package: What was read.
        system: Its components, called by their paths: `plant/pack` for `pack` in
            `plant`.
        inputs: Inputs of components by the name of the package's input that feeds them.
        outputs: Outputs of components by the name of the package's output.
        delayed: Connections that carry the value before the step because they close an
            algebraic loop.
        start_s: From the default experiment.
        stop_s: From the default experiment, None if it has none.
        step_s: The smallest that an FMU proposes, None if none does.
        resources: The extracted FMUs.
    """

    package: SspFile
    system: System
    inputs: Mapping[str, tuple[Route, ...]]
    outputs: Mapping[str, Route]
    delayed: tuple[Connection, ...]
    start_s: float
    stop_s: float | None
    step_s: float | None
    resources: ExitStack

    def close(self) -> None:
        """Close the components and remove the extracted FMUs; idempotent."""
        for component in self.system.components:
            component.close()
        self.resources.close()

    def __enter__(self) -> LoadedSsp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_ssp(
    source: Path | str | SspFile,
    *,
    variant: str = MAIN,
    ignores_unknown: bool = False,
    loops: Loops = "delay",
) -> LoadedSsp:
    """Make a system of a package: extract, parametrise and connect its FMUs.

    Args:
        source: The file, or what was read of it.
        variant: The description to use.
        ignores_unknown: Pass over parameters that are nowhere.
        loops: What to do with algebraic loops: let one connection of each carry the
            value before the step, or leave them to a master that solves them.

    Raises:
        ScenarioError: The package or a parameter is wrong.
        WiringError: A connection is wrong.
        FmuError: An FMU cannot be used here.
    """
    if not isinstance(source, SspFile):
        source = SspFile.read(source, variant=variant)
    with ExitStack() as stack:
        parts = SspParts(source, stack)
        loaded = _load(parts, SspStarts(parts, ignores_unknown), loops, stack)
    weakref.finalize(loaded, loaded.resources.close)
    return loaded


def _load(
    parts: SspParts, starts: SspStarts, loops: Loops, stack: ExitStack
) -> LoadedSsp:
    components = {
        part.name: FmuComponent(
            part.file, name=part.name, kind=part.kind, starts=starts.of(path)
        )
        for path, part in parts.by_path.items()
    }
    connections = list(_connections(parts, components))
    fed = {str(c.target) for c in connections}
    constants = {
        name: value
        for path, part in parts.by_path.items()
        for name, value in starts.of_inputs(path, components[part.name]).items()
        if name not in fed
    }
    system, delayed = _system(components, connections, constants, loops)
    experiment = parts.package.structure.experiment
    proposed = [
        float(part.file.description.defaultExperiment.stepSize)
        for part in parts.by_path.values()
        if getattr(part.file.description.defaultExperiment, "stepSize", None)
    ]
    return LoadedSsp(
        package=parts.package,
        system=system,
        inputs=_inputs(parts, components),
        outputs=_outputs(parts, components),
        delayed=delayed,
        start_s=(experiment and experiment.start_s) or 0.0,
        stop_s=experiment and experiment.stop_s,
        step_s=min(proposed) if proposed else None,
        resources=stack.pop_all(),
    )


def _connections(
    parts: SspParts, components: Mapping[str, FmuComponent]
) -> Iterator[Connection]:
    found = [
        (trace.rank, place, trace) for place, t in parts.traces.items() for trace in t
    ]
    for _, place, trace in sorted(found, key=lambda item: item[0]):
        source, target = parts.by_path.get(trace.source.path), parts.by_path[place.path]
        if source is not None:
            yield from wire(trace, (source, target), place.connector, components)


def _inputs(
    parts: SspParts, components: Mapping[str, FmuComponent]
) -> dict[str, tuple[Route, ...]]:
    found: dict[str, list[Route]] = {}
    for place, traces in parts.traces.items():
        part = parts.by_path[place.path]
        for trace in traces:
            if trace.source.path:
                continue
            hop, name = trace.hops[0], place.connector
            given = find_unit(hop.package, hop.unit[0], hop.label)
            line = line_through(trace.hops, given, part.unit(name), part.items(name))
            found.setdefault(trace.source.connector, []).extend(
                Route(port=f"{part.name}.{item.variable.name}", line=line)
                for item in components[part.name].mapped.inputs
                if item.fmu_name == name
            )
    return {name: tuple(routes) for name, routes in found.items()}


def _outputs(
    parts: SspParts, components: Mapping[str, FmuComponent]
) -> dict[str, Route]:
    found = {}
    for connector in parts.package.structure.system.connectors:
        for trace in parts.graph.traces(Place((), connector.name)):
            part = parts.by_path.get(trace.source.path)
            if part is None:
                continue
            name = trace.source.connector
            wanted = find_unit(parts.package, connector.unit, connector.name)
            line = line_through(trace.hops, part.unit(name), wanted, part.items(name))
            for item in components[part.name].mapped.outputs:
                if item.fmu_name == name:
                    port = f"{part.name}.{item.variable.name}"
                    found[connector.name] = Route(port=port, line=line)
    return found


def _system(
    components: Mapping[str, FmuComponent],
    connections: list[Connection],
    constants: Mapping[str, float],
    loops: Loops,
) -> tuple[System, tuple[Connection, ...]]:
    parts = list(components.values())
    system = System(parts, connections, constants=constants, has_loops=True)
    cuts = system.loop_cuts
    if not cuts or loops == "solve":
        return system, ()
    late = [
        Connection(c.source, c.target, c in cuts or c.is_delayed, linear=c.linear)
        for c in connections
    ]
    return System(parts, late, constants=constants), cuts
