"""Find the C compiler of this machine and make shared libraries with it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, final

from packtwin.twin.errors import CompilerError

__all__ = ["STRICT_FLAGS", "Compiler", "System", "find_compiler", "host_system"]

System: TypeAlias = Literal["linux", "darwin", "windows"]

_CANDIDATES = ("cc", "gcc", "clang")
_N_MESSAGE_LINES = 12

# No fused multiply-add, no -ffast-math, no -march=native: the results must equal the
# model's on every machine. errno is never read.
_FLAGS = (
    "-std=c99",
    "-O3",
    "-shared",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-DFMI2_OVERRIDE_FUNCTION_PREFIX",
    "-DFMI3_OVERRIDE_FUNCTION_PREFIX",
)

# Windows code is always position-independent; clang refuses the flag there.
_SYSTEM_FLAGS: Mapping[System, tuple[str, ...]] = {
    "linux": ("-fPIC", "-Wl,-Bsymbolic", "-s"),
    "darwin": ("-fPIC", "-Wl,-install_name,@rpath/{library}"),
    "windows": ("-s",),
}

STRICT_FLAGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
"""Warnings as errors, under which our sources must compile."""


def host_system() -> System:
    """Return the operating system of this machine; what is unknown is like Linux."""
    known: dict[str, System] = {"darwin": "darwin", "win32": "windows"}
    return known.get(sys.platform, "linux")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A C compiler with gcc's command line.

    Attributes:
        command: Program and its leading arguments, such as `("ccache", "gcc")`.
        extra_flags: Flags added after the standard ones.
        system: What it compiles for.
        environment: Variables set for it.
    """

    command: tuple[str, ...]
    extra_flags: tuple[str, ...] = ()
    system: System = field(default_factory=host_system)
    environment: Mapping[str, str] = field(default_factory=dict)

    def compile_library(self, source: Path, library: Path) -> None:
        """Compile one C99 file to a shared library.

        Raises:
            CompilerError: The compiler failed; its first lines are in the message.
        """
        flags = [f.format(library=library.name) for f in _SYSTEM_FLAGS[self.system]]
        arguments = [*self.command, *_FLAGS, *flags, *self.extra_flags]
        arguments += ["-o", str(library), str(source), "-lm"]
        try:
            done = subprocess.run(
                arguments,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env={**os.environ, **self.environment},
            )
        except OSError as error:
            msg = f"The C compiler `{self.command[0]}` cannot be run: {error}."
            raise CompilerError(msg) from error
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            first = "\n".join(lines[:_N_MESSAGE_LINES])
            msg = (
                f"The C compiler `{self.command[0]}` failed on `{source.name}` with "
                f"exit code {done.returncode}; it says:\n{first}\n"
                "Check that the C library headers are installed "
                "(`sudo apt-get install gcc libc6-dev`)."
            )
            raise CompilerError(msg)


def find_compiler() -> Compiler:
    """Return the C compiler: the environment variable CC, else cc, gcc or clang.

    Raises:
        CompilerError: There is none; the message says what to install.
    """
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        command = tuple(shlex.split(chosen))
        if shutil.which(command[0]):
            return Compiler(command=command)
        msg = (
            f"The environment variable `CC` names `{command[0]}`, which is not on the "
            "PATH; correct or unset it."
        )
        raise CompilerError(msg)
    for name in _CANDIDATES:
        if shutil.which(name):
            return Compiler(command=(name,))
    tried = ", ".join(f"`{name}`" for name in _CANDIDATES)
    msg = (
        f"No C compiler found: none of {tried} is on the PATH. Install one (Debian, "
        "Ubuntu: `sudo apt-get install gcc libc6-dev`; Fedora: `sudo dnf install gcc`; "
        "macOS: `xcode-select --install`), set `CC`, or export the FMU with its C "
        "source only (`platforms=()`)."
    )
    raise CompilerError(msg)
