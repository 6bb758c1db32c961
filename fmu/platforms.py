"""Where an FMU keeps its binary for a platform, and what the library is called."""

from __future__ import annotations

import platform
import sys

__all__ = ["host_folders", "library_suffix"]

_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64"}
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "windows"}
_SUFFIXES = {"linux": ".so", "darwin": ".dylib", "windows": ".dll"}
_FMI2_FOLDERS = {
    "x86_64-linux": "linux64",
    "x86_64-darwin": "darwin64",
    "x86_64-windows": "win64",
}


def _system() -> str:
    return _SYSTEMS.get(sys.platform, sys.platform)


def host_folders() -> tuple[str, ...]:
    """Return the folders under `binaries/` for this machine, the preferred first."""
    machine = platform.machine().lower()
    tuple_name = f"{_MACHINES.get(machine, machine)}-{_system()}"
    fmi2 = _FMI2_FOLDERS.get(tuple_name)
    return (fmi2, tuple_name) if fmi2 else (tuple_name,)


def library_suffix(folder: str | None = None) -> str:
    """Return the file suffix of a shared library; of this machine by default."""
    name = folder or _system()
    if "win" in name and "darwin" not in name:
        return ".dll"
    return _SUFFIXES["darwin" if "darwin" in name else "linux"]
