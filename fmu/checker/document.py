"""Rules on the model description as a whole: interfaces, units, types, experiment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from packtwin.fmu.checker.description import KINDS, Description, Element, finite
from packtwin.fmu.checker.problem import Problem, problem
from packtwin.fmu.checker.reader import parse_xml, read_checked, schema_errors
from packtwin.fmu.checker.structure import check_structure
from packtwin.fmu.checker.variables import FILE, check_variables, found_at

__all__ = ["check_document"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_N_SCHEMA = 20


def check_document(content: bytes) -> tuple[Description | None, list[Problem]]:
    """Return what the model description says, if it can be read, and its problems."""
    root, reason, line = parse_xml(content)
    if root is None:
        message = f"It cannot be read: {reason}."
        return None, [problem("xml-malformed", "2.0", message, file=FILE, line=line)]
    version = str(root.get("fmiVersion", ""))
    if root.tag != "fmiModelDescription" or version[:2] not in ("2.", "3."):
        message = f"The root is `{root.tag}` of FMI version `{version}`."
        return None, [problem("version-unknown", version, message, file=FILE)]
    found = [
        problem("xml-schema", version, f"{text}", file=FILE, line=at)
        for at, text in schema_errors(root, version[0])[:_N_SCHEMA]
    ]
    description = read_checked(root)
    found += _check_interfaces(description)
    found += _check_units(description)
    found += _check_types(description)
    found += _check_experiment(description)
    found += check_variables(description)
    found += check_structure(description)
    return description, found


def _line(element: Element) -> int:
    return int(element.sourceline or 0)


def _check_interfaces(description: Description) -> Iterator[Problem]:
    version = description.version
    if not description.kinds:
        message = f"It has none of {', '.join(KINDS)}."
        yield problem("no-interface", version, message, file=FILE)
    if not description.token.strip():
        yield problem("token-empty", version, "It is empty.", file=FILE)
    for name, kind in description.kinds.items():
        line = _line(description.root.find(name))
        identifier = kind.get("modelIdentifier", "")
        if not _IDENTIFIER.match(identifier):
            message = f"The model identifier of `{name}` is `{identifier}`."
            yield problem("identifier", version, message, file=FILE, line=line)
        states, bytes_ = (
            ("canGetAndSetFMUState", "canSerializeFMUState")
            if description.is_3
            else ("canGetAndSetFMUstate", "canSerializeFMUstate")
        )
        if is_true(kind.get(bytes_)) and not is_true(kind.get(states)):
            message = f"`{name}` has `{bytes_}` but not `{states}`."
            rule = "serialize-without-state"
            yield problem(rule, version, message, file=FILE, line=line)


def is_true(text: str | None) -> bool:
    """Whether an XML Boolean is true."""
    return (text or "").strip() in ("true", "1")


def _check_units(description: Description) -> Iterator[Problem]:
    version = description.version
    units: dict[str, set[str]] = {}
    for unit in description.root.iterfind("./UnitDefinitions/Unit"):
        name = unit.get("name", "")
        if name in units:
            message = f"Unit `{name}` is defined already."
            yield problem(
                "unit-duplicate", version, message, file=FILE, line=_line(unit)
            )
        units[name] = {d.get("name", "") for d in unit.iterfind("DisplayUnit")}
        for base in (*unit.iterfind("BaseUnit"), *unit.iterfind("DisplayUnit")):
            factor, offset = (
                finite(base.get(key, default))
                for key, default in (("factor", "1"), ("offset", "0"))
            )
            if not factor or offset is None:
                message = (
                    f"`{base.tag}` of `{name}` has factor `{base.get('factor', '1')}` "
                    f"and offset `{base.get('offset', '0')}`."
                )
                at = _line(base)
                yield problem("unit-factor", version, message, file=FILE, line=at)
    for v in description.variables:
        used, shown = v.attributes.get("unit"), v.attributes.get("displayUnit")
        if used is not None and used not in units:
            message = f"Its unit is `{used}`, which is not defined."
            yield found_at(description, "unit-undefined", message, v)
        elif shown not in (None, used, *units.get(used or "", ())):
            message = f"Its display unit is `{shown}`, not one of unit `{used}`."
            yield found_at(description, "display-unit-undefined", message, v)


def _check_types(description: Description) -> Iterator[Problem]:
    version = description.version
    types: dict[str, str] = {}
    for item in description.root.iterfind("./TypeDefinitions/*"):
        if not isinstance(item.tag, str):
            continue
        name = item.get("name", "")
        children = [str(c.tag) for c in item if isinstance(c.tag, str)]
        known = [c for c in children if c != "Annotations"]
        kind = str(item.tag).removesuffix("Type")
        types[name] = kind if description.is_3 else (known[0] if known else "")
    for v in description.variables:
        name = v.own.get("declaredType", "")
        if not name:
            if v.type == "Enumeration":
                message = "It is an enumeration without a declared type."
                yield found_at(description, "type-undefined", message, v)
            continue
        if name not in types:
            message = f"Its declared type is `{name}`, which is not defined."
            yield found_at(description, "type-undefined", message, v)
        elif types[name] != v.type:
            message = f"It is {v.type}, but its type `{name}` is {types[name]}."
            yield found_at(description, "type-undefined", message, v)
    categories = Counter(
        item.get("name", "")
        for item in description.root.iterfind("./LogCategories/Category")
    )
    for name, count in categories.items():
        if count > 1:
            message = f"Log category `{name}` is defined {count} times."
            yield problem("log-category-duplicate", version, message, file=FILE)


def _check_experiment(description: Description) -> Iterator[Problem]:
    element = description.root.find("DefaultExperiment")
    if element is None:
        return
    start, stop = (
        finite(element.get(key, default))
        for key, default in (("startTime", "0"), ("stopTime", "1e300"))
    )
    messages = []
    if start is None or stop is None or not start < stop:
        times = f"{element.get('startTime', '0')} s to {element.get('stopTime', '-')} s"
        messages.append(f"It goes from {times}.")
    for name in ("tolerance", "stepSize"):
        value = finite(element.get(name, "1"))
        if value is None or not value > 0.0:
            messages.append(f"`{name}` is {element.get(name)}, expected more than 0.")
    for message in messages:
        yield problem(
            "experiment",
            description.version,
            message,
            file=FILE,
            line=_line(element),
        )
