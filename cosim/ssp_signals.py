"""Connectors of an SSP and its signal dictionaries (SSB)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from packtwin.cosim.ssp_common import (
    METADATA,
    SSB,
    SSC,
    TYPES,
    Dimension,
    Enumeration,
    SspUnit,
    one_of,
)
from packtwin.cosim.xml_record import (
    Kept,
    attribute,
    child,
    children,
    element_name,
    kept,
)

__all__ = [
    "Connector",
    "ConnectorType",
    "DictionaryEntry",
    "SignalDictionary",
    "SignalDictionarySource",
]

_KINDS = (
    *("input", "output", "parameter", "calculatedParameter", "structuralParameter"),
    *("constant", "local", "inout", "unspecified"),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorType:
    """The type of a connector or signal; `name` is that of an enumeration."""

    type: str = element_name()
    unit: str | None = attribute("unit", str, None)
    enumeration: str | None = attribute("name", str, None)
    kept: Kept = kept()


_TYPE_TAGS = {f"{SSC}{name}": ConnectorType for name in TYPES}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A place of an element that connections can go to."""

    order: ClassVar[tuple[str, ...]] = (
        *(*TYPES[:-1], f"{SSC}Clock", "Dimension", "Clock"),
        *("ConnectorGeometry", "Annotations"),
    )
    name: str = attribute("name")
    kind: str = attribute("kind", one_of(*_KINDS))
    type: ConnectorType | None = child(_TYPE_TAGS)
    dimensions: tuple[Dimension, ...] = children({f"{SSC}Dimension": Dimension})
    kept: Kept = kept()

    @property
    def unit(self) -> str | None:
        """Name of its unit."""
        return None if self.type is None else self.type.unit


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DictionaryEntry:
    """A signal by name."""

    order: ClassVar[tuple[str, ...]] = (*TYPES, "Dimension", "Annotations")
    name: str = attribute("name")
    type: ConnectorType | None = child(_TYPE_TAGS)
    dimensions: tuple[Dimension, ...] = children({f"{SSC}Dimension": Dimension})
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalDictionary:
    """The root of an SSB: a list of signals."""

    tag: ClassVar[str] = f"{SSB}SignalDictionary"
    order: ClassVar[tuple[str, ...]] = (
        *("DictionaryEntry", "Enumerations", "Units", *METADATA, "Annotations"),
    )
    version: str = attribute("version")
    entries: tuple[DictionaryEntry, ...] = children(
        {f"{SSB}DictionaryEntry": DictionaryEntry}
    )
    enumerations: tuple[Enumeration, ...] = children(
        {f"{SSC}Enumeration": Enumeration}, f"{SSB}Enumerations"
    )
    units: tuple[SspUnit, ...] = children({f"{SSC}Unit": SspUnit}, f"{SSB}Units")
    kept: Kept = kept()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalDictionarySource:
    """A signal dictionary of a system: in a file or right here."""

    name: str = attribute("name")
    type: str = attribute("type", str, "application/x-ssp-signal-dictionary")
    source: str | None = attribute("source", str, None)
    dictionary: SignalDictionary | None = child(
        {f"{SSB}SignalDictionary": SignalDictionary}
    )
    kept: Kept = kept()
