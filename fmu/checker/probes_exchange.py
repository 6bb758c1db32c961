"""Probes of model exchange: states, derivatives, dependencies, state machine."""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

from packtwin.fmu.checker.calls import Instance, RefusedError
from packtwin.fmu.checker.probes_slopes import (
    confirmed,
    directional,
    judge_derivative,
)
from packtwin.fmu.checker.subject import Finding, RunVariable, Subject
from packtwin.fmu.fmi2 import status_name

__all__ = [
    "probe_exchange",
    "probe_exchange_dependencies",
    "probe_exchange_derivatives",
    "probe_exchange_order",
    "probe_exchange_state",
]

_N_EVENTS = 100
_SHARES = (0.01, -0.03, 0.1)


class _EventInfo(ctypes.Structure):
    _fields_ = (
        ("new_discrete_states_needed", ctypes.c_int),
        ("terminate_simulation", ctypes.c_int),
        ("nominals_changed", ctypes.c_int),
        ("values_changed", ctypes.c_int),
        ("next_event_time_defined", ctypes.c_int),
        ("next_event_time", ctypes.c_double),
    )


@contextmanager
def continuous(subject: Subject) -> Iterator[Instance]:
    """Give an instance in continuous-time mode, at the start time."""
    with subject.running(seed=0) as made:
        events = _EventInfo(1)
        for _ in range(_N_EVENTS):
            made.require("fmi2NewDiscreteStates", ctypes.byref(events))
            if not events.new_discrete_states_needed or events.terminate_simulation:
                break
        made.require("fmi2EnterContinuousTimeMode")
        yield made


def _states(subject: Subject) -> list[int]:
    return [int(key) for key in subject.plan["states"]]


def _derivatives(subject: Subject) -> list[RunVariable]:
    keys = {
        unknown["key"]: i
        for i, unknown in enumerate(
            u for u in subject.plan["unknowns"] if u["section"] == "Derivatives"
        )
    }
    found = [v for v in subject.variables if v.key in keys]
    return sorted(found, key=lambda v: keys[v.key])


def probe_exchange(subject: Subject) -> Iterator[Finding]:
    """States are set and got; derivatives and outputs are finite along Euler steps."""
    n = len(_states(subject))
    with continuous(subject) as made:
        if n == 0:
            return
        nominals = made.get_array("fmi2GetNominalsOfContinuousStates", n)
        for i, value in enumerate(nominals):
            if not (math.isfinite(value) and value > 0.0):
                message = f"The nominal value of state {i + 1} is {value}."
                yield Finding(rule="nominal-wrong", message=message)
        x = made.get_array("fmi2GetContinuousStates", n)
        moved = [value + 1e-3 * nominals[i] for i, value in enumerate(x)]
        made.require("fmi2SetContinuousStates", (ctypes.c_double * n)(*moved), n)
        got = made.get_array("fmi2GetContinuousStates", n)
        if list(got) != moved:
            message = f"States were set to {moved[:3]} and are {list(got)[:3]}."
            yield Finding(rule="states-wrong", message=message)
        made.require("fmi2SetContinuousStates", (ctypes.c_double * n)(*x), n)
        yield from _euler(subject, made, x)


def _euler(subject: Subject, made: Instance, x: array[float]) -> Iterator[Finding]:
    n, h = len(x), 1e-3 * float(subject.plan["step_s"])
    names = [v.name for v in _derivatives(subject)] or [""] * n
    for k in range(20):
        made.require("fmi2SetTime", subject.start_s + k * h)
        made.require("fmi2SetContinuousStates", (ctypes.c_double * n)(*x), n)
        rates = made.get_array("fmi2GetDerivatives", n)
        for name, rate in zip(names, rates, strict=False):
            if not math.isfinite(rate):
                message = f"It is {rate} at {subject.start_s + k * h:g} s."
                yield Finding(rule="output-not-finite", message=message, variable=name)
                return
        _, values = made.get("Real", [v.reference for v in subject.outputs()])
        for v, value in zip(subject.outputs(), values, strict=True):
            if not math.isfinite(value):
                message = f"It is {value} at {subject.start_s + k * h:g} s."
                yield Finding(
                    rule="output-not-finite", message=message, variable=v.name
                )
                return
        x = array("d", [a + h * b for a, b in zip(x, rates, strict=True)])
        flags = (ctypes.c_int(0), ctypes.c_int(0))
        made.require(
            "fmi2CompletedIntegratorStep", 1, *(ctypes.byref(f) for f in flags)
        )
        if flags[0].value or flags[1].value:
            return


def _known_and_unknown(
    subject: Subject,
) -> tuple[list[RunVariable], list[tuple[RunVariable, tuple[int, ...] | None]]]:
    """Return continuous knowns, and outputs and derivatives with dependencies."""
    by_key = {v.key: v for v in subject.variables}
    states = [by_key[key] for key in _states(subject) if key in by_key]
    inputs = [v for v in subject.inputs() if v.variability == "continuous"]
    unknowns = [
        (by_key[u["key"]], u["dependencies"])
        for u in subject.plan["unknowns"]
        if u["section"] in ("Outputs", "Derivatives") and u["key"] in by_key
    ]
    reals = [(v, d) for v, d in unknowns if v.kind == "Real"]
    return [*states, *inputs], reals


def _set(
    subject: Subject, made: Instance, known: RunVariable, x: array[float], value: float
) -> bool:
    """Set a continuous known; whether it was accepted."""
    states = _states(subject)
    if known.key not in states:
        return made.set("Real", [known.reference], [value]) <= 1
    moved = array("d", x)
    moved[states.index(known.key)] = value
    n = len(moved)
    return made.call("fmi2SetContinuousStates", (ctypes.c_double * n)(*moved), n) <= 1


def _value(
    subject: Subject, made: Instance, known: RunVariable, x: array[float]
) -> float:
    states = _states(subject)
    if known.key in states:
        return float(x[states.index(known.key)])
    return float(made.get("Real", [known.reference])[1][0])


def probe_exchange_dependencies(subject: Subject) -> Iterator[Finding]:
    """Outputs and derivatives do not change with what they do not depend on."""
    knowns, unknowns = _known_and_unknown(subject)
    watched = [(v, d) for v, d in unknowns if d is not None]
    references = [v.reference for v, _ in watched]
    with continuous(subject) as made:
        x = made.get_array("fmi2GetContinuousStates", len(_states(subject)))
        status, before = made.get("Real", references)
        if status > 1 or not watched:
            return
        for known in knowns:
            base = _value(subject, made, known, x)
            seen: set[int] = set()
            for share in _SHARES:
                value = base + share * (abs(base) or abs(known.nominal))
                if not _set(subject, made, known, x, value):
                    continue
                after = made.get("Real", references)[1]
                for i, (v, dependencies) in enumerate(watched):
                    is_declared = known.key in (v.key, *(dependencies or ()))
                    if before[i] != after[i] and not is_declared and i not in seen:
                        seen.add(i)
                        message = (
                            f"It changes from {before[i]!r} to {after[i]!r} with "
                            f"`{known.name}`, which is not declared."
                        )
                        yield Finding(
                            rule="dependency-missing", message=message, variable=v.name
                        )
            _set(subject, made, known, x, base)


def probe_exchange_derivatives(subject: Subject) -> Iterator[Finding]:
    """Directional derivatives are those of central differences."""
    if not subject.flag("providesDirectionalDerivative"):
        return
    yield from confirmed(lambda share: _derivatives_near(subject, share))


def _derivatives_near(subject: Subject, share: float) -> Iterator[Finding]:
    knowns, unknowns = _known_and_unknown(subject)
    with continuous(subject) as made:
        for v in subject.inputs():
            made.set("Real", [v.reference], [v.near(share)])
        x = made.get_array("fmi2GetContinuousStates", len(_states(subject)))
        for known in knowns:
            base = _value(subject, made, known, x)
            size = 1e-4 * (abs(base) or abs(known.nominal))
            got = [directional(made, v.reference, known.reference) for v, _ in unknowns]
            rows = []
            for sign in (-1.0, 0.0, 1.0):
                _set(subject, made, known, x, base + sign * size)
                rows.append(made.get("Real", [v.reference for v, _ in unknowns])[1])
            _set(subject, made, known, x, base)
            for i, (v, _) in enumerate(unknowns):
                one = got[i]
                if v.key == known.key:
                    continue
                if one is None:
                    reason = subject.calls.reason()
                    message = f"Its derivative to `{known.name}` is refused: {reason}"
                    yield Finding(
                        rule="capability-lies", message=message, variable=v.name
                    )
                    return
                values = [row[i] for row in rows]
                yield from judge_derivative(v, known.name, one, values, size)


def probe_exchange_state(subject: Subject) -> Iterator[Finding]:
    """A saved state brings back states and outputs to the bit."""
    if not subject.flag("canGetAndSetFMUstate"):
        return
    n = len(_states(subject))
    with continuous(subject) as made:
        try:
            state = ctypes.c_void_p(None)
            made.require("fmi2GetFMUstate", ctypes.byref(state))
            x = made.get_array("fmi2GetContinuousStates", n)
            before = (list(x), subject.read(made))
            moved = [1.01 * value + 1e-3 for value in x]
            made.call("fmi2SetContinuousStates", (ctypes.c_double * n)(*moved), n)
            for v in _known_and_unknown(subject)[0]:
                if v.causality == "input":
                    made.set("Real", [v.reference], [v.near(0.05)])
            subject.read(made)
            made.require("fmi2SetFMUstate", state)
            after = (
                list(made.get_array("fmi2GetContinuousStates", n)),
                subject.read(made),
            )
            made.require("fmi2FreeFMUstate", ctypes.byref(state))
        except RefusedError as error:
            if "FMUstate" not in error.function:
                raise
            message = f"`canGetAndSetFMUstate` is declared, but {error}"
            yield Finding(rule="capability-lies", message=message)
            return
    where = subject.difference([(0, before[1])], [(0, after[1])])
    if where or before[0] != after[0]:
        message = f"After setting a saved state, {where or 'the states differ'}."
        yield Finding(rule="state-replay-differs", message=message)


def probe_exchange_order(subject: Subject) -> Iterator[Finding]:
    """Functions of continuous-time mode are refused before initialization."""
    n = max(1, len(_states(subject)))
    for name, arguments in (
        ("fmi2EnterContinuousTimeMode", ()),
        ("fmi2GetDerivatives", ((ctypes.c_double * n)(), n)),
        (
            "fmi2CompletedIntegratorStep",
            (1, (ctypes.c_int * 1)(), (ctypes.c_int * 1)()),
        ),
    ):
        with subject.instance() as made:
            status = made.call(name, *arguments)
        if status <= 1:
            message = f"Called when instantiated, it returned {status_name(status)}."
            yield Finding(rule="illegal-call-accepted", message=message, variable=name)
