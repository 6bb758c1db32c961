"""Probes of state: determinism, reset, saved and serialized states."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Iterator
from typing import Any

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.journal import RefusedError
from packtwin.fmu.checker.subject import Finding, Subject, Trace

__all__ = [
    "FINGERPRINT",
    "SAVES",
    "SERIALIZED",
    "as_declared",
    "probe_deserialize",
    "probe_determinism",
    "probe_fingerprint",
    "probe_getters",
    "probe_reset",
    "probe_serialize",
    "probe_state",
]

FINGERPRINT = "fingerprint.json"
SERIALIZED = "serialized.json"
SAVES, _SERIALIZES = "canGetAndSetFMUState", "canSerializeFMUState"
_N_BEFORE, _N_AFTER = 7, 12
_N_GUARD = 64


def probe_determinism(subject: Subject) -> Iterator[Finding]:
    """Two fresh instances give the same bits."""
    if not subject.step_s:
        return
    traces = []
    for _ in range(2):
        with subject.running(seed=1) as made:
            start = (0, subject.read(made))
            traces.append([start, *subject.run(made)])
    where = subject.difference(traces[0], traces[1])
    if where:
        message = f"Of two equal runs, {where}."
        yield Finding(rule="not-deterministic", message=message)


def probe_fingerprint(subject: Subject) -> Iterator[Finding]:
    """Leave a trace for the comparison with a process of other memory contents."""
    if not subject.step_s:
        return
    with subject.running(seed=1) as made:
        trace = [(0, subject.read(made)), *subject.run(made)]
    path = subject.folder / FINGERPRINT
    if not path.exists():
        path.write_text(json.dumps([[s, row.hex()] for s, row in trace]))
        return
    before: Trace = [(s, bytes.fromhex(row)) for s, row in json.loads(path.read_text())]
    where = subject.difference(before, trace)
    if where:
        message = f"In two processes with different memory contents, {where}."
        yield Finding(rule="uninitialised-memory", message=message)


def probe_reset(subject: Subject) -> Iterator[Finding]:
    """After a reset an instance is as new."""
    if not subject.step_s:
        return
    with subject.running(seed=1) as made:
        fresh = [(0, subject.read(made)), *subject.run(made)]
    with subject.running(seed=2) as made:
        subject.run(made, seed=2)
        subject.set_near(made, subject.tunable(), 0.05)
        made.require("Reset")
        subject.enter(made)
        subject.set_inputs(made, 1, 0)
        made.require("ExitInitializationMode")
        again = [(0, subject.read(made)), *subject.run(made)]
    where = subject.difference(fresh, again)
    if where:
        message = f"Fresh and after a reset, {where}."
        yield Finding(
            rule="reset-incomplete", message=message, variable=subject.named("Reset")
        )


def probe_getters(subject: Subject) -> Iterator[Finding]:
    """Getting values changes nothing."""
    if not subject.step_s:
        return
    with subject.running(seed=1) as made:
        rarely = [
            *subject.run(made, n=11, variables=()),
            *subject.run(made, first=11, n=1),
        ]
    with subject.running(seed=1) as made:
        often = subject.run(made, n=12)
        again = subject.read(made)
    where = subject.difference([often[-1]], [rarely[-1]])
    if not where and often[-1][0] == 0:
        where = subject.difference([often[-1]], [(0, again)])
    if where:
        message = f"Read every step or not, {where.replace('step 1', 'the last step')}."
        yield Finding(rule="get-changes-state", message=message)


def as_declared(
    subject: Subject, capability: str, probe: Callable[[Subject], Iterator[Finding]]
) -> Iterator[Finding]:
    """Run a probe of saved states if the capability is declared; it may not be refused.

    Args:
        subject: The FMU.
        capability: Its attribute.
        probe: What uses it.
    """
    declared = subject.flag(capability)
    if not declared or not (subject.step_s or subject.is_exchange):
        return
    try:
        yield from probe(subject)
    except RefusedError as error:
        if "FMUSTATE" not in error.function.upper():
            raise
        message = f"`{declared}` is declared, but {error}"
        yield Finding(rule="capability-lies", message=message, variable=error.function)


def probe_state(subject: Subject) -> Iterator[Finding]:
    """A saved state replays to the bit, more than once, and is freed to NULL."""
    yield from as_declared(subject, SAVES, _replay)


def _replay(subject: Subject) -> Iterator[Finding]:
    with subject.running(seed=1) as made:
        if subject.run(made, n=_N_BEFORE)[-1][0] > 1:
            return
        state = ctypes.c_void_p(None)
        made.require("GetFMUState", ctypes.byref(state))
        rows = [
            [(0, subject.read(made)), *subject.run(made, first=_N_BEFORE, n=_N_AFTER)]
        ]
        # Something else in between, so that what is not saved shows.
        for other in (5, 9):
            made.require("SetFMUState", state)
            _disturb(subject, made, other)
            made.require("SetFMUState", state)
            first = (0, subject.read(made))
            again = subject.run(made, first=_N_BEFORE, n=_N_AFTER)
            rows.append([first, *again])
        for i, rule in ((1, "state-replay-differs"), (2, "state-not-reusable")):
            where = subject.difference(rows[0], rows[i])
            if where:
                message = f"Before and after setting a saved state, {where}."
                yield Finding(
                    rule=rule, message=message, variable=subject.named("SetFMUState")
                )
                break
        yield from _reuse(subject, made, state)
        made.require("FreeFMUState", ctypes.byref(state))
        if state.value:
            message = "The pointer is not NULL after freeing the state."
            name = subject.named("FreeFMUState")
            yield Finding(rule="state-not-nulled", message=message, variable=name)
        else:
            made.require("FreeFMUState", ctypes.byref(state))


def _disturb(subject: Subject, made: Instance, seed: int) -> None:
    subject.run(made, seed=seed, first=_N_BEFORE, n=4, variables=())
    subject.set_near(made, subject.tunable(), 0.05)


def _reuse(subject: Subject, made: Instance, state: Any) -> Iterator[Finding]:
    """A state given to GetFMUState is overwritten with the current one."""
    made.require("SetFMUState", state)
    subject.run(made, first=_N_BEFORE, n=3, variables=())
    made.require("GetFMUState", ctypes.byref(state))
    want = subject.run(made, first=_N_BEFORE + 3, n=4)
    made.require("SetFMUState", state)
    got = subject.run(made, first=_N_BEFORE + 3, n=4)
    where = subject.difference(want, got)
    if where:
        message = f"With a state that was saved twice in the same place, {where}."
        name = subject.named("GetFMUState")
        yield Finding(rule="state-not-reusable", message=message, variable=name)


def probe_serialize(subject: Subject) -> Iterator[Finding]:
    """A serialized state replays in another instance; leaves it for another process."""
    if subject.flag(SAVES):
        yield from as_declared(subject, _SERIALIZES, _serialize)


def _serialize(subject: Subject) -> Iterator[Finding]:
    with subject.running(seed=1) as made:
        if subject.run(made, n=_N_BEFORE)[-1][0] > 1:
            return
        state = ctypes.c_void_p(None)
        made.require("GetFMUState", ctypes.byref(state))
        size = ctypes.c_size_t(0)
        made.require("SerializedFMUStateSize", state, ctypes.byref(size))
        n = size.value
        buffer = ctypes.create_string_buffer(b"\xa5" * (n + _N_GUARD), n + _N_GUARD)
        made.require("SerializeFMUState", state, buffer, n)
        if buffer.raw[n:] != b"\xa5" * _N_GUARD:
            message = f"It wrote beyond the {n} bytes of the size it had told."
            name = subject.named("SerializeFMUState")
            yield Finding(rule="serialize-overrun", message=message, variable=name)
        made.require("FreeFMUState", ctypes.byref(state))
        want = subject.run(made, first=_N_BEFORE, n=_N_AFTER)
    content = buffer.raw[:n]
    document = {
        "bytes": content.hex(),
        "trace": [[status, row.hex()] for status, row in want],
    }
    (subject.folder / SERIALIZED).write_text(json.dumps(document))
    yield from _deserialized(subject, content, want, "another instance")


def probe_deserialize(subject: Subject) -> Iterator[Finding]:
    """A serialized state replays in another process."""
    path = subject.folder / SERIALIZED
    if not path.exists() or not subject.step_s:
        return
    document = json.loads(path.read_text())
    trace: Trace = [(s, bytes.fromhex(row)) for s, row in document["trace"]]
    content = bytes.fromhex(document["bytes"])
    yield from _deserialized(subject, content, trace, "another process")


def _deserialized(
    subject: Subject, content: bytes, want: Trace, place: str
) -> Iterator[Finding]:
    with subject.running(seed=3) as made:
        subject.run(made, seed=3, n=2, variables=())
        state = ctypes.c_void_p(None)
        buffer = ctypes.create_string_buffer(content, len(content))
        made.require("DeserializeFMUState", buffer, len(content), ctypes.byref(state))
        made.require("SetFMUState", state)
        got = subject.run(made, first=_N_BEFORE, n=_N_AFTER)
        made.require("FreeFMUState", ctypes.byref(state))
    where = subject.difference(want, got)
    if where:
        message = f"After serializing and back in {place}, {where}."
        name = subject.named("DeserializeFMUState")
        yield Finding(rule="serialize-replay-differs", message=message, variable=name)
