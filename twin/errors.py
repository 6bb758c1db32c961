"""Every error packtwin raises on purpose.

    PackTwinError
    +-- ScenarioError   (ValueError)    file, key, got, expected
    +-- WiringError     (ValueError)    ports and units named
    +-- InterfaceError  (ValueError)    a variable, model or spec contradicts itself
    +-- ModelError                      ground-truth solve failed: cell, inputs, time
    +-- TrainingError                   diverged: epoch, loss
    +-- CertificateError                certificate refused: which target was missed
    +-- FmuError                        file and reason
    |   +-- FmuCallError                function, status, the FMU's log
    |   +-- CompilerError               no or failing C compiler: what to install
    +-- StepError       (RuntimeError)  component, time, reason
    +-- InfeasibleError                 MPC: which constraint, slack

A message says what failed (names in backticks), what was got and expected (with
units) and what to do, and ends with a full stop. An expected end of a run (a limit
was reached) is a status, not an exception.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "CertificateError",
    "CompilerError",
    "FmuCallError",
    "FmuError",
    "InfeasibleError",
    "InterfaceError",
    "ModelError",
    "PackTwinError",
    "ScenarioError",
    "StepError",
    "TrainingError",
    "WiringError",
]


class PackTwinError(Exception):
    """Base of all errors packtwin raises on purpose."""


class ScenarioError(PackTwinError, ValueError):
    """A scenario, cycle, vehicle or other input file is wrong."""


class WiringError(PackTwinError, ValueError):
    """Components are connected wrongly: unknown port, unit, driver or loop."""


class InterfaceError(PackTwinError, ValueError):
    """A variable, model, step map or stored spec contradicts itself."""


class ModelError(PackTwinError):
    """The ground-truth physics could not be built or solved."""


class TrainingError(PackTwinError):
    """The training diverged or its data cannot be used.

    Attributes:
        iteration: At which it diverged; None if it did not come to that.
        loss: The loss there.
        last_good: The `SurrogateSpec` with the last good weights, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        iteration: int | None = None,
        loss: float = math.nan,
        last_good: Any = None,
    ) -> None:
        super().__init__(message)
        self.iteration = iteration
        self.loss = loss
        self.last_good = last_good


class CertificateError(PackTwinError):
    """A certificate was refused because a target was missed."""


class FmuError(PackTwinError):
    """An FMU file cannot be read, written or loaded."""


class FmuCallError(FmuError):
    """A function of a loaded FMU returned an error status."""


class CompilerError(FmuError):
    """The C compiler is missing or failed."""


class StepError(PackTwinError, RuntimeError):
    """A component could not complete its step.

    Attributes:
        component: Its name; empty if the run had none.
        time_s: Start of the failed step.
        reason: What the component said.
        result: What a run had computed until then (a `cosim` `Result`), or None.
    """

    def __init__(
        self,
        message: str,
        *,
        component: str = "",
        time_s: float = math.nan,
        reason: str = "",
        result: Any = None,
    ) -> None:
        super().__init__(message)
        self.component = component
        self.time_s = time_s
        self.reason = reason
        self.result = result


class InfeasibleError(PackTwinError):
    """A controller found no admissible input."""
