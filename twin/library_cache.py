"""Shared libraries compiled once per machine.

They are kept in a cache folder under the hash of source, compiler and flags.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from packtwin.twin.compiler import Compiler, find_compiler

__all__ = ["cache_folder", "cached_library"]

# Vectorise comparisons too; do not search long straight code for vectors.
_FLAGS = ("-fno-trapping-math", "-fno-tree-slp-vectorize")


def cache_folder() -> Path:
    """Return where compiled step maps are kept: `PACKTWIN_CACHE`, or the user's."""
    chosen = os.environ.get("PACKTWIN_CACHE", "").strip()
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "").strip() or str(Path.home() / ".cache")
    return Path(base) / "packtwin"


def cached_library(name: str, text: str, compiler: Compiler | None = None) -> Path:
    """Return the shared library of C source, compiled unless it is in the cache.

    Raises:
        CompilerError: no C compiler, or it failed.
    """
    chosen = compiler or find_compiler()
    chosen = replace(chosen, extra_flags=(*_FLAGS, *chosen.extra_flags))
    key = hashlib.sha256(
        "\0".join([text, *chosen.command, *chosen.extra_flags]).encode()
    ).hexdigest()[:32]
    folder = cache_folder()
    library = folder / f"{name}-{key}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            code = Path(scratch) / f"{name}.c"
            code.write_text(text, encoding="utf-8")
            made = Path(scratch) / library.name
            chosen.compile_library(code, made)
            made.replace(library)
    return library
