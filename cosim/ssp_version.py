"""What version 2.0 of SSP has and 1.0 has not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from packtwin.cosim.ssp_common import NEW_TYPES, Dimension
from packtwin.cosim.ssp_parameters import ParameterMapping, ParameterSet, Value
from packtwin.cosim.ssp_signals import Connector, ConnectorType, SignalDictionary
from packtwin.cosim.ssp_structure import SspComponent, SspConnection
from packtwin.cosim.xml_record import Kept
from packtwin.twin.errors import ScenarioError

__all__ = ["check_version", "new_features"]

_NEW_KINDS = ("structuralParameter", "constant", "local", "unspecified")
_INNER = (ParameterSet, ParameterMapping, SignalDictionary)


def check_version(document: Any) -> None:
    """Refuse a document that says 1.0 and is not.

    Raises:
        ScenarioError: With the first thing that needs 2.0.
    """
    found = next(new_features(document), None)
    if document.version.startswith("1.") and found is not None:
        msg = (
            f"The document says SSP {document.version} but has {found}, which needs "
            '2.0; set its `version` to "2.0".'
        )
        raise ScenarioError(msg)


def new_features(record: Any) -> Iterator[str]:
    """Yield what needs version 2.0 in a record and all in it.

    Documents inside a document have a version of their own and are checked with it.
    """
    yield from _own(record)
    for item in fields(record):
        value = getattr(record, item.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, _INNER):
                check_version(part)
            elif hasattr(part, "__dataclass_fields__") and not isinstance(part, Kept):
                yield from new_features(part)


def _own(record: Any) -> Iterator[str]:
    match record:
        case ConnectorType(type=name) | Value(type=name) if name in NEW_TYPES:
            yield f"the type `{name}`"
        case Value(texts=texts) if texts:
            yield "an array of texts"
        case Dimension():
            yield "an array"
        case Connector(name=name, kind=kind) if kind in _NEW_KINDS:
            yield f"the connector `{name}` of kind `{kind}`"
        case SspConnection(start_indices=a, end_indices=b) if a or b:
            yield f"the connection `{record}` of one element of an array"
        case SspComponent(name=name, source=None):
            yield f"the component `{name}` without a source"
        case SspComponent(implementation="ScheduledExecution", name=name):
            yield f"the component `{name}` for scheduled execution"
    rest: Kept | None = getattr(record, "kept", None)
    for element in rest.elements if rest else ():
        head = element[:200].split(b">", 1)[0]
        if b":MetaData" in head or b":Signature" in head:
            yield "meta data"
