"""Probes of values: starts, set and get, finite outputs, dependencies, derivatives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.run_variable import RunVariable, packed
from packtwin.fmu.checker.subject import N_STEPS, Finding, Subject

__all__ = [
    "finite_outputs",
    "probe_arrays",
    "probe_effect",
    "probe_extremes",
    "probe_set_and_get",
    "probe_starts",
    "probe_stepping",
]

_SCALES = (0.5, -0.5, 10.0, -10.0, 1e3, -1e3, 1e6, -1e6)


def probe_starts(subject: Subject) -> Iterator[Finding]:
    """Start values are those of the description."""
    with subject.running(seed=0) as made:
        for v in subject.variables:
            is_start = v.initial == "exact" or v.causality == "input"
            if not v.starts or not is_start:
                continue
            status, values = made.get([v])
            if status > 1:
                message = f"Getting it returned {subject.said(status)}."
                yield Finding(rule="call-refused", message=message, variable=v.name)
                continue
            for k, (text, got) in enumerate(zip(v.starts, values, strict=True)):
                if not _is_start(v, text, got):
                    message = f"`{v.label(k)}` starts at {got!r}, declared is {text}."
                    yield Finding(
                        rule="start-value-differs", message=message, variable=v.name
                    )
                    break


def _is_start(v: RunVariable, text: str, got: Any) -> bool:
    if v.kind == "String":
        return bool(got == text.encode())
    if v.kind == "Boolean":
        return bool(got) == (text in ("true", "1"))
    if not v.is_real:
        return int(got) == int(float(text))
    tolerance = 1e-9 if v.is_double else 1e-6
    return math.isclose(got, float(text), rel_tol=tolerance, abs_tol=1e-300)


def probe_set_and_get(subject: Subject) -> Iterator[Finding]:
    """What is set, is got."""
    settable = [*subject.inputs(), *subject.parameters()]
    for share in (0.01, -0.003):
        with subject.instance() as made:
            subject.enter(made)
            accepted: dict[str, list[float]] = {}
            for v in settable:
                values = v.near(share)
                status = made.set([v], values)
                if status > 1:
                    yield Finding(
                        rule="call-refused",
                        message=f"{subject.named(f'Set{v.kind}')} of {values[0]!r}, "
                        "near its start and within its range, returned "
                        f"{subject.said(status)}: {subject.calls.journal.reason()}",
                        variable=v.name,
                    )
                else:
                    accepted[v.name] = values
            if made.call("ExitInitializationMode") > 1:
                return  # the model has no start with these values
            yield from _compare(made, settable, accepted)
    yield from _set_while_running(subject)


def _compare(
    made: Instance, variables: Sequence[RunVariable], accepted: dict[str, list[float]]
) -> Iterator[Finding]:
    for v in variables:
        want = accepted.get(v.name)
        if want is None:
            continue
        status, values = made.get([v])
        if status > 1 or values != want:
            message = f"It was set to {_few(want)} and is {_few(values)}."
            yield Finding(rule="set-ignored", message=message, variable=v.name)


def _few(values: Sequence[Any]) -> str:
    text = ", ".join(repr(value) for value in values[:3])
    return f"{text}, ..." if len(values) > 3 else text


def _set_while_running(subject: Subject) -> Iterator[Finding]:
    if subject.is_exchange or not subject.step_s:
        return
    chosen = [*subject.inputs(), *subject.tunable()]
    with subject.running() as made:
        subject.run(made, n=2, variables=())
        accepted = {}
        for v in chosen:
            values = v.near(0.007)
            if made.set([v], values) <= 1:
                accepted[v.name] = values
        time = subject.start_s + 2 * subject.step_s
        if made.step(time, subject.step_s) <= 1:
            yield from _compare(made, chosen, accepted)


def probe_arrays(subject: Subject) -> Iterator[Finding]:
    """Several values at once are the same as one after the other."""
    settable = [*subject.inputs(), *subject.parameters()]
    with subject.instance() as made:
        subject.enter(made)
        values = [value for v in settable for value in v.near(0.01)]
        if made.set(settable, values) > 1:
            return  # found elsewhere, one by one
        if made.call("ExitInitializationMode") > 1:
            return
        for v in settable:
            got = made.get([v])[1]
            if got != v.near(0.01):
                message = f"Set with others at once to {_few(v.near(0.01))}, it is "
                message += f"{_few(got)}."
                yield Finding(rule="array-differs", message=message, variable=v.name)
        reals = [v for v in subject.readable() if v.is_real]
        for ordered in (reals, reals[::-1]):
            status, together = made.get(ordered)
            if status > 1:
                return
            for v in ordered:
                alone, got = made.get([v])[1], together[: v.size]
                together = together[v.size :]
                if [*map(packed, alone)] != [*map(packed, got)]:
                    message = (
                        f"It is {_few(alone)} alone, and {_few(got)} among others."
                    )
                    yield Finding(
                        rule="array-differs", message=message, variable=v.name
                    )


def probe_stepping(subject: Subject) -> Iterator[Finding]:
    """Steps succeed, outputs are finite, also at the start."""
    yield from subject.find_step()
    with subject.instance() as made:
        subject.enter(made)
        yield from finite_outputs(subject, made, "in initialization mode")
    if not subject.step_s:
        return
    with subject.running() as made:
        for k in range(N_STEPS):
            if subject.run(made, first=k, n=1, variables=())[-1][0] > 1:
                return
            wrong = list(finite_outputs(subject, made, f"after step {k + 1}"))
            yield from wrong
            if wrong:
                return
        yield from _last_time(subject, made)


def finite_outputs(subject: Subject, made: Instance, when: str) -> Iterator[Finding]:
    """Yield the outputs that are refused or not finite."""
    for v in subject.outputs():
        status, values = made.get([v])
        if status > 1:
            message = f"Getting it {when} returned {subject.said(status)}."
            yield Finding(rule="call-refused", message=message, variable=v.name)
            continue
        for k, value in enumerate(values):
            if not math.isfinite(value):
                message = f"`{v.label(k)}` is {value} {when}, and every status was OK."
                yield Finding(
                    rule="output-not-finite", message=message, variable=v.name
                )
                break


def _last_time(subject: Subject, made: Instance) -> Iterator[Finding]:
    got = subject.calls.reached(made)
    want = subject.start_s + N_STEPS * subject.step_s
    if got is not None and not math.isclose(got, want, rel_tol=1e-6):
        message = f"After {want:g} s it says {got:g} s."
        name = subject.named(subject.calls.tells_time)
        yield Finding(rule="last-time-wrong", message=message, variable=name)


def probe_extremes(subject: Subject) -> Iterator[Finding]:
    """With inputs far from the start a step is refused or its outputs are finite."""
    inputs = subject.inputs()
    if not subject.step_s or not subject.outputs():
        return
    for scale in _SCALES if inputs else ():
        with subject.running(seed=0) as made:
            values = [value for v in inputs for value in v.near(scale)]
            if made.set(inputs, values) > 1:
                continue
            for k in range(30):
                time = subject.start_s + k * subject.step_s
                if made.step(time, subject.step_s) > 1:
                    break
                given = f"after step {k + 1} with `{inputs[0].name}` = {values[0]:g}"
                wrong = list(finite_outputs(subject, made, given))
                yield from wrong[:1]
                if wrong:
                    return


def probe_effect(subject: Subject) -> Iterator[Finding]:
    """Inputs that outputs declare as dependencies do something."""
    listed = subject.unknowns("Outputs").values()
    declared = {key for dependencies in listed for key in dependencies or ()}
    inputs = [v for v in subject.inputs() if v.key in declared]
    outputs = subject.outputs()
    if not inputs or not outputs or not subject.step_s:
        return
    traces = []
    for share in (0.0, 0.01, 0.1, -0.1, 1.0):
        with subject.running(seed=0) as made:
            rows = []
            for k in range(5):
                subject.set_near(made, inputs, share)
                time = subject.start_s + k * subject.step_s
                if made.step(time, subject.step_s) > 1:
                    break
                rows.append(subject.read(made, outputs))
            traces.append(rows)
    if all(rows == traces[0] for rows in traces):
        names = ", ".join(f"`{v.name}`" for v in inputs[:3])
        message = f"No output ever changes with {names}, though they are declared to."
        yield Finding(rule="set-has-no-effect", message=message)
