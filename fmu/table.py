"""The table of variables that an FMU's C and XML are both rendered from.

A row is a variable and its value reference. It stands for one or, for the vectors of
FMI 3, several neighbouring addresses: inputs, outputs, parameters, states, their time
derivatives, event indicators, time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, TypeAlias, final

from packtwin.twin.errors import InterfaceError
from packtwin.twin.units import UNITS
from packtwin.twin.variable import Interface, Variable

__all__ = ["Kind", "Row", "Table", "make_table"]

Kind: TypeAlias = Literal[
    "input", "output", "parameter", "state", "derivative", "indicator", "time"
]

_NUMBER = re.compile(r"(?<=_)(\d+)(?=_|\Z)|\[(\d+)\]\Z")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One exported variable, as both templates need it.

    Attributes:
        size: Number of addresses.
        is_array: Whether it is a vector, also of size one.
        starts: One per address; empty where FMI allows none.
        derivative_of: Reference of the state whose derivative it is.
    """

    reference: int
    kind: Kind
    name: str
    unit: str
    variability: str
    description: str
    address: int
    size: int = 1
    is_array: bool = False
    initial: str = ""
    starts: tuple[float, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    nominal: float = 1.0
    derivative_of: int = -1

    @property
    def causality(self) -> str:
        """FMI's causality."""
        fixed = {"time": "independent", "input": "input", "output": "output"}
        return fixed.get(
            self.kind, "parameter" if self.kind == "parameter" else "local"
        )

    @property
    def c_kind(self) -> str:
        """Name of the kind in C."""
        if self.kind == "parameter":
            return f"PT_{self.variability.upper()}"
        return f"PT_{self.kind.upper()}"

    @property
    def index(self) -> int:
        """FMI 2's position, from 1."""
        return self.reference + 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows, by reference."""

    rows: tuple[Row, ...]

    def of_kind(self, kind: Kind) -> tuple[Row, ...]:
        """Return the rows of one kind."""
        return tuple(row for row in self.rows if row.kind == kind)

    def references(self, kind: Kind, positions: Iterable[int]) -> list[int]:
        """Return the references that hold positions within a kind, ascending."""
        rows = self.of_kind(kind)
        wanted = set(positions)
        first = rows[0].address if rows else 0
        return [
            row.reference
            for row in rows
            if wanted & set(range(row.address - first, row.address - first + row.size))
        ]


def make_table(
    interface: Interface,
    states: Sequence[Variable],
    events: Sequence[Variable],
    *,
    has_steps: bool,
    has_derivatives: bool,
    has_time: bool,
    has_arrays: bool,
) -> Table:
    """Return the table of an FMU.

    Args:
        interface: Inputs, outputs and parameters.
        states: What is shown of the states, as `state.NAME`.
        events: Whose indicators are shown, as `indicator.NAME`.
        has_steps: Whether outputs can be means over a step.
        has_derivatives: Whether the states' derivatives are variables too.
        has_time: Whether the time is a variable, as FMI 3 wants it.
        has_arrays: Whether to join neighbours numbered 1, 2, ... into vectors.

    Raises:
        InterfaceError: A start value or nominal is not finite, or a name is taken.
    """
    blocks: list[list[Row]] = [
        [_row("input", v) for v in interface.inputs],
        [_row("output", v, has_steps) for v in interface.outputs],
        [_row("parameter", v) for v in interface.parameters],
        [_row("state", v) for v in states],
        [_row("derivative", v) for v in states] if has_derivatives else [],
        [_row("indicator", v) for v in events],
    ]
    if has_arrays:
        taken = {row.name for block in blocks for row in block}
        blocks = [_joined(block, taken) for block in blocks]
    if has_time:
        blocks.append([_time()])
    rows: list[Row] = []
    address = 0
    for block in blocks:
        for row in block:
            rows.append(replace(row, reference=len(rows), address=address))
            address += row.size
    _refuse_twins(rows)
    first = {row.name: row.reference for row in rows if row.kind == "state"}
    for k, row in enumerate(rows):
        if row.kind == "derivative":
            state = first[row.name.removeprefix("der(").removesuffix(")")]
            rows[k] = replace(row, derivative_of=state)
    return Table(rows=tuple(rows))


def _refuse_twins(rows: Sequence[Row]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            msg = f"The name `{row.name}` is used twice in the FMU; make names unique."
            raise InterfaceError(msg)
        seen.add(row.name)


def _time() -> Row:
    return Row(
        reference=0,
        kind="time",
        name="time",
        unit="s",
        variability="continuous",
        description="Simulation time.",
        address=0,
    )


def _row(kind: Kind, v: Variable, has_steps: bool = False) -> Row:
    for label, value in (("start value", v.start), ("nominal", v.nominal)):
        if not math.isfinite(value):
            msg = f"`{v.name}` has the {label} {value}, expected a finite number."
            raise InterfaceError(msg)
    text, unit = v.description.strip(), v.unit
    if has_steps and v.sampling == "mean":
        text = f"{text} (mean over the step)".strip()
    names = {
        "state": f"state.{v.name}",
        "derivative": f"der(state.{v.name})",
        "indicator": f"indicator.{v.name}",
    }
    if kind == "derivative":
        text = "Time derivative of the state."
        unit = _rate_unit(unit)
    variability = "discrete" if v.variability == "discrete" else "continuous"
    if kind == "parameter":
        variability = "tunable" if v.variability == "tunable" else "fixed"
    is_settable = kind in ("input", "parameter")
    return Row(
        reference=0,
        kind=kind,
        name=names.get(kind, v.name),
        unit=unit,
        variability=variability,
        description=text,
        address=0,
        initial={"input": "", "parameter": "exact"}.get(kind, "calculated"),
        starts=(v.start,) if is_settable else (),
        minimum=-math.inf if kind in ("derivative", "indicator") else v.minimum,
        maximum=math.inf if kind in ("derivative", "indicator") else v.maximum,
        nominal=1.0 if kind in ("derivative", "indicator") else v.nominal,
    )


def _rate_unit(unit: str) -> str:
    """Return the known unit of a quantity per second; empty where there is none."""
    exponents = dict(UNITS[unit].exponents)
    exponents["s"] = exponents.get("s", 0) - 1
    exponents = {base: n for base, n in exponents.items() if n}
    factor = UNITS[unit].factor
    for name, known in UNITS.items():
        if (known.exponents, known.factor, known.offset) == (exponents, factor, 0.0):
            return name
    return ""


def _joined(rows: Sequence[Row], taken: set[str]) -> list[Row]:
    """Join neighbours whose names count up from 1 or 0 and are alike otherwise."""
    result: list[Row] = []
    for _, run in groupby(enumerate(rows), key=lambda item: _family(*item)):
        members = [row for _, row in run]
        name, number = _numbered(members[0].name)
        is_vector = len(members) > 1 and number in (0, 1) and name not in taken
        if not is_vector:
            result += members
            continue
        taken.add(name)
        starts = tuple(value for row in members for value in row.starts)
        result.append(
            replace(
                members[0], name=name, size=len(members), is_array=True, starts=starts
            )
        )
    return result


def _family(position: int, row: Row) -> tuple[object, ...]:
    stem, number = _numbered(row.name)
    if number < 0:
        return (row.name,)
    return (
        stem,
        position - number,
        *(row.unit, row.variability, row.minimum, row.maximum, row.nominal),
    )


def _numbered(name: str) -> tuple[str, int]:
    """Return a name without its last number, and the number; -1 if it has none."""
    inner = name.removeprefix("der(").removesuffix(")")
    matches = list(_NUMBER.finditer(inner))
    if not matches:
        return name, -1
    last = matches[-1]
    stem = inner[: last.start()] + inner[last.end() :]
    stem = stem.replace("__", "_").removesuffix("_")
    number = int(last.group(1) or last.group(2))
    return (f"der({stem})" if inner != name else stem), number
