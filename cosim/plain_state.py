"""States of components as plain values: what a file can hold without running code.

Numbers, texts, bytes, arrays, tuples, lists, dictionaries, enumerations, named tuples
and dataclasses of such. The classes of the latter are found among those that are loaded
already, by name; nothing is imported or called by a file's wish. An object that gives
`bytes`, such as a state inside an FMU, is kept as these bytes.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from enum import Enum
from typing import Any, SupportsBytes, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError

__all__ = ["from_plain", "to_plain"]

Arrays: TypeAlias = "list[NDArray[Any]]"


def to_plain(value: Any, arrays: Arrays) -> Any:
    """Return a value as JSON can hold it; arrays and bytes go to `arrays`.

    Raises:
        InterfaceError: It holds something that is no plain value.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, np.generic):
        return {"scalar": to_plain(np.array(value), arrays)}
    if isinstance(value, Enum):
        return {"member": _name(type(value)), "of": value.name}
    if isinstance(value, tuple | list):
        items = [to_plain(item, arrays) for item in value]
        if hasattr(value, "_fields"):
            return {"named": _name(type(value)), "of": items}
        return (
            {type(value).__name__: items}
            if type(value) in (tuple, list)
            else _no(value)
        )
    if type(value) is dict:
        pairs = [[to_plain(k, arrays), to_plain(v, arrays)] for k, v in value.items()]
        return {"dict": pairs}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: to_plain(getattr(value, field.name), arrays)
            for field in dataclasses.fields(value)
        }
        return {"dataclass": _name(type(value)), "of": fields}
    if isinstance(value, SupportsBytes):
        arrays.append(np.frombuffer(bytes(value), dtype=np.uint8))
        return {"bytes": len(arrays) - 1}
    return _no(value)


def from_plain(plain: Any, arrays: Mapping[int, NDArray[Any]]) -> Any:
    """Return the value that `to_plain` took apart.

    Raises:
        InterfaceError: A class of it is not loaded or has changed.
    """
    if not isinstance(plain, dict):
        return plain
    kind, content = next(iter(plain.items()))
    if kind == "array":
        return np.array(arrays[content])
    if kind == "scalar":
        return np.array(arrays[content["array"]])[()]
    if kind == "bytes":
        return arrays[content].tobytes()
    if kind == "dict":
        return {from_plain(k, arrays): from_plain(v, arrays) for k, v in content}
    if kind in ("tuple", "list"):
        items = [from_plain(item, arrays) for item in content]
        return tuple(items) if kind == "tuple" else items
    return _made(kind, content, plain.get("of"), arrays)


def _made(kind: str, name: str, inside: Any, arrays: Mapping[int, NDArray[Any]]) -> Any:
    """Return an object of a class that is loaded."""
    made = _loaded(name)
    try:
        if kind == "member" and issubclass(made, Enum):
            return made[inside]
        if kind == "named" and issubclass(made, tuple):
            return made(*(from_plain(item, arrays) for item in inside))
        if kind == "dataclass" and "__dataclass_fields__" in vars(made):
            return made(**{k: from_plain(v, arrays) for k, v in inside.items()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"`{name}` is not what it was when it was saved: {error}."
        raise InterfaceError(msg) from error
    msg = f"`{kind}` of `{name}` is no value that a state can hold."
    raise InterfaceError(msg)


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _loaded(name: str) -> Any:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        msg = f"The class `{name}` is not loaded; import what defines it first."
        raise InterfaceError(msg)
    return found


def _no(value: Any) -> Any:
    kind = type(value)
    msg = (
        f"an object of `{kind.__module__}.{kind.__qualname__}` is no plain value; keep "
        "numbers, arrays, tuples or dataclasses of them"
    )
    raise InterfaceError(msg)
