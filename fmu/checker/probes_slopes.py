"""Probes of what depends on what, and how much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias, final

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.point import Point
from packtwin.fmu.checker.run_variable import RunVariable, packed
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = [
    "Place",
    "judge_derivative",
    "probe_dependencies",
    "probe_derivatives",
    "undeclared",
    "wrong_derivatives",
]

Place: TypeAlias = Callable[[Subject], AbstractContextManager[Instance]]
"""Brings a new instance to where knowns are moved."""

_SHARES = (0.01, -0.03, 0.1)
_DERIVATIVE_TOLERANCE = 1e-4
_ASIDE = 0.037  # of an input's size
_KINK = 1e-2  # differences to both sides are unlike
_DIFFERENCE = 1e-4  # of a known's size
_FUNCTIONS = (
    ("providesDirectionalDerivatives", "GetDirectionalDerivative"),
    ("providesAdjointDerivatives", "GetAdjointDerivative"),
)


@contextmanager
def _initializing(subject: Subject) -> Iterator[Instance]:
    with subject.instance() as made:
        subject.enter(made)
        yield made


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
    yield from undeclared(subject, _initializing, knowns, declared, where)


def probe_derivatives(subject: Subject) -> Iterator[Finding]:
    """Derivatives at the start are those of central differences."""
    if subject.is_exchange:
        return
    keys = subject.unknowns("InitialUnknowns")
    outputs = [v for v in subject.outputs() if v.key in keys]
    # FMI lets a slave provide them at communication points only.
    yield from wrong_derivatives(
        subject, _initializing, subject.inputs(), outputs, may_refuse=True
    )


def undeclared(
    subject: Subject,
    place: Place,
    knowns: Iterable[RunVariable],
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
    for known in knowns:
        free = [
            v for v in watched if known.key not in (v.key, *(declared[v.key] or ()))
        ]
        seen: set[str] = set()
        with place(subject) as made:
            point = Point(subject, made)
            base = point.values(known)
            before = [made.get([v]) for v in free]
            for share in _SHARES:
                if not base or not point.put(known, known.near(share, base)):
                    continue
                for v, (status, was) in zip(free, before, strict=True):
                    changed, now = made.get([v])
                    pairs = [
                        (a, b)
                        for a, b in zip(was, now, strict=True)
                        if packed(a) != packed(b)
                    ]
                    if max(status, changed) > 1 or not pairs or v.name in seen:
                        continue
                    seen.add(v.name)
                    message = (
                        f"{what} changes from {pairs[0][0]!r} to {pairs[0][1]!r} with "
                        f"`{known.name}`, which is not declared."
                    )
                    yield Finding(
                        rule="dependency-missing", message=message, variable=v.name
                    )


def wrong_derivatives(
    subject: Subject,
    place: Place,
    knowns: Iterable[RunVariable],
    unknowns: Iterable[RunVariable],
    *,
    may_refuse: bool = False,
) -> Iterator[Finding]:
    """Yield the derivatives that differ from central differences.

    Only those count that differ at the start values and with inputs moved by a share
    too. Start values lie on kinks more often than chance would have it (a closed valve
    at zero flow), and there is no derivative there to compare with.

    Args:
        subject: The FMU.
        place: Where the knowns are moved.
        knowns: By what it is derived.
        unknowns: What is derived.
        may_refuse: Whether the FMU need not provide them in this place.
    """
    doubles = [v for v in knowns if v.is_double], [v for v in unknowns if v.is_double]
    for capability, function in _FUNCTIONS:
        if not subject.flag(capability):
            continue
        slope = _Slope(subject, place, function, may_refuse)
        first = list(slope.wrong(*doubles, 0.0))
        if first:
            again = {(f.rule, f.variable) for f in slope.wrong(*doubles, _ASIDE)}
            yield from (f for f in first if (f.rule, f.variable) in again)


@final
class _Slope:
    """Compares one of the two functions of derivatives with differences."""

    __slots__ = ("_function", "_may_refuse", "_place", "_subject")

    def __init__(
        self, subject: Subject, place: Place, function: str, may_refuse: bool
    ) -> None:
        self._subject = subject
        self._place = place
        self._function = function
        self._may_refuse = may_refuse

    def wrong(
        self,
        knowns: Sequence[RunVariable],
        unknowns: Sequence[RunVariable],
        share: float,
    ) -> Iterator[Finding]:
        """Yield what differs with all inputs moved by a share."""
        for known in knowns:
            with self._place(self._subject) as made:
                self._subject.set_near(made, self._subject.inputs(), share)
                point = Point(self._subject, made)
                base = point.values(known)
                for v in unknowns if base else ():
                    if v.key == known.key:
                        continue
                    got = self._derivative(made, v, known, base)
                    if got is None and self._may_refuse:
                        return
                    if got is None:
                        reason = self._subject.calls.journal.reason()
                        message = (
                            f"Its derivative to `{known.name}` is refused: {reason}"
                        )
                        yield Finding(
                            rule="capability-lies", message=message, variable=v.name
                        )
                        return
                    yield from self._judged(point, v, known, base, got)

    def _derivative(
        self, made: Instance, v: RunVariable, known: RunVariable, base: Sequence[float]
    ) -> list[float] | None:
        """Return it for each element of the unknown, or as one sum if adjoint."""
        along = _direction(known, base)
        if self._function == "GetDirectionalDerivative":
            return made.differentiate(self._function, [v], [known], along)
        found = made.differentiate(self._function, [v], [known], _weights(v.size))
        return None if found is None else [_dot(found, along)]

    def _judged(
        self,
        point: Point,
        v: RunVariable,
        known: RunVariable,
        base: Sequence[float],
        got: Sequence[float],
    ) -> Iterator[Finding]:
        size = _DIFFERENCE * known.scale(base[0])
        rows: list[list[float]] = []
        for sign in (-1.0, 0.0, 1.0):
            steps = (sign * size * d for d in _direction(known, base))
            point.put(known, [b + step for b, step in zip(base, steps, strict=True)])
            status, values = point.made.get([v])
            if status > 1:
                break
            rows.append(values)
        point.put(known, base)
        if len(rows) < 3:
            return
        if len(got) < v.size:
            rows = [[_dot(_weights(v.size), row)] for row in rows]
        for element, one in enumerate(got):
            values = [row[element] for row in rows]
            found = list(
                judge_derivative(v, known.name, one, values, size, self._function)
            )
            yield from found
            if found:
                return


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _weights(n: int) -> list[float]:
    """Return unlike numbers of about one, 1 first."""
    return [1.0 / (1.0 + 0.37 * (k % 5)) for k in range(n)]


def _direction(known: RunVariable, base: Sequence[float]) -> list[float]:
    """Return a direction in the elements of a known that fits their sizes, 1 first."""
    sizes = [known.scale(number) for number in base]
    return [
        w * size / sizes[0] for w, size in zip(_weights(len(base)), sizes, strict=True)
    ]


def judge_derivative(
    v: RunVariable,
    known: str,
    got: float,
    values: list[float],
    size: float,
    function: str = "GetDirectionalDerivative",
) -> Iterator[Finding]:
    """Yield a finding if a derivative is not the central difference.

    At a kink, where the differences to both sides are not alike, there is none.

    Args:
        v: The unknown.
        known: Name of the known.
        got: What the FMU says.
        values: Of the unknown with the known less, as it is, and greater.
        size: By how much.
        function: What said so.
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
    message = (
        f"Its derivative to `{known}` is {got:.9g} by {function}, differences say "
        f"{want:.9g}."
    )
    yield Finding(rule="derivative-wrong", message=message, variable=v.name)
