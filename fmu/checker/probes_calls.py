"""Probes of calls: versions, token, NULL, order, references, step sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.subject import Finding, RunVariable, Subject
from packtwin.fmu.fmi2 import status_name

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

Call: TypeAlias = tuple[str, tuple[Any, ...]]

_SETUP: Call = ("fmi2SetupExperiment", (0, 0.0, 0.0, 0, 0.0))
_ENTER: Call = ("fmi2EnterInitializationMode", ())
_EXIT: Call = ("fmi2ExitInitializationMode", ())
_TERMINATE: Call = ("fmi2Terminate", ())
_STATES = ("instantiated", "initialization mode", "initialized", "terminated")


def probe_versions(subject: Subject) -> Iterator[Finding]:
    """The library says the version of its standard."""
    for name, want in (("fmi2GetVersion", "2.0"), ("fmi2GetTypesPlatform", "default")):
        got = subject.calls.text(name)
        if got not in ("", want):
            message = f"It returned `{got}`, expected `{want}`."
            yield Finding(rule="version-string", message=message, variable=name)


def probe_instantiate(subject: Subject) -> Iterator[Finding]:
    """The declared token is accepted, another one is not."""
    made = subject.new()
    if made is None:
        message = f"It returned NULL: {subject.calls.reason()}"
        name = "fmi2Instantiate"
        yield Finding(rule="not-instantiable", message=message, variable=name)
        return
    made.free()
    wrong = subject.new(token="{00000000-0000-0000-0000-00000badf00d}")
    if wrong is not None:
        wrong.free()
        message = "It made an instance for a guid that is not the description's."
        name = "fmi2Instantiate"
        yield Finding(rule="token-unchecked", message=message, variable=name)


def probe_null(subject: Subject) -> Iterator[Finding]:
    """Calls without an instance return an error; freeing nothing does nothing."""
    subject.calls.note("fmi2FreeInstance(NULL)")
    Instance(subject.calls, None, "").call("fmi2FreeInstance")
    nothing = Instance(subject.calls, None, "")
    calls: list[Call] = [_SETUP, _ENTER, _EXIT, ("fmi2Reset", ())]
    if not subject.is_exchange:
        calls.append(("fmi2DoStep", (0.0, 1.0, 1)))
    for name, arguments in calls:
        status = nothing.call(name, *arguments)
        if status <= 1:
            message = f"Without an instance it returned {status_name(status)}."
            yield Finding(rule="illegal-call-accepted", message=message, variable=name)


def probe_order(subject: Subject) -> Iterator[Finding]:
    """Calls that the state machine forbids return an error."""
    step: Call = ("fmi2DoStep", (subject.start_s, subject.step_s or 1.0, 1))
    forbidden: dict[str, tuple[Call, ...]] = {
        "instantiated": (_EXIT, step, _TERMINATE),
        "initialization mode": (_ENTER, _SETUP, step),
        "initialized": (_ENTER, _EXIT, _SETUP),
        "terminated": (_ENTER, _EXIT, step),
    }
    for state in _STATES:
        for name, arguments in forbidden[state]:
            if subject.is_exchange and name == "fmi2DoStep":
                continue
            with _in_state(subject, state) as made:
                status = made.call(name, *arguments)
            if status <= 1:
                message = f"Called when {state}, it returned {status_name(status)}."
                yield Finding(
                    rule="illegal-call-accepted", message=message, variable=name
                )


@contextmanager
def _in_state(subject: Subject, state: str) -> Iterator[Instance]:
    with subject.instance() as made:
        if state != _STATES[0]:
            subject.enter(made)
        if state in _STATES[2:]:
            made.require("fmi2ExitInitializationMode")
        if state == _STATES[3]:
            made.require("fmi2Terminate")
        yield made


def probe_references(subject: Subject) -> Iterator[Finding]:
    """Value references that do not exist are refused."""
    used = [v.reference for v in subject.variables]
    for unknown in (max(used, default=0) + 1000, 0xFFFFFFFF):
        if unknown in used:
            continue
        with subject.running(seed=0) as made:
            for function, call in (
                ("fmi2GetReal", lambda m, r: m.get("Real", [r])[0]),
                ("fmi2SetReal", lambda m, r: m.set("Real", [r], [0.0])),
            ):
                status = _try(made, call, unknown)
                if status <= 1:
                    message = f"For value reference {unknown} it returned fmi2OK."
                    yield Finding(
                        rule="unknown-reference-accepted",
                        message=message,
                        variable=function,
                    )


def _try(made: Instance, call: Callable[[Instance, int], Any], reference: int) -> int:
    return int(call(made, reference))


def probe_read_only(subject: Subject) -> Iterator[Finding]:
    """Fixed parameters, constants and outputs cannot be set in the run."""
    fixed = [v for v in subject.parameters() if v.variability == "fixed"]
    outputs = [v for v in subject.outputs() if v.initial != "exact"]
    settable = {v.reference for v in (*subject.inputs(), *subject.parameters())}
    outputs = [v for v in outputs if v.reference not in settable]
    constants = [
        v for v in subject.variables if v.variability == "constant" and v.kind == "Real"
    ]
    chosen: Sequence[tuple[str, list[RunVariable]]] = (
        ("a fixed parameter, set after initialization", fixed),
        ("an output", outputs),
        ("a constant", constants),
    )
    with subject.running(seed=0) as made:
        for what, variables in chosen:
            for v in variables[:3]:
                status = made.set("Real", [v.reference], [v.near(0.01)])
                if status <= 1:
                    message = f"It is {what}, and fmi2SetReal returned fmi2OK."
                    yield Finding(
                        rule="read-only-set-accepted", message=message, variable=v.name
                    )


def probe_step_sizes(subject: Subject) -> Iterator[Finding]:
    """Steps that are not longer than 0 s are refused."""
    if subject.is_exchange or not subject.step_s:
        return
    for size in (-subject.step_s, math.nan):
        with subject.running(seed=0) as made:
            status = made.call("fmi2DoStep", subject.start_s, size, 1)
        if status <= 1:
            message = f"A step of {size:g} s returned {status_name(status)}."
            name = "fmi2DoStep"
            yield Finding(rule="step-size-accepted", message=message, variable=name)


def probe_nan(subject: Subject) -> Iterator[Finding]:
    """Inputs that are no number neither crash nor hang; nothing else is asked."""
    inputs = [v.reference for v in subject.inputs()]
    if subject.step_s and inputs:
        with subject.running(seed=0) as made:
            made.set("Real", inputs, [math.nan] * len(inputs))
            made.call("fmi2DoStep", subject.start_s, subject.step_s, 1)
    yield from ()


def probe_variable_steps(subject: Subject) -> Iterator[Finding]:
    """Steps of any length succeed, if that is declared."""
    if not subject.flag("canHandleVariableCommunicationStepSize") or not subject.step_s:
        return
    with subject.running(seed=0) as made:
        time = subject.start_s
        for share in (0.5, 0.25, 0.013):
            size = share * subject.step_s
            status = made.call("fmi2DoStep", time, size, 1)
            if status > 1:
                message = (
                    f"Steps of any size are declared, but one of {size:g} s returned "
                    f"{status_name(status)}: {subject.calls.reason()}"
                )
                name = "fmi2DoStep"
                yield Finding(rule="capability-lies", message=message, variable=name)
                return
            time += size
