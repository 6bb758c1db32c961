"""What other checkers say of an FMU, for comparison: FMPy, fmu-manipulation-toolbox."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import fmpy.validation

__all__ = ["fmpy_problems", "has_toolbox", "toolbox_problems"]

_TOOLBOX = "fmutool"
_LIMIT_S = 120.0


def fmpy_problems(path: Path) -> list[str]:
    """Return what FMPy's `validate_fmu` finds."""
    try:
        return [str(found) for found in fmpy.validation.validate_fmu(str(path))]
    except (OSError, ValueError, LookupError, RuntimeError, TypeError) as error:
        return [f"It fails: {error}."]


def has_toolbox() -> bool:
    """Whether fmu-manipulation-toolbox's `fmutool` is on the PATH."""
    return shutil.which(_TOOLBOX) is not None


def toolbox_problems(path: Path) -> list[str]:
    """Return what `fmutool -check` finds; it always ends with success."""
    done = subprocess.run(
        [_TOOLBOX, "-input", str(path), "-check"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_LIMIT_S,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    signs = ("ERROR", "WARNING", "Traceback", "CRITICAL")
    found = [line for line in lines if line.startswith(signs)]
    return found or ([f"exit code {done.returncode}"] if done.returncode else [])
