"""Read and write zip files that are FMUs or system packages, safely."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

from packtwin.twin.errors import PackTwinError

__all__ = [
    "ArchiveKind",
    "check_member",
    "extract",
    "file_digest",
    "open_archive",
    "read_member",
    "write_archive",
]

_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file can hold
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveKind:
    """What a zip file is called in errors, and which error that is."""

    noun: str
    error: type[PackTwinError]


def check_member(name: str, path: Path, kind: ArchiveKind) -> None:
    """Refuse a member that would leave the folder it is extracted to."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or ":" in name
    ):
        msg = (
            f"`{path}` contains the file `{name}`, which is no relative path inside "
            f"the {kind.noun}; do not use this file, ask its maker for a correct one."
        )
        raise kind.error(msg)


def open_archive(path: Path, kind: ArchiveKind) -> zipfile.ZipFile:
    """Open an archive and check that every file in it is where it should be."""
    if not path.is_file():
        msg = f"There is no {kind.noun} file `{path}`; check the path."
        raise kind.error(msg)
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        msg = (
            f"`{path}` is not a readable zip file ({error}); get the {kind.noun} again."
        )
        raise kind.error(msg) from error
    try:
        for member in archive.infolist():
            check_member(member.orig_filename, path, kind)
            if stat.S_ISLNK(member.external_attr >> 16):
                msg = (
                    f"`{path}` contains the link `{member.filename}`; an {kind.noun} "
                    "must not."
                )
                raise kind.error(msg)
    except kind.error:
        archive.close()
        raise
    return archive


def read_member(
    archive: zipfile.ZipFile, name: str, path: Path, kind: ArchiveKind
) -> bytes:
    """Return one file of an open archive."""
    try:
        return archive.read(name)
    except KeyError as error:
        msg = f"`{path}` contains no `{name}`, so it is no {kind.noun}; check the file."
        raise kind.error(msg) from error
    except _DAMAGE as error:
        msg = f"`{name}` in `{path}` is damaged ({error}); get the {kind.noun} again."
        raise kind.error(msg) from error


def extract(path: Path, folder: Path, kind: ArchiveKind) -> None:
    """Extract an archive into an existing folder."""
    with open_archive(path, kind) as archive:
        try:
            archive.extractall(folder)
        except _DAMAGE as error:
            msg = f"`{path}` is damaged ({error}); get the {kind.noun} again."
            raise kind.error(msg) from error
        except OSError as error:
            msg = f"`{path}` cannot be extracted to `{folder}`: {error}."
            raise kind.error(msg) from error


def file_digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def write_archive(path: Path, members: Mapping[str, bytes], kind: ArchiveKind) -> None:
    """Write an archive at once or not at all; equal members give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for member, content in members.items():
                check_member(member, path, kind)
                archive.writestr(_entry(member), content, compresslevel=9)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _entry(member: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(member, date_time=_TIMESTAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, for the permissions
    mode = 0o755 if member.startswith("binaries/") else 0o644
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry
