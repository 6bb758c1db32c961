"""Open an instance of an FMU, whatever its version and kind."""

from __future__ import annotations

from typing import Any

from packtwin.fmu.exchange_fmi2 import Fmi2Exchange
from packtwin.fmu.exchange_fmi3 import Fmi3Exchange
from packtwin.fmu.file import FmuFile
from packtwin.fmu.instance_fmi2 import Fmi2Stepping
from packtwin.fmu.instance_fmi3 import Fmi3Stepping
from packtwin.fmu.mapped_interface import Kind, kind_flags
from packtwin.fmu.stepping import AbstractStepping, SmoothInputs

__all__ = ["open_stepping"]


def open_stepping(
    file: FmuFile,
    kind: Kind,
    name: str,
    smooth: SmoothInputs,
    relative_tolerance: float,
) -> AbstractStepping:
    """Return a new instance that takes steps.

    Args:
        file: The FMU.
        kind: Which of its kinds to use.
        name: Of the instance.
        smooth: Inputs that may change inside a step.
        relative_tolerance: Of the integrator in model exchange.
    """
    flags = kind_flags(file.description, kind, file.path)
    library = file.library(str(flags.modelIdentifier))
    where: dict[str, Any] = {
        "token": file.token,
        "name": name,
        "resources": file.folder() / "resources",
        "path": file.path,
    }
    is_fmi2 = file.dialect.version == "2.0"
    if kind == "model-exchange":
        where["relative_tolerance"] = relative_tolerance
        if not is_fmi2:
            return Fmi3Exchange(library, **where)
        description = file.description
        return Fmi2Exchange(
            library,
            state_count=len(description.derivatives),
            indicator_count=description.numberOfEventIndicators,
            **where,
        )
    if is_fmi2:
        return Fmi2Stepping(library, **where)
    return Fmi3Stepping(
        library,
        smooth=smooth,
        has_event_mode=bool(flags.hasEventMode),
        **where,
    )
