"""The run-time mutants: what each does wrong, and the rules that must find it."""

from __future__ import annotations

from packtwin.scenarios.bench_check_faults_calls import CALL_FAULTS
from packtwin.scenarios.bench_check_faults_state import STATE_FAULTS
from packtwin.scenarios.bench_check_shim import RunMutant

__all__ = ["NO_FAULT", "RUN_MUTANTS"]

NO_FAULT = RunMutant(name="no fault", rules=())
"""The layer alone: it must be clean."""

RUN_MUTANTS: tuple[RunMutant, ...] = (*STATE_FAULTS, *CALL_FAULTS)
"""One binary with one fault each."""
