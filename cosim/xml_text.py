"""XML from untrusted sources, and XML as text that is easy to read."""

from __future__ import annotations

from typing import Any, TypeAlias

from lxml import etree  # type: ignore[import-untyped]

from packtwin.twin.errors import ScenarioError

__all__ = [
    "PREFIXES",
    "Element",
    "canonical",
    "local_name",
    "parse_xml",
    "prefixes",
    "serialize",
]

Element: TypeAlias = Any  # lxml ships no types

_SSP = "http://ssp-standard.org/SSP1/SystemStructure"
PREFIXES = {
    "ssd": f"{_SSP}Description",
    "ssc": f"{_SSP}Common",
    "ssv": f"{_SSP}ParameterValues",
    "ssm": f"{_SSP}ParameterMapping",
    "ssb": f"{_SSP}SignalDictionary",
}
"""Customary prefixes of the namespaces of SSP."""


def local_name(tag: str) -> str:
    """Return a tag without its namespace."""
    return tag.rpartition("}")[2]


def parse_xml(content: bytes, source: str) -> Element:
    """Return the root element of a document from an untrusted source.

    Args:
        content: Of the file.
        source: What an error calls the file.

    Raises:
        ScenarioError: It is no well-formed XML.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        msg = f"`{source}` is no well-formed XML ({error}); correct it."
        raise ScenarioError(msg) from error
    if root.getroottree().docinfo.internalDTD is not None:
        msg = f"`{source}` has a document type definition; remove it."
        raise ScenarioError(msg)
    return root


def serialize(element: Element) -> bytes:
    """Return an element as a whole document."""
    etree.cleanup_namespaces(element, top_nsmap=PREFIXES)
    _lay_out(element, "\n")
    document: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return document + b"\n"


def canonical(element: Element) -> bytes:
    """Return an element as canonical XML, without our indentation."""
    _lay_out(element, None)
    content: bytes = etree.tostring(
        element, method="c14n", exclusive=True, with_tail=False
    )
    return content


def _lay_out(element: Element, indent: str | None) -> None:
    """Indent what is ours, or remove its indentation; leave what others wrote."""
    if not _is_ours(element) or not len(element) or (element.text or "").strip():
        return
    deeper = None if indent is None else indent + "  "
    element.text = deeper
    for part in element:
        part.tail = deeper
        _lay_out(part, deeper)
    element[-1].tail = indent


def _is_ours(element: Element) -> bool:
    return element.tag.startswith(f"{{{_SSP}") and (
        local_name(element.tag) not in ("Annotation", "Content")
    )


def prefixes(tag: str) -> dict[str, str]:
    """Return the customary prefix of the namespace of a tag."""
    namespace = tag[1:].partition("}")[0]
    return {p: known for p, known in PREFIXES.items() if known == namespace}
