"""Probes of what depends on what, and how much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
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
        subject.beat()
        free = [
            v for v in watched if known.key not in (v.key, *(declared[v.key] or ()))
        ]
        seen: set[str] = set()
        with place(subject) as made:
            point = Point(subject, made)
            base = point.values(known)
            status, before = made.get(free)
            for share in _SHARES if base and status <= 1 else ():
                if not point.put(known, known.near(share, base)):
                    continue
                status, after = made.get(free)
                if status > 1:
                    continue
                for v, was, now in zip(_cells(free), before, after, strict=True):
                    if packed(was) == packed(now) or v.name in seen:
                        continue
                    seen.add(v.name)
                    message = (
                        f"{what} changes from {was!r} to {now!r} with `{known.name}`, "
                        "which is not declared."
                    )
                    yield Finding(
                        rule="dependency-missing", message=message, variable=v.name
                    )


def _cells(variables: Iterable[RunVariable]) -> list[RunVariable]:
    """Return a variable for each element."""
    return [v for v in variables for _ in range(v.size)]


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
    slopes = _Slopes(
        subject=subject,
        place=place,
        knowns=[v for v in knowns if v.is_double],
        unknowns=[v for v in unknowns if v.is_double],
        may_refuse=may_refuse,
    )
    first = list(slopes.wrong(0.0))
    if first:
        again = {(f.rule, f.variable) for f in slopes.wrong(_ASIDE)}
        yield from (f for f in first if (f.rule, f.variable) in again)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Slopes:
    """Derivatives of all unknowns by all knowns, as the FMU says and as they are."""

    subject: Subject
    place: Place
    knowns: list[RunVariable]
    unknowns: list[RunVariable]
    may_refuse: bool

    def wrong(self, share: float) -> Iterator[Finding]:
        """Yield what differs with all inputs moved by a share."""
        functions = [name for flag, name in _FUNCTIONS if self.subject.flag(flag)]
        if not self.unknowns or not functions:
            return
        with self.place(self.subject) as made:
            self.subject.set_near(made, self.subject.inputs(), share)
            point = Point(self.subject, made)
            bases = {v.key: point.values(v) for v in self.knowns}
            knowns = [v for v in self.knowns if bases[v.key]]
            ways = {v.key: _direction(v, bases[v.key]) for v in knowns}
            said: dict[str, list[list[float]]] = {}
            for function in functions:
                found = self._told(made, function, knowns, ways)
                if found is None:
                    yield from self._refused(function)
                    return
                said[function] = found
            for k, known in enumerate(knowns):
                rows = self._rows(point, known, bases[known.key], ways[known.key])
                size = _DIFFERENCE * known.scale(bases[known.key][0])
                for function, table in said.items():
                    yield from self._judged(known, function, table[k], rows, size)

    def _refused(self, function: str) -> Iterator[Finding]:
        if not self.may_refuse:
            message = f"It is refused: {self.subject.calls.journal.reason()}"
            name = self.subject.named(function)
            yield Finding(rule="capability-lies", message=message, variable=name)

    def _told(
        self,
        made: Instance,
        function: str,
        knowns: list[RunVariable],
        ways: Mapping[int, list[float]],
    ) -> list[list[float]] | None:
        """Return for each known the derivatives along its way; nothing if refused.

        Directional ones have a number for each element of the unknowns, adjoint ones a
        number for each unknown: the weighted sum of its elements.
        """
        table: list[list[float]] = [[] for _ in knowns]
        if function == "GetDirectionalDerivative":
            for k, known in enumerate(knowns):
                self.subject.beat()
                column = made.differentiate(
                    function, self.unknowns, [known], ways[known.key]
                )
                if column is None:
                    return None
                table[k] = column
            return table
        for v in self.unknowns:
            self.subject.beat()
            row = made.differentiate(function, [v], knowns, _weights(v.size))
            if row is None:
                return None
            for k, known in enumerate(knowns):
                table[k].append(_dot(ways[known.key], row[: known.size]))
                row = row[known.size :]
        return table

    def _rows(
        self,
        point: Point,
        known: RunVariable,
        base: Sequence[float],
        way: Sequence[float],
    ) -> list[list[float]]:
        """Return the unknowns with a known less, as it is, and greater."""
        self.subject.beat()
        size = _DIFFERENCE * known.scale(base[0])
        rows = []
        for sign in (-1.0, 0.0, 1.0):
            point.put(
                known, [b + sign * size * d for b, d in zip(base, way, strict=True)]
            )
            status, values = point.made.get(self.unknowns)
            rows.append(values if status <= 1 else [])
        point.put(known, base)
        return rows

    def _judged(
        self,
        known: RunVariable,
        function: str,
        got: Sequence[float],
        rows: Sequence[Sequence[float]],
        size: float,
    ) -> Iterator[Finding]:
        if not all(rows):
            return
        is_sum, first, seen = len(got) < len(rows[0]), 0, ""
        for k, v in enumerate(self.unknowns if is_sum else _cells(self.unknowns)):
            last = first + (v.size if is_sum else 1)
            weights = _weights(last - first)
            values = [_dot(weights, row[first:last]) for row in rows]
            first = last
            if v.key != known.key and v.name != seen:
                wrong = [
                    *judge_derivative(v, known.name, got[k], values, size, function)
                ]
                seen = v.name if wrong else ""
                yield from wrong


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
