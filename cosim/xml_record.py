"""Records that are read from XML and written back with everything that was in it.

A record is a frozen dataclass. Each field says by `attribute`, `child`, `children` or
`element_name` where its value is in the XML; what no field claims (annotations,
geometry, attributes of other makers) is kept as it is in the field `kept`, so that
reading and writing lose nothing but comments and the layout of the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeAlias, TypeVar, final

from lxml import etree  # type: ignore[import-untyped]

from packtwin.cosim.xml_text import Element, canonical, local_name, prefixes
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = [
    "Kept",
    "attribute",
    "child",
    "children",
    "element_name",
    "kept",
    "read_record",
    "to_element",
]

Record = TypeVar("Record")
Reader: TypeAlias = Callable[[str], Any]

_WHERE = "xml"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a record does not understand.

    Attributes:
        attributes: Names, as lxml spells them, and texts.
        elements: Children as canonical XML.
        text: Text between them.
    """

    attributes: tuple[tuple[str, str], ...] = ()
    elements: tuple[bytes, ...] = ()
    text: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Attribute:
    name: str
    read: Reader
    default: Any


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Children:
    types: Mapping[str, Any]
    wrapper: str | None
    is_many: bool
    is_required: bool


@final
@dataclass(frozen=True, slots=True)
class _ElementName:
    """The field holds the name of the element itself."""


def attribute(name: str, read: Reader = str, default: Any = MISSING) -> Any:
    """Declare a field that is an XML attribute.

    Args:
        name: Of the attribute.
        read: Makes the value of its text; raises `ValueError` with what is expected.
        default: The value where it is missing; such a value is not written.
    """
    where = _Attribute(name=name, read=read, default=default)
    return field(default=default, metadata={_WHERE: where})


def child(
    types: Mapping[str, Any], wrapper: str | None = None, *, is_required: bool = False
) -> Any:
    """Declare a field that is one child or None.

    Args:
        types: Record type by tag.
        wrapper: Tag of an element around it; with other things in it, it is kept.
        is_required: There must be one.
    """
    where = _Children(
        types=types, wrapper=wrapper, is_many=False, is_required=is_required
    )
    default = MISSING if is_required else None
    return field(default=default, metadata={_WHERE: where})


def children(
    types: Mapping[str, Any], wrapper: str | None = None, *, is_required: bool = False
) -> Any:
    """Declare a field that is a tuple of children.

    Args:
        types: Record type by tag.
        wrapper: Tag of an element around them, in which nothing else may be.
        is_required: Write the wrapper even if nothing is in it.
    """
    where = _Children(
        types=types, wrapper=wrapper, is_many=True, is_required=is_required
    )
    return field(default=(), metadata={_WHERE: where})


def element_name() -> Any:
    """Declare the field that holds the element's own name, without its namespace."""
    return field(metadata={_WHERE: _ElementName()})


def kept() -> Any:
    """Declare the field `kept`."""
    return field(default=Kept(), repr=False)


def read_record(record_type: type[Record], element: Element, source: str) -> Record:
    """Return an element as a record.

    Args:
        record_type: Its type.
        element: What to read.
        source: What an error calls the file.

    Raises:
        ScenarioError: An attribute is missing or has an impossible value.
    """
    values: dict[str, Any] = {}
    claimed: set[Element] = set()
    names: set[str] = set()
    for item in fields(record_type):  # type: ignore[arg-type]
        match item.metadata.get(_WHERE):
            case _Attribute() as where:
                value = _read_attribute(where, element, source)
                values[item.name] = value
                if value != where.default:  # a default that is written stays written
                    names.add(where.name)
            case _Children() as where:
                values[item.name] = _read_children(where, element, claimed, source)
            case _ElementName():
                values[item.name] = local_name(element.tag)
    if any(item.name == "kept" for item in fields(record_type)):  # type: ignore[arg-type]
        values["kept"] = _kept(element, claimed, names)
    return record_type(**values)


def to_element(record: Any, tag: str) -> Element:
    """Return a record as an element that has the given tag."""
    rest: Kept | None = getattr(record, "kept", None)
    written = {} if rest is None else dict(rest.attributes)
    element = etree.Element(tag, written, nsmap=prefixes(tag))
    parts: list[Element] = []
    for item in fields(record):
        value = getattr(record, item.name)
        match item.metadata.get(_WHERE):
            case _Attribute() as where if value != where.default:
                element.set(where.name, _text(value))
            case _Children() as where if value or (where.is_many and where.is_required):
                parts += _written(where, value if where.is_many else (value,))
    if rest is not None:
        element.text = rest.text or None
        parts += [etree.fromstring(part) for part in rest.elements]
    order: Sequence[str] = getattr(record, "order", ())
    rank = {name: i for i, name in enumerate(order)}
    parts.sort(key=lambda part: rank.get(part.tag, rank.get(local_name(part.tag), -1)))
    element.extend(parts)
    return element


def _read_attribute(where: _Attribute, element: Element, source: str) -> Any:
    text = element.get(where.name)
    if text is None:
        if where.default is MISSING:
            near = nearest_names(where.name, list(element.attrib))
            hint = f"; nearest: {near}" if near else ""
            what = f"lacks the attribute `{where.name}`{hint}; add it"
            raise _error(source, element, what)
        return where.default
    try:
        return where.read(text)
    except ValueError as error:
        what = f"has `{where.name}` = `{text}`, which is no {error}; correct it"
        raise _error(source, element, what) from error


def _read_children(
    where: _Children, element: Element, claimed: set[Element], source: str
) -> Any:
    parts = [element]
    if where.wrapper is not None:
        parts = list(element.iterchildren(where.wrapper))
        if not where.is_many:  # what is of another format stays as it is
            parts = [w for w in parts if all(p.tag in where.types for p in w)]
        _check_wrapped(where, parts, source)
        claimed.update(parts)
    found = [part for whole in parts for part in whole if part.tag in where.types]
    claimed.update(found)
    records = tuple(read_record(where.types[part.tag], part, source) for part in found)
    if where.is_many:
        return records
    if len(records) > 1:
        what = f"has more than one `{local_name(found[1].tag)}`; keep one"
        raise _error(source, element, what)
    if where.is_required and not records:
        names = ", ".join(f"`{local_name(tag)}`" for tag in where.types)
        what = f"has none of the elements {names}; add one"
        raise _error(source, element, what)
    return records[0] if records else None


def _check_wrapped(where: _Children, parts: list[Element], source: str) -> None:
    for part in (part for whole in parts for part in whole):
        if part.tag not in where.types:
            names = ", ".join(f"`{local_name(tag)}`" for tag in where.types)
            raise _error(source, part, f"is unknown here; expected {names}")


def _written(where: _Children, records: Sequence[Any]) -> Iterator[Element]:
    elements = [to_element(record, _tag_of(where, record)) for record in records]
    if where.wrapper is None:
        yield from elements
        return
    whole = etree.Element(where.wrapper, nsmap=prefixes(where.wrapper))
    whole.extend(elements)
    yield whole


def _tag_of(where: _Children, record: Any) -> str:
    for item in fields(record):
        if isinstance(item.metadata.get(_WHERE), _ElementName):
            name = getattr(record, item.name)
            return next(tag for tag in where.types if local_name(tag) == name)
    return next(tag for tag, kind in where.types.items() if kind is type(record))


def _kept(element: Element, claimed: set[Element], names: set[str]) -> Kept:
    return Kept(
        attributes=tuple(
            (name, text) for name, text in element.attrib.items() if name not in names
        ),
        elements=tuple(canonical(part) for part in element if part not in claimed),
        text=(element.text or "").strip(),
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isinf(value):
            return "INF" if value > 0.0 else "-INF"
        return "NaN" if math.isnan(value) else repr(value)
    if isinstance(value, tuple):
        return " ".join(_text(item) for item in value)
    return str(value)


def _error(source: str, element: Element, what: str) -> ScenarioError:
    name = element.get("name")
    label = local_name(element.tag) + (f" {name}" if name else "")
    return ScenarioError(f"`{source}`, line {element.sourceline}: `{label}` {what}.")
