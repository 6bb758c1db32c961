"""From pydantic's verdict on a file to one sentence a person can act on."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from packtwin.scenarios.scenario import Scenario
from packtwin.twin.units import UNITS, convert, unit_of_name
from packtwin.twin.variable import nearest_names

__all__ = ["complaint"]

_TYPES = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list in square brackets",
    "model_type": "a table of keys",
    "model_attributes_type": "a table of keys",
    "dict_type": "a table of keys",
    "finite_number": "a finite number",
}


def complaint(
    source: str, error: ValidationError, root: type[BaseModel] = Scenario
) -> str:
    """Return the sentence for the first fault of a file.

    Args:
        source: The file, as the user named it.
        error: What pydantic says.
        root: The model of the whole file.
    """
    # An unknown key often explains a missing one, so it is told first.
    details = sorted(error.errors(), key=lambda d: d["type"] != "extra_forbidden")[0]
    path = [str(part) for part in details["loc"]]
    key = _key_text(path)
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(source, path, details["input"], root)
        case "missing":
            what = "the table" if len(path) == 1 else "the key"
            section = f"[{path[0]}]" if len(path) == 1 else f"`{key}`"
            return (
                f"`{source}` lacks {what} {section}, expected "
                f"{_meaning(path, root)}; add it."
            )
        case "value_error":
            name, got, wanted = str(details["ctx"]["error"]).split("|")
            return f"`{source}`: `{key}.{name}` is {got}, expected {wanted}."
        case _:
            return (
                f"`{source}`: `{key}` is {_got(details['input'])}, expected "
                f"{_expected(details, path, root)}{_unit_hint(path, details['input'])}."
            )


def _unknown_key(source: str, path: list[str], got: Any, root: type[BaseModel]) -> str:
    *parents, name = path
    known = _keys_of(parents, root)
    where = _key_text(path)
    for other in known:
        unit = unit_of_name(other)
        stem = other.removesuffix(_suffix(other))
        if unit == "1" or not name.startswith(stem) or name == other:
            continue
        given = _unit_given(name, stem)
        target = _key_text([*parents, other])
        converted = _converted(got, given, unit)
        return (
            f"`{source}`: `{where}` has the unit `{given or '?'}`, expected "
            f"`{target}` in {unit}; convert the value{converted} and rename the key."
        )
    return (
        f"`{source}`: unknown key `{where}`; nearest: "
        f"{nearest_names(name, known)}; correct or remove it."
    )


def _suffix(name: str) -> str:
    """Return the unit suffix of a name with its underscore."""
    unit, best = unit_of_name(name), ""
    for cut in range(len(name)):
        if name[cut] == "_" and unit_of_name(name[cut:]) == unit:
            best = name[cut:]
            break
    # The shortest tail that still promises the same unit.
    while best and (cut := best.find("_", 1)) > 0 and unit_of_name(best[cut:]) == unit:
        best = best[cut:]
    return best


def _unit_given(name: str, stem: str) -> str:
    unit = unit_of_name(name)
    return unit if unit != "1" else name.removeprefix(stem).lstrip("_")


def _converted(got: Any, given: str, wanted: str) -> str:
    is_number = isinstance(got, int | float) and not isinstance(got, bool)
    if not is_number or given not in UNITS or wanted not in UNITS:
        return ""
    if not UNITS[given].is_convertible_to(UNITS[wanted]):
        return ""
    value = convert(float(got), given, wanted)
    return f" ({got:g} {given} = {value:.6g} {wanted})"


def _expected(details: ErrorDetails, path: list[str], root: type[BaseModel]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    unit = unit_of_name(_name(path))
    tail = "" if unit == "1" else f" {unit}"
    limits = {"greater_than": "gt", "greater_than_equal": "ge"} | {
        "less_than": "lt",
        "less_than_equal": "le",
    }
    if kind in limits:
        bound = str(context[limits[kind]])
        return _range_text(path, bound, kind, root) + tail
    if kind in _TYPES:
        return _TYPES[kind] + ("" if unit == "1" else f" in {unit}")
    if kind == "literal_error":
        return f"one of {context['expected']}"
    if kind == "string_pattern_mismatch":
        return "a name of letters, digits and underscores that starts with a letter"
    if kind in ("too_short", "string_too_short"):
        return "at least one entry"
    return str(details["msg"])


def _range_text(path: list[str], bound: str, kind: str, root: type[BaseModel]) -> str:
    low = high = ""
    for item in _metadata(path, root):
        for label in ("ge", "gt"):
            value = getattr(item, label, None)
            low = low or ("" if value is None else f"{value:g}")
        for label in ("le", "lt"):
            value = getattr(item, label, None)
            high = high or ("" if value is None else f"{value:g}")
    if low and high:
        return f"a value from {low} to {high}"
    words = {"greater_than": "more than", "greater_than_equal": "at least"}
    words |= {"less_than": "less than", "less_than_equal": "at most"}
    return f"{words[kind]} {bound}"


def _metadata(path: list[str], root: type[BaseModel]) -> list[Any]:
    """Return the range annotations of a key, also those of a list's entries."""
    model: Any = root
    for part in path[:-1]:
        field = _field(model, part)
        if field is None:
            break
        model = _model_of(field.annotation) or model
    field = _field(model, _name(path))
    if field is None:
        return []
    found = list(field.metadata)
    pending = [field.annotation]
    while pending:
        item = pending.pop()
        found += getattr(item, "__metadata__", ())
        pending += [a for a in get_args(item) if a is not Ellipsis]
    return [part for item in found for part in (item, *getattr(item, "metadata", ()))]


def _field(model: Any, part: str) -> Any:
    for name, field in model.model_fields.items():
        if part == (field.alias or name):
            return field
    return None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for item in (annotation, *get_args(annotation)):
        if isinstance(item, type) and issubclass(item, BaseModel):
            return item
    return None


def _keys_of(parents: list[str], root: type[BaseModel]) -> list[str]:
    model = root
    for part in parents:
        field = _field(model, part)
        model = _model_of(field.annotation) or model if field else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _meaning(path: list[str], root: type[BaseModel]) -> str:
    field = _field(root, path[0])
    model = _model_of(field.annotation) if field else None
    if len(path) == 1 and model is not None:
        needed = [n for n, f in model.model_fields.items() if f.is_required()]
        return f"a table with {', '.join(f'`{name}`' for name in needed)}"
    unit = unit_of_name(_name(path))
    return "a value" if unit == "1" else f"a number in {unit}"


def _unit_hint(path: list[str], got: Any) -> str:
    is_kelvin = unit_of_name(_name(path)) == "K"
    is_number = isinstance(got, int | float) and not isinstance(got, bool)
    if is_kelvin and is_number and "margin" not in path[-1] and -60 <= got <= 100:
        kelvin = convert(float(got), "degC", "K")
        return f"; if {got:g} is in degC, write {kelvin:.2f}"
    return ""


def _name(path: list[str]) -> str:
    """Return the last part of a path that is not a place in a list."""
    names = [part for part in path if not part.isdigit()]
    return names[-1] if names else ""


def _key_text(path: list[str]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdigit() else f".{part}"
    return text.lstrip(".")


def _got(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    return f"{value:g}" if isinstance(value, float) else str(value)
