"""The zip file of an FMU: `packtwin.twin.archive` with the word and error of FMUs."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from packtwin.twin import archive as archives
from packtwin.twin.archive import ArchiveKind, file_digest
from packtwin.twin.errors import FmuError

__all__ = [
    "check_member",
    "extract",
    "file_digest",
    "open_archive",
    "read_member",
    "write_archive",
]

_FMU = ArchiveKind(noun="FMU", error=FmuError)


def check_member(name: str, path: Path) -> None:
    """Refuse a member that would leave the folder it is extracted to."""
    archives.check_member(name, path, _FMU)


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an FMU and check that every file in it is where it should be."""
    return archives.open_archive(path, _FMU)


def read_member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Return one file of an open FMU."""
    return archives.read_member(archive, name, path, _FMU)


def extract(path: Path, folder: Path) -> None:
    """Extract an FMU into an existing folder."""
    archives.extract(path, folder, _FMU)


def write_archive(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an FMU at once or not at all; equal members give equal bytes."""
    archives.write_archive(path, members, _FMU)
