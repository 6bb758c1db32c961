"""Probes of what depends on what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from packtwin.fmu.checker.point import Place, Point, cells, initializing
from packtwin.fmu.checker.run_variable import RunVariable, packed
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = ["probe_dependencies", "undeclared"]

_N_NOISE = 100.0  # what iterating again changes, a solver's rounding
_SHARES = (0.01, -0.03, 0.1)


def probe_dependencies(subject: Subject) -> Iterator[Finding]:
    """What is not among an initial unknown's dependencies, does not change it."""
    declared = subject.unknowns("InitialUnknowns")
    knowns = [
        v
        for v in subject.variables
        if v.is_real
        and v.variability != "constant"
        and (v.causality == "input" or v.initial == "exact")
    ]
    where = "In initialization mode it"
    yield from undeclared(subject, initializing, knowns, declared, where)


def undeclared(
    subject: Subject,
    place: Place,
    knowns: Sequence[RunVariable],
    declared: Mapping[int, tuple[int, ...] | None],
    what: str,
) -> Iterator[Finding]:
    """Yield the unknowns that change with what they do not depend on.

    Args:
        subject: The FMU.
        place: Where the knowns are moved, one after the other.
        knowns: What is moved.
        declared: Dependencies by the key of the unknown; unknowns without are left out.
        what: The beginning of a sentence about such an unknown.
    """
    watched = [
        v for v in subject.variables if v.is_real and declared.get(v.key) is not None
    ]
    if not watched:
        return
    for known in subject.in_time(knowns):
        free = [
            v for v in watched if known.key not in (v.key, *(declared[v.key] or ()))
        ]
        with place(subject) as made:
            point = Point(subject, made)
            base = point.values(known)
            before = _moved(point, known, base, free) if base else []
            if not before:
                continue
            rows = [_moved(point, known, known.near(s, base), free) for s in _SHARES]
            noise = _differences(before, _moved(point, known, base, free))
        seen: set[str] = set()
        for row in rows:
            for k, size in enumerate(_differences(before, row)):
                v = cells(free)[k]
                if v.name in seen or not size > _N_NOISE * (noise[k] if noise else 0.0):
                    continue
                seen.add(v.name)
                message = (
                    f"{what} changes from {before[k]!r} to {row[k]!r} with "
                    f"`{known.name}`, which is not declared."
                )
                yield Finding(
                    rule="dependency-missing", message=message, variable=v.name
                )


def _moved(
    point: Point, known: RunVariable, values: Sequence[float], free: list[RunVariable]
) -> list[float]:
    """Return unknowns with other values of a known; nothing if they are refused."""
    if not point.put(known, values):
        return []
    status, after = point.made.get(free)
    return after if status <= 1 else []


def _differences(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Return by how much numbers differ; infinitely if one of them is none."""
    return [
        0.0 if packed(a) == packed(b) else abs(b - a) if a - b < math.inf else math.inf
        for a, b in zip(before, after, strict=False)
    ]
