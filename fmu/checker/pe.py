"""Read a Windows library (PE), without loading it.

Layout: Microsoft, "PE Format", learn.microsoft.com/windows/win32/debug/pe-format.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from packtwin.fmu.checker.library import SharedLibrary, text_at

__all__ = ["read_pe"]

_MACHINES = {0x14C: "x86", 0x8664: "x86_64", 0xAA64: "aarch64", 0x1C4: "aarch32"}
_IS_DLL = 0x2000
_PE32, _PE32_PLUS = 0x10B, 0x20B
_N_IMPORTS = 4096


def read_pe(data: bytes) -> SharedLibrary | None:
    """Return what a DLL exports and needs; nothing if this is no readable DLL."""
    if data[:2] != b"MZ":
        return None
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError):
        return None


def _read(data: bytes) -> SharedLibrary | None:
    start = struct.unpack_from("<I", data, 0x3C)[0]
    if data[start : start + 4] != b"PE\0\0":
        return None
    machine, n_sections = struct.unpack_from("<HH", data, start + 4)
    optional_size, flags = struct.unpack_from("<HH", data, start + 20)
    optional = start + 24
    magic = struct.unpack_from("<H", data, optional)[0]
    if not flags & _IS_DLL or magic not in (_PE32, _PE32_PLUS):
        return None
    directories = optional + (96 if magic == _PE32 else 112)
    n_directories = struct.unpack_from("<I", data, directories - 4)[0]
    offset_of = _addresses(data, optional + optional_size, n_sections)
    exports = struct.unpack_from("<I", data, directories)[0] if n_directories else 0
    imports = 0
    if n_directories > 1:
        imports = struct.unpack_from("<I", data, directories + 8)[0]
    return SharedLibrary(
        system="windows",
        machines=(_MACHINES.get(machine, f"machine {machine:#x}"),),
        functions=frozenset(_exports(data, exports, offset_of)),
        needed=tuple(_imports(data, imports, offset_of)),
    )


def _addresses(data: bytes, table: int, count: int) -> Callable[[int], int]:
    """Return the function from a virtual address to an offset in the file."""
    sections = []
    for i in range(count):
        size, address, raw_size, raw = struct.unpack_from(
            "<IIII", data, table + 40 * i + 8
        )
        sections.append((address, max(size, raw_size), raw))

    def offset_of(address: int) -> int:
        for begin, size, raw in sections:
            if begin <= address < begin + size:
                return int(address - begin + raw)
        msg = f"No section holds address {address:#x}."
        raise ValueError(msg)

    return offset_of


def _exports(
    data: bytes, address: int, offset_of: Callable[[int], int]
) -> Iterator[str]:
    if not address:
        return
    table = offset_of(address)
    count = struct.unpack_from("<I", data, table + 24)[0]
    names = struct.unpack_from("<I", data, table + 32)[0]
    if not count:
        return
    start = offset_of(names)
    for i in range(count):
        name = struct.unpack_from("<I", data, start + 4 * i)[0]
        yield text_at(data, offset_of(name))


def _imports(
    data: bytes, address: int, offset_of: Callable[[int], int]
) -> Iterator[str]:
    if not address:
        return
    start = offset_of(address)
    for i in range(_N_IMPORTS):
        row = struct.unpack_from("<IIIII", data, start + 20 * i)
        if not any(row):
            return
        yield text_at(data, offset_of(row[3]))
