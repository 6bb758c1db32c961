"""Probes of what steps of FMI 3 answer, and of event mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.calls_fmi3 import Fmi3Calls
from packtwin.fmu.checker.probes_values import finite_outputs
from packtwin.fmu.checker.subject import N_STEPS, Finding, Subject, Trace

__all__ = ["optional_instance", "probe_answers", "probe_event_mode"]

_N_EVENTS = 100
_TIME_TOLERANCE = 1e-6


def probe_answers(subject: Subject) -> Iterator[Finding]:
    """A step that may not return early says that it reached its end."""
    if not subject.step_s or not isinstance(subject.calls, Fmi3Calls):
        return
    with subject.running(seed=1) as made:
        for k in range(N_STEPS):
            subject.set_inputs(made, 1, k)
            begin = subject.start_s + k * subject.step_s
            if made.step(begin, subject.step_s) > 1:
                return
            if made.is_early.value:
                message = f"The step from {begin:g} s returned early, unasked."
                yield _wrong_answer(subject, message)
                return
            if math.isnan(made.reached_s.value):
                message = "It does not set the last successful time."
                yield _wrong_answer(subject, message)
                return


def _wrong_answer(subject: Subject, message: str) -> Finding:
    name = subject.named("DoStep")
    return Finding(rule="step-answer-wrong", message=message, variable=name)


def probe_event_mode(subject: Subject) -> Iterator[Finding]:
    """With event mode and early return, runs are finite, legal and repeatable."""
    if not subject.flag("hasEventMode") or not subject.step_s:
        return
    traces = []
    for _ in range(2):
        with optional_instance(subject, has_events=True) as made:
            if made is None:
                message = "`hasEventMode` is declared, but it refuses to be made so."
                name = subject.named(subject.maker)
                yield Finding(rule="capability-lies", message=message, variable=name)
                return
            found, trace = _run_with_events(subject, made)
            yield from found
            traces.append(trace)
            if found:
                return
    where = subject.difference(traces[0], traces[1])
    if where:
        message = f"Of two equal runs in event mode, {where}."
        yield Finding(rule="not-deterministic", message=message)
    yield from _forbidden(subject)


@contextmanager
def optional_instance(
    subject: Subject,
    *,
    has_events: bool = False,
    required: Sequence[int] = (),
    update: Callable[..., None] | None = None,
) -> Iterator[Instance | None]:
    """Give an instance that is made with options, in initialization mode."""
    calls, name = subject.calls, subject.new_name()
    if not isinstance(calls, Fmi3Calls):
        yield None
        return
    address = calls.instantiate_steps(
        name,
        subject.plan["token"],
        subject.resources,
        has_events=has_events,
        may_return=has_events,
        required=required,
        update=update,
    )
    made = Instance(calls, address, name) if address else None
    try:
        if made is not None:
            subject.enter(made)
        yield made
    finally:
        if made is not None:
            made.free()


def _run_with_events(subject: Subject, made: Instance) -> tuple[list[Finding], Trace]:
    subject.set_inputs(made, 1, 0)
    made.require("ExitInitializationMode")
    is_ended = made.settle()
    made.require("EnterStepMode")
    trace: Trace = []
    for k in range(0 if is_ended else N_STEPS):
        time, end = (subject.start_s + i * subject.step_s for i in (k, k + 1))
        for _ in range(_N_EVENTS):
            status = made.step(time, end - time)
            if status > 1:
                return [], [*trace, (status, b"")]
            wrong = _judge(subject, made, time, end)
            if wrong:
                return [wrong], trace
            time = made.reached_s.value if made.is_early.value else end
            if made.is_ended.value:
                return [], trace
            if made.has_event.value:
                made.require("EnterEventMode")
                is_ended = made.settle()
                made.require("EnterStepMode")
            if is_ended or time >= end:
                break
        else:
            message = f"{_N_EVENTS} times it returned early before {end:g} s."
            return [_wrong_answer(subject, message)], trace
        found = list(finite_outputs(subject, made, f"after step {k + 1}"))
        if found or is_ended:
            return found, trace
        trace.append((0, subject.read(made)))
    return [], trace


def _judge(
    subject: Subject, made: Instance, begin: float, end: float
) -> Finding | None:
    """Return what is wrong with the answers of a step."""
    reached, slack = made.reached_s.value, _TIME_TOLERANCE * (abs(end) + end - begin)
    least = begin if made.is_early.value else end
    if least - slack <= reached <= end + slack:
        return None
    how = "early" if made.is_early.value else "at its end"
    message = f"From {begin:g} s to {end:g} s it returned {how}, at {reached:g} s."
    return _wrong_answer(subject, message)


def _forbidden(subject: Subject) -> Iterator[Finding]:
    """Steps belong to step mode and updates of discrete states to event mode."""
    with optional_instance(subject, has_events=True) as made:
        if made is None:
            return
        made.require("ExitInitializationMode")
        arguments = subject.calls.step_arguments(made, subject.start_s, subject.step_s)
        if made.call("DoStep", *arguments) <= 1:
            yield _accepted(subject, "DoStep", "in event mode")
    with optional_instance(subject, has_events=True) as made:
        if made is None:
            return
        made.require("ExitInitializationMode")
        made.settle()
        made.require("EnterStepMode")
        if made.call("EnterStepMode") <= 1:
            yield _accepted(subject, "EnterStepMode", "in step mode")


def _accepted(subject: Subject, function: str, state: str) -> Finding:
    message = f"Called when {state}, it returned {subject.said(0)}."
    name = subject.named(function)
    return Finding(rule="illegal-call-accepted", message=message, variable=name)
