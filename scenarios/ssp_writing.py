"""`write_ssp`: a system of FMUs as a system structure package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

from lxml import etree  # type: ignore[import-untyped]

from packtwin.cosim.connection import Connection, Port
from packtwin.cosim.ssp_common import (
    SSC,
    SSD,
    Dimension,
    Enumeration,
    Item,
    SspUnit,
    Transformation,
    Version,
)
from packtwin.cosim.ssp_file import MAIN, SspFile, write_document
from packtwin.cosim.ssp_parameters import Parameter, ParameterSet, Value
from packtwin.cosim.ssp_signals import Connector, ConnectorType
from packtwin.cosim.ssp_structure import (
    DefaultExperiment,
    ParameterBinding,
    SspComponent,
    SspConnection,
    SspSystem,
    SystemStructure,
)
from packtwin.cosim.system import System
from packtwin.cosim.xml_record import Kept
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.start_values import find_variable
from packtwin.fmu.variable_map import MappedVariable, declared_unit, fmu_units
from packtwin.scenarios.ssp_units import line_between
from packtwin.scenarios.ssp_wiring import DELAYED, raw_line
from packtwin.twin.errors import WiringError
from packtwin.twin.units import Unit

__all__ = ["write_ssp"]

_PARAMETERS = "resources/parameters.ssv"
_KINDS = {"co-simulation": "CoSimulation", "model-exchange": "ModelExchange"}


def write_ssp(
    system: System,
    path: Path | str,
    *,
    name: str = "",
    version: Version = "2.0",
    start_s: float | None = None,
    stop_s: float | None = None,
) -> SspFile:
    """Write a system of FMUs as a package that says the same.

    The FMUs go to `resources/`, parameters and constant inputs to one parameter set
    that is applied to the whole system, delays into annotations.

    Args:
        system: Its components must be `FmuComponent`s.
        path: The file.
        name: Of the system; the file's by default.
        version: Of SSP. Version 1.0 has no arrays and fewer types.
        start_s: When the system is meant to be run.
        stop_s: Until when.

    Returns:
        What was written.

    Raises:
        WiringError: A component is no FMU.
        ScenarioError: Version 1.0 cannot hold it.
    """
    path = Path(path)
    name = name or path.stem
    writer = _Writer(system, version)
    parameters = tuple(writer.parameters())
    structure = SystemStructure(
        version=version,
        name=name,
        system=SspSystem(
            name=name,
            bindings=(ParameterBinding(source=_PARAMETERS),),
            elements=tuple(writer.components()),
            connections=tuple(writer.connection(c) for c in system.connections),
        ),
        enumerations=tuple(writer.enumerations.values()),
        units=tuple(SspUnit.from_unit(unit) for unit in writer.units.values()),
        experiment=DefaultExperiment(start_s=start_s, stop_s=stop_s),
    )
    values = ParameterSet(
        version=version,
        name=name,
        parameters=parameters,
        units=structure.units,
    )
    documents = {
        MAIN: write_document(structure),
        _PARAMETERS: write_document(values),
    }
    package = SspFile.of_members(path, documents | writer.resources)
    package.write(path)
    return package


@final
class _Writer:
    def __init__(self, system: System, version: Version) -> None:
        self._system, self._version = system, version
        self.units: dict[str, Unit] = {}
        self.enumerations: dict[str, Enumeration] = {}
        self.resources: dict[str, bytes] = {}
        self._fmus: dict[str, FmuComponent] = {}
        for component in system.components:
            if not isinstance(component, FmuComponent):
                msg = (
                    f"`{component.name}` is a `{type(component).__name__}`, but an SSP "
                    "holds FMUs; export it with `export_fmu` and use the FMU."
                )
                raise WiringError(msg)
            self._fmus[component.name] = component

    def components(self) -> Iterator[SspComponent]:
        """Yield the components and collect what they refer to."""
        sources: dict[bytes, str] = {}
        for name, fmu in self._fmus.items():
            content = fmu.file.path.read_bytes()
            if content not in sources:
                sources[content] = self._free_name(fmu.file.path.stem)
                self.resources[sources[content]] = content
            connectors: dict[str, Connector] = {}
            for kind, items in (
                ("input", fmu.mapped.inputs),
                ("output", fmu.mapped.outputs),
            ):
                for item in items:
                    connectors[item.fmu_name] = self._connector(fmu, item, kind)
            yield SspComponent(
                name=name,
                source=sources[content],
                implementation=_KINDS[fmu.kind],
                connectors=tuple(connectors.values()),
            )

    def connection(self, connection: Connection) -> SspConnection:
        """Return a connection in terms of the FMUs' names and numbers."""
        source_fmu, source = self._find(connection.source, "outputs")
        target_fmu, target = self._find(connection.target, "inputs")
        line = raw_line(connection, source, target)
        usual = (1.0, 0.0)
        ours = self._unit(source_fmu, source.fmu_name)
        theirs = self._unit(target_fmu, target.fmu_name)
        if ours is not None and theirs is not None and ours.is_convertible_to(theirs):
            usual = line_between(ours, theirs)
        size = 1.0 + abs(usual[1])
        is_usual = abs(line[0] / usual[0] - 1.0) < 1e-14 and (
            abs(line[1] - usual[1]) < 1e-13 * size
        )
        marks = (_annotation(DELAYED),) if connection.is_delayed else ()
        return SspConnection(
            start_element=connection.source.component,
            start_connector=source.fmu_name,
            start_indices=self._indices(source_fmu, source),
            end_element=connection.target.component,
            end_connector=target.fmu_name,
            end_indices=self._indices(target_fmu, target),
            keeps_units=not is_usual,
            transformation=None if is_usual else Transformation.linear(*line),
            kept=Kept(elements=marks),
        )

    def parameters(self) -> Iterator[Parameter]:
        """Yield chosen parameters, start values and constants, in the FMUs' units."""
        for name, fmu in self._fmus.items():
            for item, value in zip(
                fmu.mapped.changed_parameters, fmu.mapped.changed_values, strict=True
            ):
                theirs = (float(value) - item.offset) / item.factor
                yield self._parameter(name, fmu, item.fmu_name, (theirs,))
            for start in fmu.starts.values:
                yield self._parameter(name, fmu, start.variable.name, start.elements)
            inputs: dict[str, list[float]] = {}
            for item in fmu.mapped.inputs:
                port = f"{name}.{item.variable.name}"
                if port in self._system.constants:
                    value = self._system.constants[port]
                    theirs = (value - item.offset) / item.factor
                    inputs.setdefault(item.fmu_name, []).append(theirs)
            for variable, numbers in inputs.items():
                yield self._parameter(name, fmu, variable, tuple(numbers))

    def _parameter(
        self, name: str, fmu: FmuComponent, variable: str, elements: tuple[Any, ...]
    ) -> Parameter:
        scalar = find_variable(fmu.file.description, variable, fmu.file.path)
        kind = self._type(scalar.type)
        if scalar.type == "Enumeration":
            kind = self._type("Int64")  # numbers, which every reader understands
        is_integer = kind.startswith(("Int", "UInt"))
        if kind == "Boolean":
            texts = [str(bool(e)).lower() for e in elements]
        elif kind == "Binary":
            texts = [bytes(e).hex() for e in elements]
        elif kind == "String":
            texts = [e if isinstance(e, str) else e.decode() for e in elements]
        else:
            texts = [str(round(e)) if is_integer else repr(float(e)) for e in elements]
        unit = self._unit(fmu, variable)
        value = Value.of(kind, texts, unit and unit.name)
        dimensions = (Dimension(size=len(elements)),) if len(elements) > 1 else ()
        return Parameter(name=f"{name}.{variable}", value=value, dimensions=dimensions)

    def _connector(
        self, fmu: FmuComponent, item: MappedVariable, kind: str
    ) -> Connector:
        scalar = find_variable(fmu.file.description, item.fmu_name, fmu.file.path)
        unit = self._unit(fmu, item.fmu_name)
        name = self._type(scalar.type)
        is_enumeration = name == "Enumeration"
        return Connector(
            name=item.fmu_name,
            kind=kind,
            type=ConnectorType(
                type=name,
                unit=unit.name if unit and name.startswith(("Real", "Float")) else None,
                enumeration=self._enumeration(scalar) if is_enumeration else None,
            ),
            dimensions=tuple(Dimension(size=size) for size in fmu.starts.shape(scalar)),
        )

    def _type(self, kind: str) -> str:
        """Return the type of a connector for one of FMI."""
        if self._version == "2.0":
            return kind
        if kind.startswith("Float"):
            return "Real"
        return "Integer" if kind.startswith(("Int", "UInt")) else kind

    def _enumeration(self, scalar: Any) -> str:
        declared = scalar.declaredType
        items = tuple(Item(name=i.name, value=int(i.value)) for i in declared.items)
        name = str(declared.name)
        while self.enumerations.get(name, Enumeration(name="")).items not in (
            (),
            items,
        ):
            name += "_"  # two FMUs mean different things by one name
        self.enumerations[name] = Enumeration(name=name, items=items)
        return name

    def _unit(self, fmu: FmuComponent, name: str) -> Unit | None:
        """Return the unit of a variable and note it, if it is known."""
        description = fmu.file.description
        scalar = find_variable(description, name, fmu.file.path)
        unit = declared_unit(scalar, fmu_units(description))
        if unit is not None:
            known = self.units.setdefault(unit.name, unit)
            if known != unit:  # two FMUs mean different things by one name
                return None
        return unit

    def _find(self, port: Port, group: str) -> tuple[FmuComponent, MappedVariable]:
        fmu = self._fmus[port.component]
        items: tuple[MappedVariable, ...] = getattr(fmu.mapped, group)
        return fmu, next(i for i in items if i.variable.name == port.variable)

    def _indices(self, fmu: FmuComponent, item: MappedVariable) -> tuple[int, ...]:
        scalar = find_variable(fmu.file.description, item.fmu_name, fmu.file.path)
        shape = fmu.starts.shape(scalar)
        if not shape:
            return ()
        place = int(re.findall(r"\[(\d+)\]\Z", item.variable.name)[0]) - 1
        indices: list[int] = []
        for size in reversed(shape):
            place, rest = divmod(place, size)
            indices.insert(0, rest + 1)
        return tuple(indices)

    def _free_name(self, stem: str) -> str:
        name, n = f"resources/{stem}.fmu", 2
        while name in self.resources:
            name, n = f"resources/{stem}_{n}.fmu", n + 1
        return name


def _annotation(kind: str) -> bytes:
    """Return the element `Annotations` with one empty annotation."""
    whole = etree.Element(f"{SSD}Annotations", nsmap={"ssd": SSD[1:-1]})
    etree.SubElement(whole, f"{SSC}Annotation", nsmap={"ssc": SSC[1:-1]}, type=kind)
    content: bytes = etree.tostring(whole, method="c14n", exclusive=True)
    return content
