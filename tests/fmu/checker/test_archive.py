"""Rules on the zip file: each planted fault is found by its rule, and by no other."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from packtwin.fmu.checker.archive import CheckedArchive, check_archive

Write = Callable[[zipfile.ZipFile], None]


def rules(path: Path) -> list[str]:
    with CheckedArchive(path) as archive:
        return sorted({found.rule for found in check_archive(archive, "2.0")})


def written(path: Path, write: Write, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        write(archive)
    return path


def link(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (lambda a: a.writestr("a.txt", "1"), []),
        (link, ["zip-link"]),
        (lambda a: a.writestr("../a.txt", "1"), ["zip-path"]),
        (lambda a: a.writestr("/a.txt", "1"), ["zip-path"]),
        (lambda a: a.writestr("a" * 200, "1"), ["zip-path-long"]),
        (lambda a: [a.writestr(n, "1") for n in ("A.txt", "a.txt")], ["zip-case"]),
    ],
)
def test_fault_is_found(tmp_path: Path, write: Write, wanted: list[str]) -> None:
    assert rules(written(tmp_path / "x.fmu", write)) == wanted


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_found(tmp_path: Path, method: int) -> None:
    path = written(tmp_path / "x.fmu", lambda a: a.writestr("a", "1"), method)
    assert rules(path) == ["zip-method", "zip-version"]


def test_duplicates_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x.fmu"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", "2")
    assert rules(path) == ["zip-duplicate"]


def test_changed_content_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "x.fmu", lambda a: a.writestr("a", "1" * 9), 0)
    path.write_bytes(path.read_bytes().replace(b"1" * 9, b"2" * 9))
    assert rules(path) == ["zip-member-damaged"]


def test_text_is_no_archive_and_the_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_text("text")
    assert rules(path) == ["zip-unreadable"]
    assert rules(written(path, lambda a: a.writestr("a", "1"))) == ["extension"]


def test_unsafe_archive_is_not_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "x.fmu", lambda a: a.writestr("../a", "1"))
    with CheckedArchive(path) as archive:
        assert archive.is_sound
        check_archive(archive, "2.0")
        assert not archive.is_sound
        assert archive.read("../a") is None
