"""Read a macOS library (Mach-O, universal or not), without loading it.

Layout: Apple, `mach-o/loader.h` and `mach-o/nlist.h`; the export trie as dyld reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from packtwin.fmu.checker.library import SharedLibrary, text_at

__all__ = ["read_mach_o"]

_MACHINES = {7: "x86", 0x01000007: "x86_64", 0x0100000C: "aarch64"}
_LIBRARY, _BUNDLE = 6, 8
_MAGIC_64, _UNIVERSAL = b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"
_N_UNIVERSAL = 16  # more is no universal library: a Java class starts alike
_SYMBOLS, _RPATH = 0x02, 0x8000001C
_LOADS = (0x0C, 0x80000018, 0x8000001F, 0x80000023)
_DYLD = (0x22, 0x80000022)
_TRIE = 0x80000033
_EXTERNAL, _PRIVATE, _TYPE, _IN_SECTION = 0x01, 0x10, 0x0E, 0x0E


def read_mach_o(data: bytes) -> SharedLibrary | None:
    """Return what a 64-bit library exports and needs; nothing if it is none."""
    try:
        parts = [_read(part) for part in _parts(data)]
    except (struct.error, IndexError, ValueError):
        return None
    libraries = [part for part in parts if part is not None]
    if not libraries or len(libraries) != len(parts):
        return None
    functions = frozenset.intersection(*(part.functions for part in libraries))
    return SharedLibrary(
        system="darwin",
        machines=tuple(m for part in libraries for m in part.machines),
        functions=functions,
        needed=tuple(dict.fromkeys(n for part in libraries for n in part.needed)),
        search_paths=tuple(
            dict.fromkeys(p for part in libraries for p in part.search_paths)
        ),
    )


def _parts(data: bytes) -> Iterator[bytes]:
    if data[:4] != _UNIVERSAL:
        yield data
        return
    count = struct.unpack_from(">I", data, 4)[0]
    if not 0 < count <= _N_UNIVERSAL:
        return
    for i in range(count):
        offset, size = struct.unpack_from(">II", data, 8 + 20 * i + 8)
        yield data[offset : offset + size]


def _read(data: bytes) -> SharedLibrary | None:
    if data[:4] != _MAGIC_64:
        return None
    machine, _, kind, count = struct.unpack_from("<IIII", data, 4)
    if kind not in (_LIBRARY, _BUNDLE):
        return None
    names: set[str] = set()
    needed: list[str] = []
    paths: list[str] = []
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command == _SYMBOLS:
            names |= set(_symbols(data, at))
        elif command in _DYLD:
            names |= _trie(data, *struct.unpack_from("<II", data, at + 40))
        elif command == _TRIE:
            names |= _trie(data, *struct.unpack_from("<II", data, at + 8))
        elif command in (*_LOADS, _RPATH):
            start = struct.unpack_from("<I", data, at + 8)[0]
            (paths if command == _RPATH else needed).append(text_at(data, at + start))
        if size < 8:
            msg = "A load command has no length."
            raise ValueError(msg)
        at += size
    return SharedLibrary(
        system="darwin",
        machines=(_MACHINES.get(machine, f"machine {machine:#x}"),),
        functions=frozenset(name.removeprefix("_") for name in names),
        needed=tuple(needed),
        search_paths=tuple(paths),
    )


def _symbols(data: bytes, at: int) -> Iterator[str]:
    offset, count, strings, _ = struct.unpack_from("<IIII", data, at + 8)
    for i in range(count):
        name, kind = struct.unpack_from("<IB", data, offset + 16 * i)
        is_exported = kind & _EXTERNAL and not kind & _PRIVATE
        if is_exported and kind & _TYPE == _IN_SECTION:
            yield text_at(data, strings + name)


def _trie(data: bytes, offset: int, size: int) -> set[str]:
    trie = data[offset : offset + size]
    names: set[str] = set()
    nodes, seen = [(0, "")], {0}
    while nodes and trie:
        at, prefix = nodes.pop()
        terminal, at = _number(trie, at)
        if terminal:
            names.add(prefix)
        at += terminal
        n_children = trie[at]
        at += 1
        for _ in range(n_children):
            edge = text_at(trie, at)
            child, at = _number(trie, trie.index(b"\0", at) + 1)
            if child not in seen:
                seen.add(child)
                nodes.append((child, prefix + edge))
    return names


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length (LEB128) and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
