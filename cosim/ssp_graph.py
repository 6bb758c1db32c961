"""From nested systems to components and links: who feeds whom, through which hops.

Systems and signal dictionaries only pass values on. Every input of a component is
traced back, through their connectors, to the output that feeds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias, final

from packtwin.cosim.ssp_common import Transformation
from packtwin.cosim.ssp_file import SspFile
from packtwin.cosim.ssp_placing import Path, Placed, PlacedSystem
from packtwin.cosim.ssp_signals import Connector
from packtwin.cosim.ssp_structure import DictionaryReference, SspConnection, SspElement
from packtwin.twin.errors import WiringError
from packtwin.twin.variable import nearest_names

__all__ = [
    "Hop",
    "Place",
    "SspGraph",
    "Trace",
]

Indices: TypeAlias = tuple[int, ...]

_GIVES = ("output", "local", "constant", "calculatedParameter")
_TAKES = ("input", "parameter", "structuralParameter")
_EITHER = ("inout", "unspecified")


@final
@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A connector: the path of its element below the root, and its name."""

    path: Path
    connector: str

    def __str__(self) -> str:
        return ".".join((*self.path, self.connector))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One connection on the way of a value.

    Attributes:
        source: Where it starts.
        label: What an error calls it.
        unit: Of the connector where it starts, and of the one where it ends.
        keeps_units: Do not convert.
        transformation: What happens after that.
        package: Whose units these are.
    """

    source: Place
    label: str
    unit: tuple[str | None, str | None]
    keeps_units: bool
    transformation: Transformation | None
    package: SspFile


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where a connector gets its value from.

    Attributes:
        source: The output of a component, or a connector that nothing feeds.
        source_indices: Element of an array there, or the whole.
        target_indices: Element of an array that is fed, or the whole.
        hops: From source to target.
        connections: Those of the hops that are connections.
        rank: Place of the last hop among all, as written.
    """

    source: Place
    source_indices: Indices
    target_indices: Indices
    hops: tuple[Hop, ...]
    connections: tuple[SspConnection, ...]
    rank: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    source: Place
    source_indices: Indices
    target_indices: Indices
    hop: Hop
    connection: SspConnection | None
    rank: int


@final
class SspGraph:
    """The connections of all systems of a package, to be followed backward."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        """Orient every connection by the kinds of its connectors.

        Raises:
            WiringError: An unknown element or connector, or two sources.
        """
        self._edges: dict[Place, list[_Edge]] = {}
        self._ranks = count()
        self._systems = {p.path: p for p in placed if isinstance(p, PlacedSystem)}
        for place in self._systems.values():
            self._add_dictionaries(place)
            for connection in place.system.connections:
                self._add(place, connection)

    def traces(self, place: Place) -> list[Trace]:
        """Return what feeds a connector: nothing, one source, or one per element."""
        found = list(self._follow(place, (), (), ()))
        return [trace for trace in found if trace.hops]

    def _follow(
        self, place: Place, indices: Indices, edges: tuple[_Edge, ...], target: Indices
    ) -> Iterator[Trace]:
        passed = {edge.source for edge in edges}
        is_fed = False
        for edge in self._edges.get(place, ()):
            if indices and edge.target_indices and indices != edge.target_indices:
                continue
            is_fed = True
            if edge.source in passed:  # a bus hears what it says
                continue
            is_part = bool(edge.target_indices) and not indices
            wanted = edge.source_indices
            if indices and not edge.target_indices and not wanted:
                wanted = indices
            part = edge.target_indices if is_part else target
            yield from self._follow(edge.source, wanted, (edge, *edges), part)
        if not is_fed:
            yield Trace(
                source=place,
                source_indices=indices,
                target_indices=target,
                hops=tuple(edge.hop for edge in edges),
                connections=tuple(e.connection for e in edges if e.connection),
                rank=edges[-1].rank if edges else 0,
            )

    def _add(self, place: PlacedSystem, connection: SspConnection) -> None:
        start, start_role = self._end(
            place, connection.start_element, connection.start_connector, connection
        )
        end, end_role = self._end(
            place, connection.end_element, connection.end_connector, connection
        )
        a = (start, connection.start_indices)
        b = (end, connection.end_indices)
        if start_role == "takes" or end_role == "gives":
            if start_role == "gives" or end_role == "takes":
                what = "inputs" if start_role == "takes" else "outputs"
                msg = (
                    f"The connection `{connection}` joins two {what}; connect an "
                    "output and an input."
                )
                raise WiringError(msg)
            a, b = b, a
        hop = Hop(
            source=a[0][0],
            label=f"`{connection}`",
            unit=(a[0][1].unit, b[0][1].unit),
            keeps_units=connection.keeps_units,
            transformation=connection.transformation,
            package=place.package,
        )
        edge = _Edge(
            source=a[0][0],
            source_indices=a[1],
            target_indices=b[1],
            hop=hop,
            connection=connection,
            rank=next(self._ranks),
        )
        self._edges.setdefault(b[0][0], []).append(edge)

    def _end(
        self,
        place: PlacedSystem,
        element_name: str | None,
        connector_name: str,
        connection: SspConnection,
    ) -> tuple[tuple[Place, Connector], str]:
        """Return one end of a connection and what it does seen from the system."""
        owner: SspElement = place.system
        path = place.path
        if element_name:
            elements = {e.name: e for e in place.system.elements}
            if element_name not in elements:
                near = nearest_names(element_name, list(elements)) or "none"
                msg = (
                    f"The connection `{connection}` names the element "
                    f"`{element_name}`, which `{place.system.name}` does not have; "
                    f"nearest: {near}."
                )
                raise WiringError(msg)
            owner, path = elements[element_name], (*path, element_name)
        connectors = {c.name: c for c in owner.connectors}
        if connector_name not in connectors:
            near = nearest_names(connector_name, list(connectors)) or "none"
            msg = (
                f"The connection `{connection}` names the connector "
                f"`{connector_name}`, which `{owner.name}` does not have; nearest: "
                f"{near}."
            )
            raise WiringError(msg)
        connector = connectors[connector_name]
        gives = _GIVES if element_name else _TAKES
        role = "gives" if connector.kind in gives else "takes"
        if connector.kind in _EITHER:
            role = "either"
        return (Place(path, connector_name), connector), role

    def _add_dictionaries(self, place: PlacedSystem) -> None:
        for element in place.system.elements:
            if not isinstance(element, DictionaryReference):
                continue
            path, units = self._dictionary(place, element)
            for connector in element.connectors:
                if connector.name not in units:
                    near = nearest_names(connector.name, list(units)) or "none"
                    msg = (
                        f"`{element.name}` shows `{connector.name}`, which its signal "
                        f"dictionary does not have; nearest: {near}."
                    )
                    raise WiringError(msg)
                ends = (
                    (
                        Place((*place.path, element.name), connector.name),
                        connector.unit,
                    ),
                    (Place(path, connector.name), units[connector.name]),
                )
                if connector.kind not in _GIVES:
                    self._join(place, *ends)
                if connector.kind not in _TAKES:
                    self._join(place, *reversed(ends))

    def _join(
        self,
        place: PlacedSystem,
        source: tuple[Place, str | None],
        target: tuple[Place, str | None],
    ) -> None:
        hop = Hop(
            source=source[0],
            label=f"`{source[0]}`",
            unit=(source[1], target[1]),
            keeps_units=False,
            transformation=None,
            package=place.package,
        )
        edge = _Edge(
            source=source[0],
            source_indices=(),
            target_indices=(),
            hop=hop,
            connection=None,
            rank=next(self._ranks),
        )
        self._edges.setdefault(target[0], []).append(edge)

    def _dictionary(
        self, place: PlacedSystem, reference: DictionaryReference
    ) -> tuple[Path, dict[str, str | None]]:
        """Return the nearest dictionary of that name: its path, and units by signal."""
        known: list[str] = []
        for n in range(len(place.path), -1, -1):
            outer = self._systems[place.path[:n]]
            for source in outer.system.dictionaries:
                known.append(source.name)
                if source.name == reference.dictionary:
                    entries = outer.package.signal_dictionary(source).entries
                    units = {e.name: e.type and e.type.unit for e in entries}
                    return (*outer.path, f"<{source.name}>"), units
        near = nearest_names(reference.dictionary, known) or "none"
        msg = (
            f"`{reference.name}` refers to the signal dictionary "
            f"`{reference.dictionary}`, which there is not; nearest: {near}."
        )
        raise WiringError(msg)
