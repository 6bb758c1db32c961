"""Probes of derivatives, directional and adjoint, against central differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.point import Place, Point, cells, initializing
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = [
    "judge_derivative",
    "probe_derivatives",
    "wrong_derivatives",
]

_DERIVATIVE_TOLERANCE = 1e-4
_ASIDE = 0.037  # of an input's size
_UNLIKE = 1e-2
_CHANGES = (-1.0, 0.0, 1.0, -3.7, 3.7)  # no multiples: noise comes in quanta
_DIFFERENCE = 1e-4  # of a known's size
_CAPABILITIES = ("providesDirectionalDerivatives", "providesAdjointDerivatives")
_DIRECTIONAL, _ADJOINT = "GetDirectionalDerivative", "GetAdjointDerivative"


def probe_derivatives(subject: Subject) -> Iterator[Finding]:
    """Derivatives at the start are those of central differences."""
    if subject.is_exchange:
        return
    keys = subject.unknowns("InitialUnknowns")
    outputs = [v for v in subject.outputs() if v.key in keys]
    # FMI lets a slave provide them at communication points only.
    yield from wrong_derivatives(
        subject, initializing, subject.inputs(), outputs, may_refuse=True
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
    slopes = _Slopes(
        subject=subject,
        place=place,
        knowns=[v for v in knowns if v.is_double],
        unknowns=[v for v in unknowns if v.is_double],
        may_refuse=may_refuse,
    )
    first = list(slopes.wrong(0.0))
    if first:
        again = {(known, f.rule, f.variable) for known, f in slopes.wrong(_ASIDE)}
        yield from (f for known, f in first if (known, f.rule, f.variable) in again)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Slopes:
    """Derivatives of all unknowns by all knowns, as the FMU says and as they are."""

    subject: Subject
    place: Place
    knowns: list[RunVariable]
    unknowns: list[RunVariable]
    may_refuse: bool

    def wrong(self, share: float) -> Iterator[tuple[str, Finding]]:
        """Yield known and finding of what differs with all inputs moved by a share."""
        is_directional, is_adjoint = (bool(self.subject.flag(f)) for f in _CAPABILITIES)
        if not self.unknowns or not (is_directional or is_adjoint):
            return
        with self.place(self.subject) as made:
            self.subject.set_near(made, self.subject.inputs(), share)
            point = Point(self.subject, made)
            bases = {v.key: point.values(v) for v in self.knowns}
            knowns = [v for v in self.knowns if bases[v.key]]
            sums = self._sums(made, knowns, bases) if is_adjoint else {}
            if sums is None:
                yield from self._refused(_ADJOINT)
                return
            for known in self.subject.in_time(knowns):
                way = _direction(known, bases[known.key])
                column: list[float] | None = []
                if is_directional:
                    column = made.differentiate(
                        _DIRECTIONAL, self.unknowns, [known], way
                    )
                if column is None:
                    yield from self._refused(_DIRECTIONAL)
                    return
                rows = self._rows(point, known, bases[known.key])
                size = _DIFFERENCE * known.scale(bases[known.key][0])
                said = {key: row[knowns.index(known)] for key, row in sums.items()}
                if all(rows):
                    for found in self._judged(known, column, said, rows, size):
                        yield known.name, found

    def _refused(self, function: str) -> Iterator[tuple[str, Finding]]:
        if not self.may_refuse:
            message = f"It is refused: {self.subject.calls.journal.reason()}"
            name = self.subject.named(function)
            yield "", Finding(rule="capability-lies", message=message, variable=name)

    def _sums(
        self,
        made: Instance,
        knowns: list[RunVariable],
        bases: Mapping[int, list[float]],
    ) -> dict[int, list[float]] | None:
        """Return adjoint derivatives along the way of each known, by unknown.

        They are those of the weighted sum of its elements; nothing if they are refused.
        """
        found: dict[int, list[float]] = {}
        for v in self.subject.in_time(self.unknowns):
            row = made.differentiate(_ADJOINT, [v], knowns, _weights(v.size))
            if row is None:
                return None
            found[v.key] = []
            for known in knowns:
                way = _direction(known, bases[known.key])
                found[v.key].append(_dot(way, row[: known.size]))
                row = row[known.size :]
        return found

    def _rows(
        self, point: Point, known: RunVariable, base: Sequence[float]
    ) -> list[list[float]]:
        """Return the unknowns with a known changed as `_CHANGES` says."""
        size = _DIFFERENCE * known.scale(base[0])
        steps = [size * d for d in _direction(known, base)]
        rows = []
        for change in (*_CHANGES, 0.0):
            point.put(known, [b + change * d for b, d in zip(base, steps, strict=True)])
            status, values = point.made.get(self.unknowns)
            rows.append(values if status <= 1 else [])
        return rows[:-1]

    def _judged(
        self,
        known: RunVariable,
        column: Sequence[float],
        said: Mapping[int, float],
        rows: Sequence[Sequence[float]],
        size: float,
    ) -> Iterator[Finding]:
        seen, first = "", 0
        for k, v in enumerate(cells(self.unknowns) if column else ()):
            if v.key == known.key or v.name == seen:
                continue
            values = [row[k] for row in rows]
            wrong = list(judge_derivative(v, known.name, column[k], values, size))
            seen = v.name if wrong else seen
            yield from wrong
        for v in self.unknowns:
            part = slice(first, first + v.size)
            first += v.size
            if v.key not in said or v.key == known.key:
                continue
            values = [_dot(_weights(v.size), row[part]) for row in rows]
            got = said[v.key]
            yield from judge_derivative(v, known.name, got, values, size, _ADJOINT)


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
    values: Sequence[float],
    size: float,
    function: str = _DIRECTIONAL,
) -> Iterator[Finding]:
    """Yield a finding if a derivative is not the central difference.

    There is none to compare with at a kink, where the differences to both sides are not
    alike, and in the noise of rounding or of a solver, where those of another size are
    not.

    Args:
        v: The unknown.
        known: Name of the known.
        got: What the FMU says.
        values: Of the unknown, with the known changed as `_CHANGES` says.
        size: By how much for a change of 1.
        function: What said so.
    """
    below, here, above, far_below, far_above = values
    want = (above - below) / (2.0 * size)
    wide = (far_above - far_below) / (2.0 * _CHANGES[-1] * size)
    noise = 1e-13 * max(abs(below), abs(above), abs(v.nominal)) / size
    bound = _DERIVATIVE_TOLERANCE * max(abs(want), abs(got)) + noise
    if abs(got - want) <= bound:
        return
    sides = (above - here) / size, (here - below) / size
    for one, other in (sides, (want, wide)):
        if abs(one - other) > _UNLIKE * max(abs(one), abs(other)) + 2.0 * noise:
            return
    message = (
        f"Its derivative to `{known}` is {got:.9g} by {function}, differences say "
        f"{want:.9g}."
    )
    yield Finding(rule="derivative-wrong", message=message, variable=v.name)
