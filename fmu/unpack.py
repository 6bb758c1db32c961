"""Unpack an FMU for use: a temporary folder or a cache, and the library in it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from packtwin.fmu.archive import extract, file_digest
from packtwin.fmu.description import binary_members
from packtwin.fmu.platforms import host_folders, library_suffix
from packtwin.twin.errors import FmuError

__all__ = ["find_library", "unpack"]


def find_library(path: Path, identifier: str) -> str:
    """Return the member of an FMU that is its library for this machine."""
    folders = binary_members(path)
    file = identifier + library_suffix()
    for folder in host_folders():
        if file in folders.get(folder, ()):
            return f"binaries/{folder}/{file}"
    found = ", ".join(f"`{f}`" for f in sorted(folders)) or "no binaries at all"
    msg = (
        f"`{path}` has no binary `{file}` for this platform (`{host_folders()[0]}`); "
        f"it has {found}. Export it for this platform, or compile its sources if it "
        "has any."
    )
    raise FmuError(msg)


def unpack(path: Path, cache: Path | None, stack: ExitStack) -> Path:
    """Return the folder of the extracted FMU.

    Args:
        path: The FMU file.
        cache: Folder that keeps extracted FMUs by content; none for a temporary one.
        stack: Removes the temporary folder when closed.
    """
    if cache is None:
        folder = Path(tempfile.mkdtemp(prefix="packtwin-fmu-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        extract(path, folder)
        return folder
    target = cache / f"{path.stem}-{file_digest(path)}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".extract-") as temporary:
            fresh = Path(temporary) / target.name
            fresh.mkdir()
            extract(path, fresh)
            try:
                fresh.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was first
                    raise
    return target
