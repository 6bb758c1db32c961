"""Probes of calls: versions, token, NULL, order, references, step sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from packtwin.fmu.checker.calls import Call, Instance
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = [
    "probe_instantiate",
    "probe_nan",
    "probe_null",
    "probe_order",
    "probe_read_only",
    "probe_references",
    "probe_step_sizes",
    "probe_variable_steps",
    "probe_versions",
]

_EXIT: Call = ("ExitInitializationMode", ())
_STATES = ("instantiated", "initialization mode", "initialized", "terminated")
_WRONG_TOKEN = "{00000000-0000-0000-0000-00000badf00d}"


def probe_versions(subject: Subject) -> Iterator[Finding]:
    """The library says the version of its standard."""
    for function, want in subject.calls.versions.items():
        got = subject.calls.text(function)
        if got not in ("", want):
            message = f"It returned `{got}`, expected `{want}`."
            name = subject.named(function)
            yield Finding(rule="version-string", message=message, variable=name)


def probe_instantiate(subject: Subject) -> Iterator[Finding]:
    """The declared token is accepted, another one is not."""
    made, name = subject.new(), subject.named(subject.maker)
    if made is None:
        message = f"It returned NULL: {subject.calls.journal.reason()}"
        yield Finding(rule="not-instantiable", message=message, variable=name)
        return
    made.free()
    wrong = subject.new(token=_WRONG_TOKEN)
    if wrong is not None:
        wrong.free()
        message = "It made an instance for a token that is not the description's."
        yield Finding(rule="token-unchecked", message=message, variable=name)


def probe_null(subject: Subject) -> Iterator[Finding]:
    """Calls without an instance return an error; freeing nothing does nothing."""
    nothing = Instance(subject.calls, None, "")
    nothing.call("FreeInstance")
    calls = [*subject.calls.entry(0.0, 0.0), _EXIT, ("Reset", ())]
    if not subject.is_exchange:
        calls.append(_step(subject, nothing))
    for function, arguments in calls:
        status = nothing.call(function, *arguments)
        if status <= 1:
            message = f"Without an instance it returned {subject.said(status)}."
            name = subject.named(function)
            yield Finding(rule="illegal-call-accepted", message=message, variable=name)


def _step(subject: Subject, made: Instance) -> Call:
    size_s = subject.step_s or 1.0
    return "DoStep", subject.calls.step_arguments(made, subject.start_s, size_s)


def probe_order(subject: Subject) -> Iterator[Finding]:
    """Calls that the state machine forbids return an error."""
    entry = subject.calls.entry(0.0, subject.start_s)
    step = _step(subject, Instance(subject.calls, None, ""))
    forbidden: dict[str, tuple[Call, ...]] = {
        "instantiated": (_EXIT, step, ("Terminate", ())),
        "initialization mode": (*entry, step),
        "initialized": (*entry, _EXIT),
        "terminated": (entry[-1], _EXIT, step),
    }
    for state in _STATES:
        for function, arguments in forbidden[state]:
            if subject.is_exchange and function == "DoStep":
                continue
            with _in_state(subject, state) as made:
                status = made.call(function, *arguments)
            if status <= 1:
                message = f"Called when {state}, it returned {subject.said(status)}."
                yield Finding(
                    rule="illegal-call-accepted",
                    message=message,
                    variable=subject.named(function),
                )


@contextmanager
def _in_state(subject: Subject, state: str) -> Iterator[Instance]:
    with subject.instance() as made:
        if state != _STATES[0]:
            subject.enter(made)
        if state in _STATES[2:]:
            made.require("ExitInitializationMode")
        if state == _STATES[3]:
            made.require("Terminate")
        yield made


def probe_references(subject: Subject) -> Iterator[Finding]:
    """Value references that do not exist are refused."""
    used = [v.reference for v in subject.variables]
    kind = next((v.kind for v in subject.variables if v.is_real), None)
    for unknown in (max(used, default=0) + 1000, 0xFFFFFFFF):
        if unknown in used or kind is None:
            continue
        with subject.running(seed=0) as made:
            for way in ("Get", "Set"):
                values = subject.calls.buffer(kind, [0.0])
                if made.access(way, kind, [unknown], values) <= 1:
                    message = (
                        f"For value reference {unknown} it returned {subject.said(0)}."
                    )
                    yield Finding(
                        rule="unknown-reference-accepted",
                        message=message,
                        variable=subject.named(way + kind),
                    )


def probe_read_only(subject: Subject) -> Iterator[Finding]:
    """Fixed parameters, constants and outputs cannot be set in the run."""
    fixed = [v for v in subject.parameters() if v.variability == "fixed"]
    outputs = [v for v in subject.outputs() if v.initial != "exact"]
    settable = {v.reference for v in (*subject.inputs(), *subject.parameters())}
    outputs = [v for v in outputs if v.reference not in settable]
    constants = [v for v in subject.variables if v.variability == "constant"]
    chosen: Sequence[tuple[str, list[RunVariable]]] = (
        ("a fixed parameter, set after initialization", fixed),
        ("an output", outputs),
        ("a constant", [v for v in constants if v.is_real]),
    )
    with subject.running(seed=0) as made:
        for what, variables in chosen:
            for v in variables[:3]:
                if made.set([v], v.near(0.01)) <= 1:
                    function = subject.named(f"Set{v.kind}")
                    message = f"It is {what}, and {function} returned OK."
                    yield Finding(
                        rule="read-only-set-accepted", message=message, variable=v.name
                    )


def probe_step_sizes(subject: Subject) -> Iterator[Finding]:
    """Steps that are not longer than 0 s are refused."""
    if subject.is_exchange or not subject.step_s:
        return
    for size in (-subject.step_s, math.nan):
        with subject.running(seed=0) as made:
            status = made.step(subject.start_s, size)
        if status <= 1:
            message = f"A step of {size:g} s returned {subject.said(status)}."
            name = subject.named("DoStep")
            yield Finding(rule="step-size-accepted", message=message, variable=name)


def probe_nan(subject: Subject) -> Iterator[Finding]:
    """Inputs that are no number neither crash nor hang; nothing else is asked."""
    inputs = subject.inputs()
    if subject.step_s and inputs:
        with subject.running(seed=0) as made:
            made.set(inputs, [math.nan] * sum(v.size for v in inputs))
            made.step(subject.start_s, subject.step_s)
    yield from ()


def probe_variable_steps(subject: Subject) -> Iterator[Finding]:
    """Steps of any length succeed, if that is declared."""
    if not subject.flag("canHandleVariableCommunicationStepSize") or not subject.step_s:
        return
    with subject.running(seed=0) as made:
        time = subject.start_s
        for share in (0.5, 0.25, 0.013):
            size = share * subject.step_s
            status = made.step(time, size)
            if status > 1:
                message = (
                    f"Steps of any size are declared, but one of {size:g} s returned "
                    f"{subject.said(status)}: {subject.calls.journal.reason()}"
                )
                name = subject.named("DoStep")
                yield Finding(rule="capability-lies", message=message, variable=name)
                return
            time += size
