"""The run-time mutants: what each does wrong, and the rules that must find it."""

from __future__ import annotations

from packtwin.scenarios.bench_check_faults_calls import CALL_FAULTS
from packtwin.scenarios.bench_check_faults_fmi3 import (
    EXCHANGE_FAULTS,
    FMI3_FAULTS,
    VECTOR_FAULTS,
)
from packtwin.scenarios.bench_check_faults_state import STATE_FAULTS
from packtwin.scenarios.bench_check_model import good_vector_step_map
from packtwin.scenarios.bench_check_shim import RunMutant

__all__ = ["NO_FAULTS", "RUN_MUTANTS"]

NO_FAULTS = (
    RunMutant(name="no fault", rules=()),
    RunMutant(name="no fault in model exchange", rules=(), kind="me"),
    RunMutant(name="no fault in vectors", rules=(), good=good_vector_step_map),
    RunMutant(
        name="no fault in vectors of model exchange",
        rules=(),
        kind="me",
        good=good_vector_step_map,
    ),
)
"""The layer alone: it must be clean."""

RUN_MUTANTS: tuple[RunMutant, ...] = (
    *STATE_FAULTS,
    *CALL_FAULTS,
    *EXCHANGE_FAULTS,
    *FMI3_FAULTS,
    *VECTOR_FAULTS,
)
"""One binary with one fault each, in the versions of FMI that can have it."""
