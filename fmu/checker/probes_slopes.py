"""Probes of what depends on what, and how much, in initialization mode."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.probes_values import bits
from packtwin.fmu.checker.subject import Finding, RunVariable, Subject

__all__ = [
    "directional",
    "judge_derivative",
    "move_inside",
    "probe_dependencies",
    "probe_derivatives",
]

_SHARES = (0.01, -0.03, 0.1)
_DERIVATIVE_TOLERANCE = 1e-4
_INSIDE = 0.03


def probe_dependencies(subject: Subject) -> Iterator[Finding]:
    """What is not among an initial unknown's dependencies, does not change it."""
    unknowns = {
        unknown["key"]: unknown["dependencies"]
        for unknown in subject.plan["unknowns"]
        if unknown["section"] == "InitialUnknowns"
    }
    watched = [
        v
        for v in subject.variables
        if v.kind == "Real" and unknowns.get(v.key) is not None
    ]
    knowns = [
        v
        for v in subject.variables
        if v.kind == "Real"
        and v.variability != "constant"
        and (v.causality == "input" or v.initial == "exact")
    ]
    if not watched:
        return
    references = [v.reference for v in watched]
    for known in knowns:
        seen: set[str] = set()
        with subject.instance() as made:
            subject.enter(made)
            status, before = made.get("Real", references)
            if status > 1:
                return
            for share in _SHARES:
                if made.set("Real", [known.reference], [known.near(share)]) > 1:
                    continue
                status, after = made.get("Real", references)
                if status > 1:
                    continue
                for v, a, b in zip(watched, before, after, strict=True):
                    is_free = known.key not in (unknowns[v.key] or ())
                    if is_free and bits(a) != bits(b) and v.name not in seen:
                        seen.add(v.name)
                        yield Finding(
                            rule="dependency-missing",
                            message=f"In initialization mode it changes from {a!r} to "
                            f"{b!r} with `{known.name}`, which is not declared.",
                            variable=v.name,
                        )


def probe_derivatives(subject: Subject) -> Iterator[Finding]:
    """Directional derivatives at the start are those of central differences."""
    if not subject.flag("providesDirectionalDerivative") or subject.is_exchange:
        return
    keys = {
        unknown["key"]
        for unknown in subject.plan["unknowns"]
        if unknown["section"] == "InitialUnknowns"
    }
    unknowns = [v for v in subject.outputs() if v.key in keys]
    for known in subject.inputs():
        with subject.instance() as made:
            subject.enter(made)
            move_inside(subject, made)
            for v in unknowns:
                got = directional(made, v.reference, known.reference)
                if got is None:
                    return  # FMI lets a slave provide them at communication points only
                yield from _compare_derivative(made, v, known, got)


def _compare_derivative(
    made: Instance, v: RunVariable, known: RunVariable, got: float
) -> Iterator[Finding]:
    base = known.near(_INSIDE)
    size = 1e-4 * (abs(base) or abs(known.nominal))
    values = []
    for sign in (-1.0, 0.0, 1.0):
        made.set("Real", [known.reference], [base + sign * size])
        status, found = made.get("Real", [v.reference])
        if status > 1:
            return
        values.append(found[0])
    made.set("Real", [known.reference], [base])
    yield from judge_derivative(v, known.name, got, values, size)


def move_inside(subject: Subject, made: Instance) -> None:
    """Set the inputs off their starts, which often lie on a limit: a kink."""
    for v in subject.inputs():
        made.set("Real", [v.reference], [v.near(_INSIDE)])


def judge_derivative(
    v: RunVariable, known: str, got: float, values: Sequence[float], size: float
) -> Iterator[Finding]:
    """Yield a finding if a derivative is none of the differences, nor between them.

    At a kink, such as a limit that the start value lies on, the differences to both
    sides are far apart, and any derivative between them is right.

    Args:
        v: What is derived.
        known: With respect to what.
        got: The FMU's derivative.
        values: Of `v` before, at and after the point.
        size: The distance of the points.
    """
    low, middle, high = values
    mean = (high - low) / (2.0 * size)
    slopes = ((middle - low) / size, mean, (high - middle) / size)
    # A value that terms cancel to is as noisy as they are; the nominal tells how much.
    noise = 1e-13 * max(*(abs(value) for value in values), abs(v.nominal)) / size
    bound = _DERIVATIVE_TOLERANCE * max(*(abs(s) for s in slopes), abs(got)) + noise
    if not min(slopes) - bound <= got <= max(slopes) + bound:
        message = (
            f"Its derivative to `{known}` is {got:.9g}, differences say {mean:.9g}."
        )
        yield Finding(rule="derivative-wrong", message=message, variable=v.name)


def directional(made: Instance, unknown: int, known: int) -> float | None:
    """Return one directional derivative; nothing if the FMU refuses."""
    value = ctypes.c_double(math.nan)
    status = made.call(
        "fmi2GetDirectionalDerivative",
        (ctypes.c_uint * 1)(unknown),
        1,
        (ctypes.c_uint * 1)(known),
        1,
        ctypes.byref(ctypes.c_double(1.0)),
        ctypes.byref(value),
    )
    return value.value if status <= 1 else None
