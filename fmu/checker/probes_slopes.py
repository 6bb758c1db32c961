"""Probes of what depends on what, and how much, in initialization mode."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterable, Iterator

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.probes_values import bits
from packtwin.fmu.checker.subject import Finding, RunVariable, Subject

__all__ = [
    "confirmed",
    "directional",
    "judge_derivative",
    "probe_dependencies",
    "probe_derivatives",
]

_SHARES = (0.01, -0.03, 0.1)
_DERIVATIVE_TOLERANCE = 1e-4
_ASIDE = 0.037  # of an input's size
_KINK = 1e-2  # differences to both sides are unlike


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
    yield from confirmed(lambda share: _derivatives_near(subject, unknowns, share))


def confirmed(
    findings_at: Callable[[float], Iterable[Finding]],
) -> Iterator[Finding]:
    """Yield the findings at the start values that inputs moved by a share have too.

    Start values lie on kinks more often than chance would have it (a closed valve at
    zero flow), and there is no derivative there to compare with.
    """
    first = list(findings_at(0.0))
    if first:
        again = {(f.rule, f.variable) for f in findings_at(_ASIDE)}
        yield from (f for f in first if (f.rule, f.variable) in again)


def _derivatives_near(
    subject: Subject, unknowns: list[RunVariable], share: float
) -> Iterator[Finding]:
    for known in subject.inputs():
        with subject.instance() as made:
            subject.enter(made)
            for v in subject.inputs():
                made.set("Real", [v.reference], [v.near(share)])
            for v in unknowns:
                got = directional(made, v.reference, known.reference)
                if got is None:
                    return  # FMI lets a slave provide them at communication points only
                yield from _compare_derivative(made, v, known, got, known.near(share))


def _compare_derivative(
    made: Instance, v: RunVariable, known: RunVariable, got: float, base: float
) -> Iterator[Finding]:
    size = 1e-4 * (abs(known.number) or abs(known.nominal))
    values = []
    for sign in (-1.0, 0.0, 1.0):
        made.set("Real", [known.reference], [base + sign * size])
        status, found = made.get("Real", [v.reference])
        if status > 1:
            return
        values.append(found[0])
    made.set("Real", [known.reference], [base])
    yield from judge_derivative(v, known.name, got, values, size)


def judge_derivative(
    v: RunVariable, known: str, got: float, values: list[float], size: float
) -> Iterator[Finding]:
    """Yield a finding if a derivative is not the central difference.

    At a kink, where the differences to both sides are not alike, there is none.

    Args:
        v: The unknown.
        known: Name of the known.
        got: What the FMU says.
        values: Of the unknown with the known less, as it is, and greater.
        size: By how much.
    """
    below, here, above = values
    want = (above - below) / (2.0 * size)
    noise = 1e-13 * max(abs(below), abs(above), abs(v.nominal)) / size
    bound = _DERIVATIVE_TOLERANCE * max(abs(want), abs(got)) + noise
    if abs(got - want) <= bound:
        return
    sides = (above - here) / size, (here - below) / size
    if abs(sides[0] - sides[1]) > _KINK * max(map(abs, sides)) + 2.0 * noise:
        return
    message = f"Its derivative to `{known}` is {got:.9g}, differences say {want:.9g}."
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
