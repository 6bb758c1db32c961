"""Read a Linux shared library (ELF), without loading it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from packtwin.fmu.checker.library import SharedLibrary, text_at

__all__ = ["exported_functions", "needed_glibc", "read_elf"]

_SHT_DYNSYM, _SHT_DYNAMIC, _SHT_VERNEED = 11, 6, 0x6FFFFFFE
_STT_FUNC, _STT_IFUNC = 2, 10
_ET_DYN = 3
_DT_NEEDED, _DT_RPATH, _DT_RUNPATH = 1, 15, 29
_MACHINES = {3: "x86", 40: "aarch32", 62: "x86_64", 183: "aarch64"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int
    step: int


def exported_functions(data: bytes) -> frozenset[str] | None:
    """Return the names of the functions that a 64-bit ELF library defines.

    Returns:
        The names, or nothing if this is no readable 64-bit little-endian ELF file.
    """
    library = read_elf(data) if data[4:5] == b"\x02" else None
    return None if library is None else library.functions


def needed_glibc(data: bytes) -> str:
    """Return the oldest GNU C library that a 64-bit library runs with, as `2.17`.

    Returns:
        Nothing if it asks for no version, or is no such library.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        return ""
    try:
        names = set(_needed_versions(data))
    except (struct.error, IndexError, ValueError):
        return ""
    found = [m for name in names if (m := re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", name))]
    versions = [tuple(int(part) for part in m.group(1).split(".")) for m in found]
    return ".".join(map(str, max(versions))) if versions else ""


def _needed_versions(data: bytes) -> Iterator[str]:
    """Yield the symbol versions asked of other libraries (`Elf64_Verneed`)."""
    sections = _sections(data, is_64=True)
    for section in sections:
        if section.kind != _SHT_VERNEED:
            continue
        strings = sections[section.link].offset
        at, next_at = section.offset, 1
        while next_at:
            # version, number of names, file, first name, next library
            _, count, _, first, next_at = struct.unpack_from("<HHIII", data, at)
            name_at = at + first
            for _ in range(count):
                # hash, flags, other, name, next name
                *_, name, step = struct.unpack_from("<IHHII", data, name_at)
                yield text_at(data, strings + name)
                name_at += step
            at += next_at


def read_elf(data: bytes) -> SharedLibrary | None:
    """Return what a little-endian ELF library exports and needs.

    Returns:
        Nothing if this is no readable shared library.
    """
    if data[:4] != b"\x7fELF" or data[4:5] not in (b"\x01", b"\x02"):
        return None
    if data[5:6] != b"\x01":
        return None
    try:
        return _read(data, is_64=data[4] == 2)
    except (struct.error, IndexError, ValueError):
        return None


def _read(data: bytes, *, is_64: bool) -> SharedLibrary | None:
    kind, machine = struct.unpack_from("<HH", data, 16)
    if kind != _ET_DYN:
        return None
    sections = _sections(data, is_64)
    names: set[str] = set()
    found: dict[int, list[str]] = {}
    for section in sections:
        if section.kind == _SHT_DYNSYM:
            names |= set(_symbols(data, sections, section, is_64))
        elif section.kind == _SHT_DYNAMIC:
            strings = sections[section.link].offset
            layout = "<qQ" if is_64 else "<iI"
            for at in range(section.offset, section.offset + section.size, 16):
                half = at if is_64 else section.offset + (at - section.offset) // 2
                tag, value = struct.unpack_from(layout, data, half)
                if tag in (_DT_NEEDED, _DT_RPATH, _DT_RUNPATH):
                    found.setdefault(tag, []).append(text_at(data, strings + value))
    paths = [*found.get(_DT_RPATH, ()), *found.get(_DT_RUNPATH, ())]
    return SharedLibrary(
        system="linux",
        machines=(_MACHINES.get(machine, f"machine {machine}"),),
        functions=frozenset(names),
        needed=tuple(found.get(_DT_NEEDED, ())),
        search_paths=tuple(p for path in paths for p in path.split(":") if p),
    )


def _sections(data: bytes, is_64: bool) -> list[_Section]:
    # name, type, flags, address, offset, size, link, info, alignment, entry size
    layout = "<IIQQQQIIQQ" if is_64 else "<IIIIIIIIII"
    start = struct.unpack_from("<Q" if is_64 else "<I", data, 40 if is_64 else 32)[0]
    entry_size, count = struct.unpack_from("<HH", data, 58 if is_64 else 46)
    rows = [
        struct.unpack_from(layout, data, start + i * entry_size) for i in range(count)
    ]
    return [
        _Section(kind=r[1], offset=r[4], size=r[5], link=r[6], step=r[9]) for r in rows
    ]


def _symbols(
    data: bytes, sections: list[_Section], section: _Section, is_64: bool
) -> Iterator[str]:
    strings = sections[section.link].offset
    for at in range(section.offset, section.offset + section.size, section.step):
        if is_64:
            name, info, other, index = struct.unpack_from("<IBBH", data, at)
        else:
            name, _, _, info, other, index = struct.unpack_from("<IIIBBH", data, at)
        is_visible = info >> 4 in (1, 2) and other & 3 in (0, 3)
        if index and is_visible and info & 15 in (_STT_FUNC, _STT_IFUNC):
            yield text_at(data, strings + name)
