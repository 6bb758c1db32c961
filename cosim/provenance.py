"""Where a result came from."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.masters import AbstractMaster
from packtwin.cosim.system import System

__all__ = ["own_version", "provenance_of"]


@cache
def own_version() -> str:
    """Return packtwin's version."""
    try:
        return version("packtwin")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"


@cache
def _versions() -> Mapping[str, str]:
    return {
        "packtwin": own_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def provenance_of(
    system: System, master: AbstractMaster, stepper: AbstractStepper, step_s: float
) -> dict[str, str]:
    """Return versions, master, what it decided and the system's constants.

    Args:
        system: What was run.
        master: How.
        stepper: The run.
        step_s: Communication step.
    """
    return {
        **_versions(),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "master": master.name,
        **stepper.provenance,
        "step_s": f"{step_s:.17g}",
        "constants": ", ".join(f"{k} = {v:.17g}" for k, v in system.constants.items()),
    }
