"""`ModelStructure`: what depends on what, from the sparsity of the equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import casadi as ca

from packtwin.fmu.table import Kind, Row, Table
from packtwin.twin.feedthrough import (
    Dependencies,
    dependencies_at_start,
    dependencies_of_equations,
    dependencies_of_states,
)
from packtwin.twin.model import Model

__all__ = ["Structure", "Unknown", "structure_of"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A variable and the references of those it depends on."""

    row: Row
    knowns: list[int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """The lists of FMI's `ModelStructure`."""

    outputs: list[Unknown]
    derivatives: list[Unknown]
    indicators: list[Unknown]
    initial: list[Unknown]


def structure_of(
    table: Table,
    model: Model | None,
    known: Dependencies | None,
    at_events: Dependencies | None = None,
) -> Structure:
    """Return the structure of an FMU.

    Args:
        table: Its variables.
        model: The equations, if it exchanges them.
        known: Of the outputs of its steps, if it takes any.
        at_events: The same where events change outputs, if they do.
    """
    on_inputs = known.on_inputs if known else ()
    on_parameters = known.on_parameters if known else ()
    if model is None:
        return Structure(
            outputs=_joined(
                table, "output", at_events.on_inputs if at_events else on_inputs
            ),
            derivatives=[],
            indicators=[],
            initial=_joined(table, "output", on_inputs, on_parameters),
        )
    functions: dict[Kind, ca.Function] = {
        "output": model.outputs,
        "derivative": model.rhs,
    }
    if model.indicators is not None:
        functions["indicator"] = model.indicators
    lists: dict[Kind, list[Unknown]] = {"indicator": []}
    at_start = dependencies_of_states(model)
    initial = _joined(table, "state", at_start.on_inputs, at_start.on_parameters)
    for kind, function in functions.items():
        always = dependencies_of_equations(model, function)
        at_start = dependencies_at_start(model, function)
        inputs, first = tuple(pair[0] for pair in always), at_start.on_inputs
        parameters = at_start.on_parameters
        if kind == "output":  # of the steps or of the equations
            inputs = _union(inputs, on_inputs)
            first, parameters = (
                _union(first, on_inputs),
                _union(parameters, on_parameters),
            )
        states = [pair[1] for pair in always]
        lists[kind] = _joined(table, kind, inputs, (), states)
        if kind != "indicator":  # FMI lists those with the states only
            initial += _joined(table, kind, first, parameters)
    initial.sort(key=lambda unknown: unknown.row.reference)
    return Structure(
        outputs=lists["output"],
        derivatives=lists["derivative"],
        indicators=lists["indicator"],
        initial=initial,
    )


def _union(
    a: Sequence[tuple[int, ...]], b: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    if not b:
        return tuple(a)
    return tuple((*one, *two) for one, two in zip(a, b, strict=True))


def _joined(
    table: Table,
    kind: Kind,
    inputs: Sequence[tuple[int, ...]],
    parameters: Sequence[tuple[int, ...]] = (),
    states: Sequence[tuple[int, ...]] = (),
) -> list[Unknown]:
    """Return the unknowns of a kind; a vector depends on what any element does."""
    given: tuple[tuple[Kind, Sequence[tuple[int, ...]]], ...] = (
        ("input", inputs),
        ("parameter", parameters),
        ("state", states),
    )
    result, at = [], 0
    for row in table.of_kind(kind):
        span = range(at, at + row.size)
        at += row.size
        knowns: list[int] = []
        for name, rows in given:
            if rows:
                found = {k for i in span for k in rows[i]}
                knowns += table.references(name, found)
        result.append(Unknown(row=row, knowns=sorted(knowns)))
    return result
