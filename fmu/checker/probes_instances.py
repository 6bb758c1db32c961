"""Probes of instances: several, in threads, leaks, and what they do to the process."""

from __future__ import annotations

import ctypes
import gc
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from packtwin.fmu.checker.probes_state import SAVES
from packtwin.fmu.checker.subject import Finding, Subject, Trace

__all__ = [
    "probe_instances",
    "probe_leak_instance",
    "probe_leak_state",
    "probe_leak_step",
    "probe_log",
    "probe_static_memory",
    "probe_threads",
]

_LOAD, _WRITABLE = 1, 2  # of ELF program headers
_N_THREADS = 4
_BYTES_PER_CYCLE = 8.0
_N_LEAST = 2048
_RSS_LIMIT = 1 << 20
_ONCE = "canBeInstantiatedOnlyOncePerProcess"


class _Memory(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _used_bytes() -> int:
    """Return the bytes allocated in this process, exact where the C library tells."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        return _resident_bytes()
    function.restype = _Memory
    found = function()
    return int(found.uordblks) + int(found.hblkhd)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def probe_instances(subject: Subject) -> Iterator[Finding]:
    """An instance does not notice others."""
    if not subject.step_s or subject.flag(_ONCE):
        return
    with subject.running(seed=1) as made:
        alone = subject.run(made)
    with subject.running(seed=1) as one, subject.running(seed=2) as other:
        subject.set_near(other, subject.tunable(), 0.05)
        together: Trace = []
        for k in range(len(alone)):
            time_s = subject.start_s + k * subject.step_s
            for seed, made in ((1, one), (2, other)):
                subject.set_inputs(made, seed, k)
            status = one.step(time_s, subject.step_s)
            other.step(time_s, subject.step_s)
            subject.read(other, subject.outputs())
            if status > 1:
                together.append((status, b""))
                break
            together.append((0, subject.read(one)))
    where = subject.difference(alone, together)
    if where:
        message = f"Alone and stepped in turn with another instance, {where}."
        yield Finding(rule="instances-share-state", message=message)
    # One instance may not free what another needs.
    with subject.running(seed=1) as one:
        with subject.running(seed=2) as other:
            subject.run(other, seed=2, n=2, variables=())
        after = subject.run(one)
    where = subject.difference(alone, after)
    if where:
        message = f"Alone and after another instance was freed, {where}."
        yield Finding(rule="instances-share-state", message=message)


def probe_threads(subject: Subject) -> Iterator[Finding]:
    """Instances in parallel threads give what each gives alone."""
    if not subject.step_s or subject.flag(_ONCE):
        return
    serial: list[Trace] = []
    for i in range(_N_THREADS):
        with subject.running(seed=i + 1) as made:
            serial.append(subject.run(made, seed=i + 1, n=50))
    found: list[str] = []
    end = time.monotonic() + float(subject.plan["budget_s"])

    def work(i: int) -> None:
        while time.monotonic() < end and not found:
            with subject.running(seed=i + 1) as made:
                where = subject.difference(
                    serial[i], subject.run(made, seed=i + 1, n=50)
                )
            if where:
                found.append(where)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(_N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    if found:
        message = (
            f"Alone and with {_N_THREADS} threads of an instance each, {found[0]}."
        )
        yield Finding(rule="threads-interfere", message=message)


def probe_static_memory(subject: Subject) -> Iterator[Finding]:
    """Steps write nothing into the static memory of the library."""
    if not subject.step_s or not Path("/proc/self/maps").exists():
        return
    with subject.running(seed=1) as made:
        subject.run(made, n=5, variables=subject.outputs())
        before = _static_memory(subject)
        subject.run(made, seed=2, first=5, n=1, variables=subject.outputs())
        middle = _static_memory(subject)
        subject.run(made, seed=3, first=6, n=1, variables=subject.outputs())
        after = _static_memory(subject)
    if len(before) == len(middle) == len(after):
        first = sum(a != b for a, b in zip(before, middle, strict=True))
        last = sum(a != b for a, b in zip(middle, after, strict=True))
        if first and last:
            message = (
                f"Every step changes static memory of the library ({first} bytes)."
            )
            yield Finding(rule="static-memory", message=message)


def _static_memory(subject: Subject) -> bytes:
    """Return the writable segments of the library, and nothing that lies behind them.

    By the program headers of a 64-bit ELF file; for others there is nothing to compare.
    """
    name = os.path.realpath(subject.plan["library"])
    data = Path(name).read_bytes()
    if data[:5] != b"\x7fELF\x02":
        return b""
    starts = [
        int(line.partition("-")[0], 16)
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(name)
    ]
    if not starts:
        return b""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = b""
    for k in range(count):
        kind, flags, _, address, _, _, length, _ = struct.unpack_from(
            "<IIQQQQQQ", data, table + k * size
        )
        if kind == _LOAD and flags & _WRITABLE:
            found += ctypes.string_at(min(starts) + address, length)
    return found


def _growth(subject: Subject, cycle: Callable[[], None]) -> tuple[float, int]:
    """Return the bytes that each of many cycles leaves, and how many there were.

    The growth counts only if it is there in both halves: caches fill up once.
    """
    budget_s = float(subject.plan["budget_s"])
    gc.collect()
    gc.disable()
    try:
        begin = time.monotonic()
        for _ in range(20):
            cycle()
        cost_s = max((time.monotonic() - begin) / 20.0, 1e-7)
        n = max(20, min(1000, int(0.4 * budget_s / cost_s)))
        used = [_used_bytes()]
        resident = _resident_bytes()
        for _ in range(2):
            for _ in range(n):
                cycle()
            used.append(_used_bytes())
        halves = [used[1] - used[0], used[2] - used[1]]
        least = min(halves)
        if least >= _BYTES_PER_CYCLE * n and least >= _N_LEAST:
            return least / n, 2 * n
        grown = _resident_bytes() - resident
        return (grown / (2 * n), 2 * n) if grown > _RSS_LIMIT else (0.0, 2 * n)
    finally:
        gc.enable()


def probe_leak_instance(subject: Subject) -> Iterator[Finding]:
    """Instances leave no memory behind."""

    def cycle() -> None:
        with subject.running(seed=1) as made:
            if not subject.is_exchange and subject.step_s:
                subject.run(made, n=1, variables=())
            made.call("Terminate")

    size, n = _growth(subject, cycle)
    if size:
        message = f"Each of {n} instances left {size:.0f} bytes after being freed."
        yield Finding(rule="leak-instance", message=message)


def probe_leak_state(subject: Subject) -> Iterator[Finding]:
    """Saved states leave no memory behind."""
    if not subject.flag(SAVES):
        return
    with subject.running(seed=1) as made:
        state = ctypes.c_void_p(None)

        def cycle() -> None:
            made.call("GetFMUState", ctypes.byref(state))
            made.call("GetFMUState", ctypes.byref(state))
            made.call("SetFMUState", state)
            made.call("FreeFMUState", ctypes.byref(state))

        size, n = _growth(subject, cycle)
    if size:
        message = f"Each of {n} states left {size:.0f} bytes after being freed."
        yield Finding(rule="leak-state", message=message)


def probe_leak_step(subject: Subject) -> Iterator[Finding]:
    """Steps leave no memory behind."""
    if not subject.step_s:
        return
    with subject.running(seed=1) as made:
        k = 0

        def cycle() -> None:
            nonlocal k
            subject.run(made, first=k, n=1, variables=subject.outputs())
            k += 1

        size, n = _growth(subject, cycle)
    if size:
        message = f"Each of {n} steps left {size:.0f} bytes."
        yield Finding(rule="leak-step", message=message)


def probe_log(subject: Subject) -> Iterator[Finding]:
    """Messages come under the declared categories."""
    known = set(subject.plan["categories"])
    for category, text in list(subject.calls.journal.categories.items()):
        if known and category not in known:
            message = f"It logs under `{category}` ({text[:60].strip()}), not declared."
            yield Finding(rule="log-category", message=message, variable=category)
