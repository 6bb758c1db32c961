"""Rules on the variables of a model description, FMI 2.0 and 3.0."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from packtwin.fmu.checker.description import (
    DescribedVariable,
    Description,
    finite,
    whole,
)
from packtwin.fmu.checker.problem import Problem, problem

__all__ = ["FILE", "check_variables", "found_at"]

FILE = "modelDescription.xml"

_SIGNALS = ("discrete", "continuous")
_DATA = ("fixed", "tunable")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "parameter": _DATA,
    "structuralParameter": _DATA,
    "calculatedParameter": _DATA,
    "input": _SIGNALS,
    "output": ("constant", *_SIGNALS),
    "local": ("constant", *_DATA, *_SIGNALS),
    "independent": ("continuous",),
    "dependent": ("continuous",),
}
_ARRAYS = ("Binary", "String")
# Appendix of the standard: Modelica's names, also quoted ones, derivatives and indices.
_IDENTIFIER = r"(?:[A-Za-z_][A-Za-z0-9_]*|'(?:[^'\\]|\\.)+')"
_PART = rf"{_IDENTIFIER}(?:\[\d+(?:\s*,\s*\d+)*\])?"
_PATH = rf"{_PART}(?:\.{_PART})*"
_STRUCTURED = re.compile(rf"{_PATH}\Z|(?:der|previous)\({_PATH}(?:,\s*[1-9]\d*)?\)\Z")
_NOT_PRINTED = re.compile(r"[\x00-\x1f]")


def found_at(
    description: Description, rule: str, message: str, v: DescribedVariable
) -> Problem:
    """Return a problem of a variable."""
    return problem(
        rule,
        description.version,
        message,
        file=FILE,
        line=v.line,
        variable=v.name,
    )


def check_variables(description: Description) -> Iterator[Problem]:
    """Yield what is wrong with the variables."""
    yield from _check_names(description)
    yield from _check_references(description)
    for v in description.variables:
        for check in _CHECKS:
            for rule, message in check(description, v):
                yield found_at(description, rule, message, v)
    yield from _check_independent(description)


def _check_names(description: Description) -> Iterator[Problem]:
    is_structured = description.root.get("variableNamingConvention") == "structured"
    lines: dict[str, int] = {}
    for v in description.variables:
        if v.name in lines:
            message = f"The name is taken already, in line {lines[v.name]}."
            yield found_at(description, "name-duplicate", message, v)
        lines.setdefault(v.name, v.line)
        if not v.name or _NOT_PRINTED.search(v.name):
            message = "The name is empty or has a control character."
            yield found_at(description, "name-illegal", message, v)
        elif is_structured and not _STRUCTURED.match(v.name):
            message = "The name does not follow the naming convention `structured`."
            yield found_at(description, "name-illegal", message, v)


def _check_references(description: Description) -> Iterator[Problem]:
    groups: dict[tuple[str, int], list[DescribedVariable]] = defaultdict(list)
    for v in description.variables:
        if v.reference is not None:
            base = "Integer" if v.type == "Enumeration" else v.type
            groups["" if description.is_3 else base, v.reference].append(v)
    for (_, reference), group in groups.items():
        if len(group) > 1 and description.is_3:
            for v in group[1:]:
                message = f"Value reference {reference} is that of `{group[0].name}`."
                yield found_at(description, "reference-duplicate", message, v)
        elif len(group) > 1:
            yield from _check_aliases(description, group)


def _check_aliases(
    description: Description, group: list[DescribedVariable]
) -> Iterator[Problem]:
    moving = [v for v in group if v.variability != "constant" and v.has_start]
    for v in moving[1:]:
        message = f"It shares its value with `{moving[0].name}`, and both have a start."
        yield found_at(description, "alias-settable", message, v)
    for v in group[1:]:
        units = [w.attributes.get("unit") for w in (group[0], v)]
        if units[0] != units[1]:
            message = (
                f"It shares its value with `{group[0].name}`, but its unit is "
                f"{_quoted(units[1])} and not {_quoted(units[0])}."
            )
            yield found_at(description, "alias-settable", message, v)


def _quoted(text: str | None) -> str:
    return f"`{text}`" if text else "none"


def _check_causality(
    description: Description, v: DescribedVariable
) -> Iterator[tuple[str, str]]:
    allowed = _ALLOWED.get(v.causality)
    if v.variability == "continuous" and not v.is_real:
        # The default of FMI 2 is continuous, also where it is not allowed.
        said = "said" if "variability" in v.own else "the default"
        yield "continuous-type", f"It is {v.type}, but continuous ({said})."
    elif allowed is not None and v.variability not in allowed:
        yield (
            "causality-variability",
            f"Causality `{v.causality}` with variability `{v.variability}`; expected "
            f"{', '.join(allowed)}.",
        )


def _check_initial(
    description: Description, v: DescribedVariable
) -> Iterator[tuple[str, str]]:
    said = v.own.get("initial")
    if said is None or v.is_clocked:
        return
    if v.causality == "independent" or (v.causality == "input" and said != "exact"):
        allowed: tuple[str, ...] = ()
    elif v.causality == "input":
        allowed = ("exact",) if description.is_3 else ()
    elif v.variability == "constant" or v.causality in (
        "parameter",
        "structuralParameter",
    ):
        allowed = ("exact",)
    elif v.variability in _DATA:
        allowed = ("calculated", "approx")
    else:
        allowed = ("exact", "approx", "calculated")
    if said not in allowed:
        expected = " or ".join(allowed) or "none"
        yield "initial-illegal", f"`initial` is `{said}`, expected {expected}."


def _check_start(
    description: Description, v: DescribedVariable
) -> Iterator[tuple[str, str]]:
    if v.type == "Clock":
        return
    is_needed = v.initial in ("exact", "approx") or v.causality == "input"
    if is_needed and not v.has_start:
        why = "an input" if v.causality == "input" else f"initial `{v.initial}`"
        yield "start-missing", f"There is no start value, but it is {why}."
    is_forbidden = v.causality == "independent" or v.initial == "calculated"
    if is_forbidden and v.has_start:
        why = "independent" if v.causality == "independent" else "calculated"
        yield "start-forbidden", f"There is a start value, but it is {why}."


def _check_numbers(
    description: Description, v: DescribedVariable
) -> Iterator[tuple[str, str]]:
    if v.type in _ARRAYS or v.type in ("Boolean", "Clock"):
        return
    for name in ("min", "max", "nominal"):
        text = v.attributes.get(name)
        if text is not None and finite(text) is None and not _is_infinite(text):
            yield "number-not-finite", f"`{name}` is `{text}`."
    low, high, nominal = (v.number(name) for name in ("min", "max", "nominal"))
    if low is not None and high is not None and low > high:
        yield "range-empty", f"`min` is {low:g} and `max` is {high:g}."
    if nominal is not None and not nominal > 0.0:
        yield "nominal-zero", f"`nominal` is {nominal:g}, expected more than 0."
    for text in v.attributes.get("start", "").split() if v.has_start else ():
        start = finite(text)
        if start is None:
            yield "number-not-finite", f"The start value is `{text}`."
            break
        if (low is not None and start < low) or (high is not None and start > high):
            yield (
                "start-range",
                f"The start value is {start:g}, expected {_bound(low)} to "
                f"{_bound(high)}.",
            )
            break


def _is_infinite(text: str) -> bool:
    return text.strip().lstrip("+-") in ("INF", "inf")


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def _check_derivative(
    description: Description, v: DescribedVariable
) -> Iterator[tuple[str, str]]:
    text = v.own.get("derivative")
    if text is None:
        return
    key = whole(text)
    state = description.by_key().get(key) if key is not None else None
    if state is None:
        yield "derivative-reference", f"`derivative` is `{text}`, no variable."
    elif state is v or not state.is_real or state.variability != "continuous":
        yield (
            "derivative-reference",
            f"`derivative` points to `{state.name}`, which is {state.type} and "
            f"{state.variability}.",
        )
    elif not v.is_real or v.variability != "continuous":
        message = f"It is a derivative, but {v.type} and {v.variability}."
        yield "derivative-reference", message


_CHECKS: tuple[
    Callable[[Description, DescribedVariable], Iterator[tuple[str, str]]], ...
] = (_check_causality, _check_initial, _check_start, _check_numbers, _check_derivative)


def _check_independent(description: Description) -> Iterator[Problem]:
    found = [v for v in description.variables if v.causality == "independent"]
    for v in found[1:]:
        message = f"`{found[0].name}` is the independent variable already."
        yield found_at(description, "independent-wrong", message, v)
    for v in found[:1]:
        if not v.is_real:
            message = f"The independent variable is {v.type}."
            yield found_at(description, "independent-wrong", message, v)
    if description.is_3 and not found:
        message = "There is no independent variable."
        yield problem("independent-wrong", description.version, message, file=FILE)
