"""What the libraries in an FMU are and need, read without loading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

from packtwin.fmu.archive import open_archive, read_member
from packtwin.fmu.checker.mach_o import read_mach_o
from packtwin.fmu.checker.pe import read_pe
from packtwin.fmu.elf import needed_glibc, read_elf

__all__ = ["Binary", "describe_binaries", "describe_binary"]

_SUFFIXES = (".so", ".dll", ".dylib")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One shared library.

    Attributes:
        folder: Its folder under `binaries/`.
        size: Bytes.
        needed: The libraries that it loads.
        glibc: The oldest GNU C library that it runs with; empty if it needs none.
        compiler: What made it, in words; empty if that is unknown.
    """

    folder: str
    size: int
    needed: tuple[str, ...]
    glibc: str
    compiler: str = ""

    @property
    def needs(self) -> str:
        """What a machine must have, in words."""
        names = sorted({PurePosixPath(name).name for name in self.needed})
        own = [n for n in names if n.startswith("api-ms-win-crt-")]
        shown = [n for n in names if n not in own] + (["the UCRT"] if own else [])
        text = ", ".join(shown) or "nothing"
        return f"{text}; glibc {self.glibc} or newer" if self.glibc else text


def describe_binary(folder: str, data: bytes, *, compiler: str = "") -> Binary:
    """Return what one library is."""
    library = read_elf(data) or read_pe(data) or read_mach_o(data)
    return Binary(
        folder=folder,
        size=len(data),
        needed=library.needed if library else (),
        glibc=needed_glibc(data),
        compiler=compiler,
    )


def describe_binaries(path: Path) -> tuple[Binary, ...]:
    """Return the libraries of an FMU.

    Raises:
        FmuError: The file cannot be read.
    """
    found = []
    with open_archive(path) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name).parts
            if len(parts) == 3 and parts[0] == "binaries" and name.endswith(_SUFFIXES):
                data = read_member(archive, name, path)
                found.append(describe_binary(parts[1], data))
    return tuple(found)
