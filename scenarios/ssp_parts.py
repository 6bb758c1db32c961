"""The FMUs of a package, extracted, with their places and what links them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from packtwin.cosim.ssp_file import SspFile
from packtwin.cosim.ssp_graph import Place, SspGraph, Trace
from packtwin.cosim.ssp_placing import Placed, PlacedComponent, placed_elements
from packtwin.fmu.file import FmuFile
from packtwin.fmu.mapped_interface import Kind
from packtwin.fmu.start_values import enumeration_items, find_variable
from packtwin.fmu.variable_map import declared_unit, fmu_units
from packtwin.scenarios.ssp_units import find_unit
from packtwin.twin.errors import ScenarioError, WiringError
from packtwin.twin.units import Unit
from packtwin.twin.variable import nearest_names

__all__ = ["FmuPart", "SspParts"]

_KINDS: Mapping[str, Kind | None] = {
    "any": None,
    "CoSimulation": "co-simulation",
    "ModelExchange": "model-exchange",
}
_FED = ("input", "inout", "parameter", "structuralParameter")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuPart:
    """A component of a package with the FMU that it is.

    Attributes:
        placed: Where it is.
        name: Of the component in the system: its path, without dots.
        file: The FMU.
    """

    placed: PlacedComponent
    name: str
    file: FmuFile

    @property
    def kind(self) -> Kind | None:
        """Which kind of FMU the description asks for.

        Raises:
            WiringError: One that is not supported.
        """
        wanted = self.placed.component.implementation
        if wanted not in _KINDS:
            msg = (
                f"`{self.name}` asks for `{wanted}`, which is not supported; expected "
                f"{', '.join(_KINDS)}."
            )
            raise WiringError(msg)
        return _KINDS[wanted]

    def variable(self, name: str) -> Any:
        """Return a variable of the FMU."""
        return find_variable(self.file.description, name, self.file.path)

    def items(self, name: str) -> dict[str, float]:
        """Return the enumeration of a variable, or an empty one."""
        return enumeration_items(self.variable(name))

    def unit(self, name: str) -> Unit | None:
        """Return the unit of a variable, by the connector or by the FMU.

        Raises:
            WiringError: They contradict each other.
        """
        theirs = declared_unit(self.variable(name), fmu_units(self.file.description))
        connectors = {c.name: c for c in self.placed.component.connectors}
        said = connectors[name].unit if name in connectors else None
        if theirs is not None and said == theirs.name:
            return theirs
        stated = find_unit(self.placed.package, said, self.name)
        if theirs is None or stated is None:
            return theirs or stated
        is_alike = stated.is_convertible_to(theirs) and (
            (stated.factor, stated.offset) == (theirs.factor, theirs.offset)
        )
        if not is_alike:
            msg = (
                f"The connector `{name}` of `{self.name}` is in `{stated.name}`, but "
                f"its FMU says `{theirs.name}`; correct the connector."
            )
            raise WiringError(msg)
        return theirs

    def check_connectors(self) -> None:
        """Refuse connectors that the FMU does not have, or in other units."""
        for connector in self.placed.component.connectors:
            self.has(connector.name, f"The connector `{connector.name}`")
            self.unit(connector.name)

    def has(self, name: str, where: str, *, is_needed: bool = True) -> bool:
        """Return whether the FMU has a variable.

        Args:
            name: Of the variable.
            where: Who asks, for the error.
            is_needed: Whether it must.

        Raises:
            ScenarioError: It must and has not, with the nearest names.
        """
        known = [v.name for v in self.file.description.modelVariables]
        if name not in known and is_needed:
            msg = (
                f"{where} is applied to `{name}`, which "
                f"`{self.placed.component.source}` does not have; nearest: "
                f"{nearest_names(name, known)}."
            )
            raise ScenarioError(msg)
        return name in known


@final
class SspParts:
    """The components of a package and the ways to their connectors.

    Attributes:
        package: What was read.
        placed: All systems and components.
        by_path: The FMUs.
        traces: What feeds each connector that can be fed.
        graph: All connections.
    """

    def __init__(self, package: SspFile, stack: ExitStack) -> None:
        """Extract the FMUs; closing `stack` removes them.

        Raises:
            WiringError: A component without source, or a wrong connection.
        """
        self.package = package
        self.placed: tuple[Placed, ...] = tuple(placed_elements(package))
        self.graph = SspGraph(self.placed)
        self._folder = Path(tempfile.mkdtemp(prefix="packtwin-ssp-"))
        stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._files: dict[bytes, FmuFile] = {}
        self.by_path = {p.path: self._part(p, stack) for p in self._components()}
        if not self.by_path:
            msg = f"`{package.path}` has no FMUs, so there is nothing to run."
            raise WiringError(msg)
        for part in self.by_path.values():
            part.check_connectors()
        self.traces: dict[Place, list[Trace]] = {
            Place(path, connector.name): self.graph.traces(Place(path, connector.name))
            for path, part in self.by_path.items()
            for connector in part.placed.component.connectors
            if connector.kind in _FED
        }

    def _components(self) -> Iterator[PlacedComponent]:
        for item in self.placed:
            if isinstance(item, PlacedComponent):
                if item.component.source is None:
                    msg = (
                        f"The component `{'.'.join(item.path)}` has no source, so it "
                        "cannot run; give it an FMU."
                    )
                    raise WiringError(msg)
                yield item

    def _part(self, placed: PlacedComponent, stack: ExitStack) -> FmuPart:
        component = placed.component
        content = placed.package.component_file(component)
        if content not in self._files:
            stem = Path(component.source or "").name
            path = self._folder / f"{len(self._files)}" / stem
            path.parent.mkdir()
            path.write_bytes(content)
            self._files[content] = FmuFile(path)
            stack.callback(self._files[content].close)
        name = "/".join(part.replace(".", "_") for part in placed.path)
        return FmuPart(placed=placed, name=name, file=self._files[content])
