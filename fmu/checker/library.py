"""What the checker wants to know of a shared library of any system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = ["SharedLibrary", "System", "text_at"]

System: TypeAlias = Literal["linux", "windows", "darwin"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLibrary:
    """A shared library, as read from its file.

    Attributes:
        system: What it is made for.
        machines: Its processors, in FMI 3's words; several in a universal macOS file.
        functions: What it exports (of every processor).
        needed: The libraries that it loads.
        search_paths: Where it looks for them first.
    """

    system: System
    machines: tuple[str, ...]
    functions: frozenset[str]
    needed: tuple[str, ...]
    search_paths: tuple[str, ...] = ()


def text_at(data: bytes, start: int) -> str:
    """Return the zero-terminated text at an offset.

    Raises:
        ValueError: There is none.
    """
    if not 0 <= start < len(data):
        msg = f"There is no text at byte {start}."
        raise ValueError(msg)
    return data[start : data.index(b"\0", start)].decode("utf-8", "replace")
