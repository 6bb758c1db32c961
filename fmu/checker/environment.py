"""What an FMU must leave as it was: locale, folder, rounding mode, signal handlers."""

from __future__ import annotations

import ctypes
import locale
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packtwin.fmu.checker.subject import Finding, Subject

__all__ = ["environment_now", "probe_environment"]

_SIGNALS = 0x7FFFFFFF  # of the standard ones; threads of the C library use the others


def probe_environment(subject: Subject) -> Iterator[Finding]:
    """Since before it was loaded, the library changed nothing of the process."""
    if subject.step_s:
        with subject.running(seed=1) as made:
            subject.run(made, n=3)
    now = environment_now()
    for name, value in subject.before.items():
        if now[name] != value:
            message = f"It changed the {name} from {value!r} to {now[name]!r}."
            yield Finding(rule="environment-changed", message=message)


def environment_now() -> dict[str, Any]:
    """Return the settings of this process that a library could change."""
    libc, libm = ctypes.CDLL(None), ctypes.CDLL("libm.so.6")
    query = libc.setlocale
    query.restype = ctypes.c_char_p
    tiny = 2.0**-1074
    lines = Path("/proc/self/status").read_text().splitlines()
    masks = [line.split()[1] for line in lines if line.startswith(("SigIgn", "SigCgt"))]
    signals = [f"{int(mask, 16) & _SIGNALS:#x}" for mask in masks]
    return {
        "locale": bytes(query(int(locale.LC_ALL), None) or b"").decode(),
        "working folder": str(Path.cwd()),
        "rounding mode": int(libm.fegetround()),
        "handling of tiny numbers": "kept" if tiny * 3.0 != 0.0 else "flushed to zero",
        "signal handlers": " ".join(signals),
    }
