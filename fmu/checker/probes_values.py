"""Probes of values: starts, set and get, finite outputs, dependencies, derivatives."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.subject import Finding, RunVariable, Subject
from packtwin.fmu.fmi2 import status_name

__all__ = [
    "bits",
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
            if v.start is None or not is_start:
                continue
            status, values = made.get(v.kind, [v.reference])
            if status > 1:
                message = f"Getting it returned {status_name(status)}."
                yield Finding(rule="call-refused", message=message, variable=v.name)
            elif not _is_start(v, values[0]):
                message = f"It starts at {values[0]!r}, declared is {v.start}."
                yield Finding(
                    rule="start-value-differs", message=message, variable=v.name
                )


def _is_start(v: RunVariable, value: Any) -> bool:
    text = v.start or ""
    if v.kind == "String":
        return bool(value == text.encode())
    if v.kind == "Boolean":
        return bool(value) == (text in ("true", "1"))
    return math.isclose(float(value), v.number, rel_tol=1e-9, abs_tol=1e-300)


def probe_set_and_get(subject: Subject) -> Iterator[Finding]:
    """What is set, is got."""
    settable = [*subject.inputs(), *subject.parameters()]
    for share in (0.01, -0.003):
        with subject.instance() as made:
            subject.enter(made)
            accepted: dict[str, float] = {}
            for v in settable:
                value = v.near(share)
                status = made.set("Real", [v.reference], [value])
                if status > 1:
                    yield Finding(
                        rule="call-refused",
                        message=f"fmi2SetReal of {value!r}, near its start and within "
                        f"its range, returned {status_name(status)}: "
                        f"{subject.calls.reason()}",
                        variable=v.name,
                    )
                else:
                    accepted[v.name] = value
            if made.call("fmi2ExitInitializationMode") > 1:
                return  # the model has no start with these values
            yield from _compare(made, settable, accepted)
    yield from _set_while_running(subject)


def _compare(
    made: Instance, variables: Sequence[RunVariable], accepted: dict[str, float]
) -> Iterator[Finding]:
    for v in variables:
        if v.name not in accepted:
            continue
        status, values = made.get("Real", [v.reference])
        if status > 1 or values[0] != accepted[v.name]:
            message = f"It was set to {accepted[v.name]!r} and is {values[0]!r}."
            yield Finding(rule="set-ignored", message=message, variable=v.name)


def _set_while_running(subject: Subject) -> Iterator[Finding]:
    if subject.is_exchange or not subject.step_s:
        return
    tunable = [v for v in subject.parameters() if v.variability == "tunable"]
    with subject.running() as made:
        subject.run(made, n=2, variables=())
        accepted = {}
        for v in [*subject.inputs(), *tunable]:
            accepted[v.name] = v.near(0.007)
            if made.set("Real", [v.reference], [accepted[v.name]]) > 1:
                del accepted[v.name]
        time = subject.start_s + 2 * subject.step_s
        if made.call("fmi2DoStep", time, subject.step_s, 1) <= 1:
            yield from _compare(made, [*subject.inputs(), *tunable], accepted)


def probe_arrays(subject: Subject) -> Iterator[Finding]:
    """Several values at once are the same as one after the other."""
    settable = [*subject.inputs(), *subject.parameters()]
    with subject.instance() as made:
        subject.enter(made)
        values = [v.near(0.01) for v in settable]
        if made.set("Real", [v.reference for v in settable], values) > 1:
            return  # found elsewhere, one by one
        if made.call("fmi2ExitInitializationMode") > 1:
            return
        for v, value in zip(settable, values, strict=True):
            got = made.get("Real", [v.reference])[1][0]
            if got != value:
                message = f"Set with others at once to {value!r}, it is {got!r}."
                yield Finding(rule="array-differs", message=message, variable=v.name)
        reals = [v for v in subject.readable() if v.kind == "Real"]
        for ordered in (reals, reals[::-1]):
            status, together = made.get("Real", [v.reference for v in ordered])
            if status > 1:
                return
            for v, got in zip(ordered, together, strict=True):
                alone = made.get("Real", [v.reference])[1][0]
                if bits(alone) != bits(got):
                    message = f"It is {alone!r} alone, and {got!r} among others."
                    yield Finding(
                        rule="array-differs", message=message, variable=v.name
                    )


def probe_stepping(subject: Subject) -> Iterator[Finding]:
    """Steps succeed, outputs are finite, also at the start."""
    yield from subject.find_step()
    outputs = subject.outputs()
    with subject.instance() as made:
        subject.enter(made)
        yield from _finite(made, outputs, "in initialization mode")
    if not subject.step_s:
        return
    with subject.running() as made:
        for k in range(20):
            if subject.run(made, first=k, n=1, variables=())[-1][0] > 1:
                break
            wrong = list(_finite(made, outputs, f"after step {k + 1}"))
            yield from wrong
            if wrong:
                return
        yield from _last_time(subject, made)


def _finite(
    made: Instance, outputs: Sequence[RunVariable], when: str
) -> Iterator[Finding]:
    for v in outputs:
        status, values = made.get("Real", [v.reference])
        if status > 1:
            message = f"Getting it {when} returned {status_name(status)}."
            yield Finding(rule="call-refused", message=message, variable=v.name)
        elif not math.isfinite(values[0]):
            message = f"It is {values[0]} {when}, and every status was OK."
            yield Finding(rule="output-not-finite", message=message, variable=v.name)


def _last_time(subject: Subject, made: Instance) -> Iterator[Finding]:
    value = ctypes.c_double(math.nan)
    status = made.call("fmi2GetRealStatus", 2, ctypes.byref(value))
    want = subject.start_s + 20 * subject.step_s
    if status == 0 and not math.isclose(value.value, want, rel_tol=1e-6):
        message = f"After {want:g} s it says {value.value:g} s."
        name = "fmi2GetRealStatus"
        yield Finding(rule="last-time-wrong", message=message, variable=name)


def probe_extremes(subject: Subject) -> Iterator[Finding]:
    """With inputs far from the start a step is refused or its outputs are finite."""
    outputs, inputs = subject.outputs(), subject.inputs()
    if not subject.step_s or not outputs:
        return
    for scale in _SCALES if inputs else ():
        with subject.running(seed=0) as made:
            values = [v.near(scale) for v in inputs]
            if made.set("Real", [v.reference for v in inputs], values) > 1:
                continue
            for k in range(30):
                time = subject.start_s + k * subject.step_s
                if made.call("fmi2DoStep", time, subject.step_s, 1) > 1:
                    break
                for found in _finite(made, outputs, f"after step {k + 1}"):
                    given = f"`{inputs[0].name}` = {values[0]:g}"
                    yield Finding(
                        rule=found.rule,
                        message=f"{found.message[:-1]}, with {given}.",
                        variable=found.variable,
                    )
                    return


def probe_effect(subject: Subject) -> Iterator[Finding]:
    """Inputs that outputs declare as dependencies do something."""
    declared = {
        key
        for unknown in subject.plan["unknowns"]
        if unknown["section"] == "Outputs"
        for key in unknown["dependencies"] or ()
    }
    inputs = [v for v in subject.inputs() if v.key in declared]
    outputs = subject.outputs()
    if not inputs or not outputs or not subject.step_s:
        return
    traces = []
    for share in (0.0, 0.01, 0.1, -0.1, 1.0):
        with subject.running(seed=0) as made:
            rows = []
            for k in range(5):
                for v in inputs:
                    made.set("Real", [v.reference], [v.near(share)])
                time = subject.start_s + k * subject.step_s
                if made.call("fmi2DoStep", time, subject.step_s, 1) > 1:
                    break
                rows.append(subject.read(made, outputs))
            traces.append(rows)
    if all(rows == traces[0] for rows in traces):
        names = ", ".join(f"`{v.name}`" for v in inputs[:3])
        message = f"No output ever changes with {names}, though they are declared to."
        yield Finding(rule="set-has-no-effect", message=message)


def bits(value: float) -> bytes:
    """Return a number as bytes, so that equal means identical."""
    return struct.pack("<d", value)
