"""Probes of model exchange: states, derivatives, dependencies, state machine."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.journal import RefusedError
from packtwin.fmu.checker.probes_dependencies import undeclared
from packtwin.fmu.checker.probes_slopes import wrong_derivatives
from packtwin.fmu.checker.probes_state import SAVES, as_declared
from packtwin.fmu.checker.probes_values import finite_outputs
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = [
    "probe_exchange",
    "probe_exchange_dependencies",
    "probe_exchange_derivatives",
    "probe_exchange_order",
    "probe_exchange_state",
]


@contextmanager
def continuous(subject: Subject) -> Iterator[Instance]:
    """Give an instance in continuous-time mode, at the start time."""
    with subject.running(seed=0) as made:
        made.settle()
        made.require("EnterContinuousTimeMode")
        yield made


def _unknowns(subject: Subject, *sections: str) -> list[RunVariable]:
    """Return what parts of the model structure list, in their order."""
    known = {v.key: v for v in subject.variables}
    return [known[key] for key in subject.unknowns(*sections) if key in known]


def probe_exchange(subject: Subject) -> Iterator[Finding]:
    """States are set and got; derivatives and outputs are finite along Euler steps."""
    n = subject.n_states
    with continuous(subject) as made:
        yield from _counts(subject, made)
        if n == 0:
            return
        nominals = made.get_vector("GetNominalsOfContinuousStates", n)
        for i, value in enumerate(nominals):
            if not (math.isfinite(value) and value > 0.0):
                message = f"The nominal value of state {i + 1} is {value}."
                yield Finding(rule="nominal-wrong", message=message)
        x = list(made.get_vector("GetContinuousStates", n))
        moved = [value + 1e-3 * nominals[i] for i, value in enumerate(x)]
        _put(subject, made, moved)
        got = list(made.get_vector("GetContinuousStates", n))
        if got != moved:
            message = f"States were set to {moved[:3]} and are {got[:3]}."
            yield Finding(rule="states-wrong", message=message)
        _put(subject, made, x)
        yield from _euler(subject, made, x)


def _put(subject: Subject, made: Instance, x: Sequence[float]) -> None:
    status = made.set_states(x)
    if status > 1:
        raise subject.calls.refusal(status, "SetContinuousStates")


def _counts(subject: Subject, made: Instance) -> Iterator[Finding]:
    """The binary has as many states and indicators as the description."""
    for function, want in (
        ("GetNumberOfContinuousStates", subject.n_states),
        ("GetNumberOfEventIndicators", subject.plan["n_indicators"]),
    ):
        got = ctypes.c_size_t(0)
        if function not in subject.calls.signatures:
            continue
        made.require(function, ctypes.byref(got))
        if got.value != want:
            message = f"It says {got.value}, the description has {want}."
            name = subject.named(function)
            yield Finding(rule="states-wrong", message=message, variable=name)


def _euler(subject: Subject, made: Instance, x: list[float]) -> Iterator[Finding]:
    n, h = len(x), 1e-3 * float(subject.plan["step_s"])
    derivatives = _unknowns(subject, "Derivatives")
    names = [v.name for v in derivatives for _ in range(v.size)] or [""] * n
    for k in range(20):
        time_s = subject.start_s + k * h
        made.require("SetTime", time_s)
        _put(subject, made, x)
        rates = made.get_vector("GetContinuousStateDerivatives", n)
        for name, rate in zip(names, rates, strict=False):
            if not math.isfinite(rate):
                message = f"It is {rate} at {time_s:g} s."
                yield Finding(rule="output-not-finite", message=message, variable=name)
                return
        wrong = list(finite_outputs(subject, made, f"at {time_s:g} s"))
        yield from wrong
        if wrong:
            return
        x = [a + h * b for a, b in zip(x, rates, strict=True)]
        if subject.calls.complete(made):
            return


def _knowns(subject: Subject) -> list[RunVariable]:
    """Return what moves continuously: states and inputs."""
    inputs = [v for v in subject.inputs() if v.variability == "continuous"]
    return [*subject.states(), *inputs]


def probe_exchange_dependencies(subject: Subject) -> Iterator[Finding]:
    """Outputs and derivatives do not change with what they do not depend on."""
    declared = subject.unknowns("Outputs", "Derivatives")
    yield from undeclared(subject, continuous, _knowns(subject), declared, "It")


def probe_exchange_derivatives(subject: Subject) -> Iterator[Finding]:
    """Directional and adjoint derivatives are those of central differences."""
    unknowns = _unknowns(subject, "Outputs", "Derivatives")
    yield from wrong_derivatives(subject, continuous, _knowns(subject), unknowns)


def probe_exchange_state(subject: Subject) -> Iterator[Finding]:
    """A saved state brings back states and outputs to the bit."""
    yield from as_declared(subject, SAVES, _replay)


def _replay(subject: Subject) -> Iterator[Finding]:
    n = subject.n_states
    with continuous(subject) as made:
        state = ctypes.c_void_p(None)
        made.require("GetFMUState", ctypes.byref(state))
        x = list(made.get_vector("GetContinuousStates", n))
        before = (x, subject.read(made))
        made.set_states([1.01 * value + 1e-3 for value in x])
        inputs = [v for v in subject.inputs() if v.variability == "continuous"]
        subject.set_near(made, inputs, 0.05)
        subject.read(made)
        made.require("SetFMUState", state)
        after = (list(made.get_vector("GetContinuousStates", n)), subject.read(made))
        made.require("FreeFMUState", ctypes.byref(state))
    where = subject.difference([(0, before[1])], [(0, after[1])])
    if where or before[0] != after[0]:
        message = f"After setting a saved state, {where or 'the states differ'}."
        yield Finding(rule="state-replay-differs", message=message)


def probe_exchange_order(subject: Subject) -> Iterator[Finding]:
    """Functions of continuous-time mode are refused before initialization."""
    n = max(1, subject.n_states)
    with subject.instance() as made:
        vector = (ctypes.c_double * n)()
        status = made.call("GetContinuousStateDerivatives", vector, n)
        yield from _refused(subject, "GetContinuousStateDerivatives", status)
    with subject.instance() as made:
        status = made.call("EnterContinuousTimeMode")
        yield from _refused(subject, "EnterContinuousTimeMode", status)
    with subject.instance() as made:
        try:
            subject.calls.complete(made)
        except RefusedError:
            return
        yield from _refused(subject, "CompletedIntegratorStep", 0)


def _refused(subject: Subject, function: str, status: int) -> Iterator[Finding]:
    if status <= 1:
        message = f"Called when instantiated, it returned {subject.said(status)}."
        name = subject.named(function)
        yield Finding(rule="illegal-call-accepted", message=message, variable=name)
