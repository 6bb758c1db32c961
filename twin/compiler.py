"""Find the C compiler of this machine and make shared libraries with it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

from packtwin.twin.errors import CompilerError

__all__ = ["STRICT_FLAGS", "Compiler", "find_compiler"]

_CANDIDATES = ("cc", "gcc", "clang")
_N_MESSAGE_LINES = 12

# No fused multiply-add, no -ffast-math, no -march=native: the results must equal the
# model's on every machine. errno is never read.
_FLAGS = (
    "-std=c99",
    "-O3",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-DFMI2_OVERRIDE_FUNCTION_PREFIX",
    "-DFMI3_OVERRIDE_FUNCTION_PREFIX",
)

STRICT_FLAGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
"""Warnings as errors, under which our sources must compile."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A C compiler with gcc's command line.

    Attributes:
        command: Program and its leading arguments, such as `("ccache", "gcc")`.
        extra_flags: Flags added after the standard ones.
    """

    command: tuple[str, ...]
    extra_flags: tuple[str, ...] = ()

    def compile_library(self, source: Path, library: Path) -> None:
        """Compile one C99 file to a shared library.

        Raises:
            CompilerError: The compiler failed; its first lines are in the message.
        """
        linker = ("-Wl,-Bsymbolic", "-s") if sys.platform == "linux" else ()
        arguments = [*self.command, *_FLAGS, *linker, *self.extra_flags]
        arguments += ["-o", str(library), str(source), "-lm"]
        try:
            done = subprocess.run(
                arguments, capture_output=True, text=True, errors="replace", check=False
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
        "source only (`compile_binary=False`)."
    )
    raise CompilerError(msg)
