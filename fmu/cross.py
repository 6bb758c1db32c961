"""Compilers for other platforms: Zig's clang, from the package `ziglang`.

It brings headers and start files of every system, so one Linux machine makes all
binaries. What it needs of a system is compiled once and kept in `cache_folder()/zig`:
seconds for Linux and macOS, two to three minutes for the C runtime of Windows.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from packtwin.fmu.platforms import PLATFORMS, Platform, host_platform
from packtwin.twin.compiler import Compiler, find_compiler
from packtwin.twin.errors import CompilerError
from packtwin.twin.library_cache import cache_folder

__all__ = ["compiler_for", "cross_compiler", "cross_version"]

_INSTALL = "`pip install 'packtwin[cross]'`"


def cross_version() -> str:
    """Return the version of `ziglang`; nothing if it is not installed."""
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return ""


def cross_compiler(platform: Platform) -> Compiler:
    """Return the compiler for a platform.

    Raises:
        CompilerError: `ziglang` is not installed, or cannot make this platform.
    """
    if not platform.target:
        known = ", ".join(f"`{name}`" for name in PLATFORMS)
        msg = (
            f"There is no cross-compiler for `{platform.name}`, expected one of "
            f"{known}; use `host` with the compiler of this machine."
        )
        raise CompilerError(msg)
    spec = find_spec("ziglang")
    if spec is None or spec.origin is None:
        msg = (
            f"Compiling for `{platform.name}` needs the package `ziglang`, which is "
            f"not installed; run {_INSTALL}, or export for `host` only."
        )
        raise CompilerError(msg)
    cache = str(cache_folder().resolve() / "zig")
    # A default target would be this machine's own processor.
    return Compiler(
        command=(str(Path(spec.origin).parent / "zig"), "cc"),
        extra_flags=("-target", platform.target, "-s"),
        system=platform.system,
        environment={"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
    )


def compiler_for(platform: Platform | None) -> Compiler:
    """Return the compiler of a chosen platform; None is this machine's own.

    Where this machine has no compiler, `ziglang` takes its place.

    Raises:
        CompilerError: There is none; the message says what to install.
    """
    if platform is not None:
        return cross_compiler(platform)
    try:
        return find_compiler()
    except CompilerError as error:
        is_chosen = bool(os.environ.get("CC", "").strip())
        if cross_version() and host_platform().target and not is_chosen:
            return cross_compiler(host_platform())
        msg = f"{error} Or run {_INSTALL}, which brings one."
        raise CompilerError(msg) from error
