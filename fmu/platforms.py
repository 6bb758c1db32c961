"""Platforms of FMI: their names, folders under `binaries/`, and library names."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from packtwin.twin.compiler import System, host_system
from packtwin.twin.errors import FmuError
from packtwin.twin.variable import nearest_names

__all__ = [
    "HOST",
    "PLATFORMS",
    "Platform",
    "choose_platforms",
    "host_folders",
    "host_platform",
    "library_suffix",
]

HOST = "host"
_ALL = "all"
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64"}
_SUFFIXES: dict[System, str] = {"linux": ".so", "darwin": ".dylib", "windows": ".dll"}
_FMI2_FOLDERS = {
    "x86_64-linux": "linux64",
    "x86_64-darwin": "darwin64",
    "x86_64-windows": "win64",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What a binary is made for.

    Attributes:
        name: Processor and system in FMI 3's words, such as `x86_64-linux`.
        target: The same for Zig's compiler, with the oldest system it shall run on;
            empty where we do not cross-compile.
        oldest: The oldest system it runs on, in words.
    """

    name: str
    target: str = ""
    oldest: str = ""

    @property
    def system(self) -> System:
        """The operating system."""
        found = self.name.partition("-")[2]
        return next((s for s in _SUFFIXES if s == found), "linux")

    @property
    def suffix(self) -> str:
        """File suffix of a shared library."""
        return _SUFFIXES[self.system]

    def folder(self, fmi_version: str) -> str:
        """Return the folder under `binaries/` for an FMI version."""
        if fmi_version.startswith("2"):
            return _FMI2_FOLDERS.get(self.name, self.name)
        return self.name


PLATFORMS: dict[str, Platform] = {
    item.name: item
    for item in (
        Platform(
            name="x86_64-linux", target="x86_64-linux-gnu.2.17", oldest="glibc 2.17"
        ),
        Platform(
            name="aarch64-linux", target="aarch64-linux-gnu.2.17", oldest="glibc 2.17"
        ),
        Platform(
            name="x86_64-windows", target="x86_64-windows-gnu", oldest="Windows 10"
        ),
        Platform(name="x86_64-darwin", target="x86_64-macos.11.0", oldest="macOS 11"),
        Platform(name="aarch64-darwin", target="aarch64-macos.11.0", oldest="macOS 11"),
    )
}
"""The platforms that one Linux machine makes binaries for, by name."""


def host_platform() -> Platform:
    """Return the platform of this machine."""
    machine = platform.machine().lower()
    name = f"{_MACHINES.get(machine, machine)}-{host_system()}"
    return PLATFORMS.get(name, Platform(name=name))


def host_folders() -> tuple[str, ...]:
    """Return the folders under `binaries/` for this machine, the preferred first."""
    host = host_platform()
    return tuple(dict.fromkeys((host.folder("2.0"), host.folder("3.0"))))


def library_suffix(folder: str | None = None) -> str:
    """Return the file suffix of a shared library; of this machine by default."""
    if folder is None:
        return host_platform().suffix
    if "darwin" in folder:
        return ".dylib"
    return ".dll" if "win" in folder else ".so"


def choose_platforms(words: Sequence[str]) -> tuple[Platform | None, ...]:
    """Return the platforms that are meant; None is this machine's own compiler.

    Args:
        words: `host` (this machine, with its own compiler), `all`, or names as in FMI
            2 or 3. A platform that is also named is not `host`.

    Raises:
        FmuError: There is no such platform; the nearest are named.
    """
    folders = {p.folder("2.0"): p for p in PLATFORMS.values()}
    known = {**folders, **PLATFORMS}
    chosen: dict[str, Platform | None] = {}
    for word in words:
        if word == _ALL:
            chosen |= PLATFORMS
        elif word == HOST:
            chosen.setdefault(host_platform().name, None)
        elif word in known:
            chosen[known[word].name] = known[word]
        else:
            names = (HOST, _ALL, *known)
            msg = (
                f"No platform `{word}`; nearest: {nearest_names(word, names)}. Known "
                f"are {', '.join(f'`{name}`' for name in (HOST, _ALL, *PLATFORMS))}."
            )
            raise FmuError(msg)
    return tuple(chosen.values())
