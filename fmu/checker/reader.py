"""Read the XML files of an FMU for the checker: leniently, and with lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fmpy
from lxml import etree  # type: ignore[import-untyped]

from packtwin.fmu.checker.description import (
    KINDS,
    REALS,
    DescribedUnknown,
    DescribedVariable,
    Description,
    Element,
    whole,
)

__all__ = ["parse_xml", "read_checked", "schema_errors"]

_PARAMETERS = ("parameter", "calculatedParameter", "structuralParameter")
_SCHEMAS = {
    "2": "fmi2/fmi2ModelDescription.xsd",
    "3": "fmi3/fmi3ModelDescription.xsd",
    "build": "fmi3/fmi3BuildDescription.xsd",
}
_TEXTS = ("String", "Binary")
_LISTS_2 = ("Outputs", "Derivatives", "InitialUnknowns")
_NAMES_3 = {
    "Output": "Outputs",
    "ContinuousStateDerivative": "Derivatives",
    "InitialUnknown": "InitialUnknowns",
}


def parse_xml(content: bytes) -> tuple[Element | None, str, int]:
    """Return the root, or nothing with the reason and the line."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        return None, str(error.msg), int(error.lineno or 0)
    except (ValueError, LookupError) as error:
        return None, str(error), 0
    if root.getroottree().docinfo.doctype:
        return None, "it has a document type definition", 1
    return root, "", 0


def schema_errors(root: Element, which: str) -> list[tuple[int, str]]:
    """Return line and text of every violation of the standard's XML schema."""
    folder = Path(fmpy.__file__).parent / "schema"
    schema = etree.XMLSchema(file=str(folder / _SCHEMAS[which]))
    schema.validate(root)
    return [(int(entry.line), str(entry.message)) for entry in schema.error_log]


def read_checked(root: Element) -> Description:
    """Read what can be read, whatever is wrong with it."""
    version = str(root.get("fmiVersion", ""))
    is_3 = version.startswith("3")
    kinds = {
        name: dict(found.attrib)
        for name in KINDS
        if (found := root.find(name)) is not None
    }
    types = {
        item.get("name"): dict((_first(item) if not is_3 else item).attrib)
        for item in root.iterfind("./TypeDefinitions/*")
        if isinstance(item.tag, str)
    }
    elements = [e for e in root.iterfind("./ModelVariables/*") if _is_element(e)]
    read = _variable_3 if is_3 else _variable_2
    return Description(
        version=version,
        root=root,
        kinds=kinds,
        variables=tuple(read(e, i + 1, types) for i, e in enumerate(elements)),
        unknowns=tuple(_unknowns(root, is_3)),
    )


def _is_element(element: Element) -> bool:
    return isinstance(element.tag, str)  # comments have a function


def _first(element: Element) -> Element:
    for child in element:
        if _is_element(child) and child.tag != "Annotations":
            return child
    return element


def _variable_2(
    element: Element, position: int, types: Mapping[str, Any]
) -> DescribedVariable:
    typed = _first(element)
    own = {**dict(typed.attrib), **dict(element.attrib)}
    known = types.get(typed.get("declaredType"), {})
    causality = element.get("causality", "local")
    variability = element.get("variability", "continuous")
    return DescribedVariable(
        key=position,
        name=element.get("name", ""),
        type=str(typed.tag),
        line=int(element.sourceline or 0),
        reference=whole(element.get("valueReference")),
        causality=causality,
        variability=variability,
        initial=element.get("initial", "") or default_initial(causality, variability),
        attributes={**known, **own},
        own=own,
        starts=(typed.get("start"),) if "start" in typed.attrib else (),
    )


def _variable_3(
    element: Element, position: int, types: Mapping[str, Any]
) -> DescribedVariable:
    del position
    own = dict(element.attrib)
    causality = own.get("causality", "local")
    tag = str(element.tag)
    default = "continuous" if tag in REALS else "discrete"
    if causality in _PARAMETERS:
        default = "fixed"
    variability = own.get("variability", default)
    reference = whole(own.get("valueReference"))
    starts = [own["start"]] if "start" in own else []
    if tag not in _TEXTS:
        starts = " ".join(starts).split()
    else:
        starts += [item.get("value", "") for item in element.findall("Start")]
    known = dict(types.get(own.get("declaredType", ""), {}))
    known.pop("name", None)
    return DescribedVariable(
        key=reference,
        name=own.get("name", ""),
        type=tag,
        line=int(element.sourceline or 0),
        reference=reference,
        causality=causality,
        variability=variability,
        initial=own.get("initial", "") or default_initial(causality, variability, True),
        attributes={**known, **own},
        own=own,
        is_clocked=tag == "Clock" or "clocks" in own,
        starts=tuple(starts),
        dimensions=tuple(
            (whole(item.get("start")), whole(item.get("valueReference")))
            for item in element.findall("Dimension")
        ),
    )


def default_initial(causality: str, variability: str, is_3: bool = False) -> str:
    """Return the standard's default of `initial`; nothing where there is none."""
    if causality == "input":
        return "exact" if is_3 else ""
    if causality == "independent":
        return ""
    if variability == "constant" or causality in ("parameter", "structuralParameter"):
        return "exact"
    return "calculated"


def _unknowns(root: Element, is_3: bool) -> Iterator[DescribedUnknown]:
    structure = root.find("ModelStructure")
    if structure is None:
        return
    for element in structure:
        if not _is_element(element):
            continue
        if is_3 and element.tag in _NAMES_3:
            yield _unknown(element, _NAMES_3[element.tag], "valueReference")
        elif not is_3 and element.tag in _LISTS_2:
            for item in element.iterfind("Unknown"):
                yield _unknown(item, str(element.tag), "index")


def _unknown(element: Element, section: str, attribute: str) -> DescribedUnknown:
    text, kinds = element.get("dependencies"), element.get("dependenciesKind")
    numbers = None if text is None else [whole(item) for item in text.split()]
    return DescribedUnknown(
        section=section,
        key=whole(element.get(attribute)),
        line=int(element.sourceline or 0),
        dependencies=None
        if numbers is None
        else tuple(-1 if n is None else n for n in numbers),
        kinds=None if kinds is None else tuple(kinds.split()),
    )
