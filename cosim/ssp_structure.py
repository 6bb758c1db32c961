"""The system structure description (SSD) of an SSP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, final

from packtwin.cosim.ssp_common import (
    METADATA,
    SSC,
    SSD,
    SSM,
    SSV,
    Enumeration,
    SspUnit,
    Transformation,
    one_of,
    read_bool,
    read_float,
    read_int,
)
from packtwin.cosim.ssp_parameters import ParameterMapping, ParameterSet
from packtwin.cosim.ssp_signals import Connector, SignalDictionarySource
from packtwin.cosim.xml_record import (
    Kept,
    attribute,
    child,
    children,
    kept,
)

__all__ = [
    "DictionaryReference",
    "MappingReference",
    "ParameterBinding",
    "SspComponent",
    "SspConnection",
    "SspElement",
    "SspSystem",
    "SystemStructure",
]

SourceBase: TypeAlias = Literal["SSD", "component"]

_ELEMENT_ORDER = ("Connectors", "ElementGeometry", "ParameterBindings", *METADATA)


def read_indices(text: str) -> tuple[int, ...]:
    """Read a list of indices."""
    return tuple(read_int(word) for word in text.split())


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MappingReference:
    """Where the mapping of a binding is: in a file or right here."""

    type: str = attribute("type", str, "application/x-ssp-parameter-mapping")
    source: str | None = attribute("source", str, None)
    source_base: SourceBase = attribute("sourceBase", one_of("SSD", "component"), "SSD")
    mapping: ParameterMapping | None = child(
        {f"{SSM}ParameterMapping": ParameterMapping}
    )
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterBinding:
    """Parameters that are applied to an element: from a file or given right here."""

    order: ClassVar[tuple[str, ...]] = (
        *("ParameterValues", "ParameterMapping", *METADATA, "Annotations"),
    )
    type: str = attribute("type", str, "application/x-ssp-parameter-set")
    source: str | None = attribute("source", str, None)
    source_base: SourceBase = attribute("sourceBase", one_of("SSD", "component"), "SSD")
    prefix: str = attribute("prefix", str, "")
    values: ParameterSet | None = child(
        {f"{SSV}ParameterSet": ParameterSet}, f"{SSD}ParameterValues"
    )
    mapping: MappingReference | None = child(
        {f"{SSD}ParameterMapping": MappingReference}
    )
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SspConnection:
    """Two connectors that have one value. The kinds say which is the source.

    Attributes:
        start_element: Whose connector; None for the system's own.
        start_connector: Which.
        start_indices: Which element of an array, from 1; the whole by default.
        end_element: As `start_element`.
        end_connector: As `start_connector`.
        end_indices: As `start_indices`.
        keeps_units: Do not convert units.
        transformation: What happens to the value.
        kept: What is not understood.
    """

    order: ClassVar[tuple[str, ...]] = ("ConnectionGeometry", "Annotations")
    start_element: str | None = attribute("startElement", str, None)
    start_connector: str = attribute("startConnector")
    start_indices: tuple[int, ...] = attribute("startIndices", read_indices, ())
    end_element: str | None = attribute("endElement", str, None)
    end_connector: str = attribute("endConnector")
    end_indices: tuple[int, ...] = attribute("endIndices", read_indices, ())
    keeps_units: bool = attribute("suppressUnitConversion", read_bool, False)
    transformation: Transformation | None = child(Transformation.tags())
    kept: Kept = kept()

    def __str__(self) -> str:
        start = ".".join(filter(None, (self.start_element, self.start_connector)))
        return f"{start} -> " + ".".join(
            filter(None, (self.end_element, self.end_connector))
        )


_CONNECTORS = ({f"{SSD}Connector": Connector}, f"{SSD}Connectors")
_BINDINGS = ({f"{SSD}ParameterBinding": ParameterBinding}, f"{SSD}ParameterBindings")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SspComponent:
    """A component: usually an FMU."""

    order: ClassVar[tuple[str, ...]] = (*_ELEMENT_ORDER, "Annotations")
    name: str = attribute("name")
    type: str = attribute("type", str, "application/x-fmu-sharedlibrary")
    source: str | None = attribute("source", str, None)
    implementation: str = attribute(
        "implementation",
        one_of("any", "ModelExchange", "CoSimulation", "ScheduledExecution"),
        "any",
    )
    connectors: tuple[Connector, ...] = children(*_CONNECTORS)
    bindings: tuple[ParameterBinding, ...] = children(*_BINDINGS)
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DictionaryReference:
    """A place in a system from which signals of a dictionary can be reached."""

    order: ClassVar[tuple[str, ...]] = (*_ELEMENT_ORDER, "Annotations")
    name: str = attribute("name")
    dictionary: str = attribute("dictionary")
    connectors: tuple[Connector, ...] = children(*_CONNECTORS)
    bindings: tuple[ParameterBinding, ...] = children(*_BINDINGS)
    kept: Kept = kept()


_ELEMENTS = {f"{SSD}Component": SspComponent}
_ELEMENTS |= {f"{SSD}SignalDictionaryReference": DictionaryReference}  # type: ignore[dict-item]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SspSystem:
    """A system of elements, which may be systems."""

    order: ClassVar[tuple[str, ...]] = (
        *(*_ELEMENT_ORDER, "Elements", "Connections", "SignalDictionaries"),
        *("SystemGeometry", "GraphicalElements", "Annotations"),
    )
    name: str = attribute("name")
    connectors: tuple[Connector, ...] = children(*_CONNECTORS)
    bindings: tuple[ParameterBinding, ...] = children(*_BINDINGS)
    elements: tuple[SspElement, ...] = children(_ELEMENTS, f"{SSD}Elements")
    connections: tuple[SspConnection, ...] = children(
        {f"{SSD}Connection": SspConnection}, f"{SSD}Connections"
    )
    dictionaries: tuple[SignalDictionarySource, ...] = children(
        {f"{SSD}SignalDictionary": SignalDictionarySource},
        f"{SSD}SignalDictionaries",
    )
    kept: Kept = kept()


SspElement: TypeAlias = SspComponent | DictionaryReference | SspSystem
_ELEMENTS[f"{SSD}System"] = SspSystem  # type: ignore[assignment]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultExperiment:
    """From when to when the system is meant to be run, s."""

    start_s: float | None = attribute("startTime", read_float, None)
    stop_s: float | None = attribute("stopTime", read_float, None)
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStructure:
    """The root of an SSD."""

    tag: ClassVar[str] = f"{SSD}SystemStructureDescription"
    order: ClassVar[tuple[str, ...]] = (
        *("System", "Enumerations", "Units", "DefaultExperiment", *METADATA),
        "Annotations",
    )
    version: str = attribute("version")
    name: str = attribute("name")
    system: SspSystem = child({f"{SSD}System": SspSystem}, is_required=True)
    enumerations: tuple[Enumeration, ...] = children(
        {f"{SSC}Enumeration": Enumeration}, f"{SSD}Enumerations"
    )
    units: tuple[SspUnit, ...] = children({f"{SSC}Unit": SspUnit}, f"{SSD}Units")
    experiment: DefaultExperiment | None = child(
        {f"{SSD}DefaultExperiment": DefaultExperiment}
    )
    kept: Kept = kept()
