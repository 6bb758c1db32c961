"""Rules on the zip file of an FMU."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import final

from packtwin.fmu.archive import check_member
from packtwin.fmu.checker.problem import Problem, problem
from packtwin.twin.errors import FmuError

__all__ = ["CheckedArchive", "check_archive"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LARGEST_VERSION = 20
_ENCRYPTED, _STREAMED = 1, 8
_N_PATH = 180  # leaves 80 of Windows' 260 characters to the folder
_N_BYTES = 4 << 30
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    MemoryError,
)


@final
class CheckedArchive:
    """An FMU file that may be damaged: what can be read of it.

    Attributes:
        path: The file.
        names: The files in it, without folders.
        is_sound: Whether it may be unpacked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: tuple[str, ...] = ()
        self.is_sound = False
        self.failure = ""
        self._stack = ExitStack()
        self._archive: zipfile.ZipFile | None = None
        try:
            self._archive = self._stack.enter_context(zipfile.ZipFile(path))
        except _DAMAGE as error:
            self.failure = str(error) or type(error).__name__
            return
        self.is_sound = True
        self.names = tuple(
            dict.fromkeys(m.filename for m in self.members() if not m.is_dir())
        )

    def __enter__(self) -> CheckedArchive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def members(self) -> list[zipfile.ZipInfo]:
        """Return the entries of the table of contents."""
        return [] if self._archive is None else self._archive.infolist()

    def read(self, name: str) -> bytes | None:
        """Return a file, or nothing if it is absent or cannot be read."""
        if self._archive is None or not self.is_sound:
            return None
        try:
            return self._archive.read(name)
        except (KeyError, *_DAMAGE):
            return None

    def reason_unreadable(self, member: zipfile.ZipInfo) -> str:
        """Return why a file cannot be read back; nothing if it can."""
        if self._archive is None:
            return self.failure
        try:
            with self._archive.open(member) as file:
                while file.read(1 << 20):
                    pass
        except _DAMAGE as error:
            return str(error) or type(error).__name__
        return ""


def check_archive(archive: CheckedArchive, version: str) -> list[Problem]:
    """Return what is wrong with the zip file; an unsafe one is marked not sound."""
    if archive.failure:
        return [problem("zip-unreadable", version, f"It says: {archive.failure}.")]
    found: list[Problem] = []
    if archive.path.suffix != ".fmu":
        message = f"The file is called `{archive.path.name}`, expected `*.fmu`."
        found.append(problem("extension", version, message))
    members = archive.members()
    size = sum(member.file_size for member in members)
    if size > _N_BYTES:
        message = f"It unpacks to {size / 2**30:.1f} GiB, expected at most 4 GiB."
        found.append(problem("zip-bomb", version, message))
        archive.is_sound = False
    found += _name_problems(archive, version)
    for member in members:
        found += _member_problems(archive, member, version)
    return found


def _name_problems(archive: CheckedArchive, version: str) -> Iterator[Problem]:
    counts = Counter(member.filename for member in archive.members())
    for name, count in counts.items():
        if count > 1:
            message = f"The archive contains it {count} times."
            yield problem("zip-duplicate", version, message, file=name)
    folded: dict[str, str] = {}
    for name in counts:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            message = f"It differs from `{other}` only in upper and lower case."
            yield problem("zip-case", version, message, file=name)
        if len(name) > _N_PATH:
            message = f"Its path has {len(name)} characters, expected {_N_PATH}."
            yield problem("zip-path-long", version, message, file=name)


def _member_problems(
    archive: CheckedArchive, member: zipfile.ZipInfo, version: str
) -> Iterator[Problem]:
    def found(rule: str, message: str) -> Problem:
        return problem(rule, version, message, file=member.orig_filename)

    try:
        check_member(member.orig_filename, archive.path)
    except FmuError:
        archive.is_sound = False
        yield found("zip-path", "It is no relative path inside the FMU.")
    if stat.S_ISLNK(member.external_attr >> 16):
        archive.is_sound = False
        yield found("zip-link", "It is a link, expected a file.")
    if member.compress_type not in _METHODS:
        yield found("zip-method", f"It uses zip method {member.compress_type}.")
    if member.extract_version > _LARGEST_VERSION:
        needed = member.extract_version / 10
        yield found("zip-version", f"It needs version {needed:.1f} to extract.")
    if member.flag_bits & _ENCRYPTED:
        yield found("zip-encrypted", "It is encrypted.")
        return
    is_stored = member.compress_type == zipfile.ZIP_STORED
    if is_stored and member.flag_bits & _STREAMED and not member.is_dir():
        yield found("zip-stored-streamed", "It is stored with a data descriptor.")
    if member.file_size <= _N_BYTES:
        reason = archive.reason_unreadable(member)
        if reason:
            yield found("zip-member-damaged", f"It cannot be read back: {reason}.")
