"""Read the exported functions of a Linux shared library, without loading it."""

from __future__ import annotations

import struct

__all__ = ["exported_functions"]

_SHT_DYNSYM = 11
_STT_FUNC = 2


def exported_functions(data: bytes) -> frozenset[str] | None:
    """Return the names of the functions that a 64-bit ELF library defines.

    Returns:
        The names, or nothing if this is no readable 64-bit little-endian ELF file.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        return None
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError):
        return None


def _read(data: bytes) -> frozenset[str]:
    section_offset = struct.unpack_from("<Q", data, 40)[0]
    entry_size, count = struct.unpack_from("<HH", data, 58)
    # name, type, flags, address, offset, size, link, info, alignment, entry size
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", data, section_offset + i * entry_size)
        for i in range(count)
    ]
    names: set[str] = set()
    for section in sections:
        if section[1] != _SHT_DYNSYM:
            continue
        _, _, _, _, offset, size, link, _, _, step = section
        strings = sections[link][4]
        for at in range(offset, offset + size, step):
            name, info, other, index = struct.unpack_from("<IBBH", data, at)
            is_visible = info >> 4 in (1, 2) and other & 3 in (0, 3)
            if index and is_visible and info & 15 == _STT_FUNC:
                start = strings + name
                names.add(data[start : data.index(b"\0", start)].decode())
    return frozenset(names)
