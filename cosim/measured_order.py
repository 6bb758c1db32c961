"""`measured_order`: the order of steps that delays the weakest couplings.

Where components depend on each other in a ring, something must see old values. A trial
at the start of the run measures what each connection would do if it carried the value
at the start of the step: how far its signal moves in a step, and how far that moves the
outputs of whoever listens, as a fraction of their size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.abstract_stepper import StepOrder
from packtwin.cosim.connection import Connection
from packtwin.cosim.slot import Slot, describe
from packtwin.cosim.stepper import Stepper
from packtwin.cosim.system import System
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus

__all__ = ["lagged_connections", "measured_order"]

Vector: TypeAlias = NDArray[np.float64]
Weights: TypeAlias = Mapping[tuple[str, str], float]

_LARGEST_GROUP = 10  # all orders of a ring are compared, by their sets
_TRIAL_STEPS = 3
_WORTH = 0.9  # of the declared order's cost; what is measured depends a little on it


def lagged_connections(system: System, order: Sequence[str]) -> tuple[Connection, ...]:
    """Return the connections that carry old values if components step in this order."""
    rank = {name: i for i, name in enumerate(order)}
    return tuple(
        c
        for c in system.connections
        if c.is_delayed or rank[c.source.component] >= rank[c.target.component]
    )


def measured_order(
    system: System, declared: StepOrder, ticks: Sequence[int]
) -> StepOrder:
    """Return the best order, or the declared one with a remark that says why.

    Args:
        system: What to step; it is left started and must be initialized again.
        declared: The order without measuring.
        ticks: First communication points of the run.
    """
    groups = system.groups
    largest = max(len(group) for group in groups)
    rigid = [c.name for c in system.components if not c.capabilities.can_rewind]
    reason = ""
    if largest == 1:
        reason = "there is no ring"
    elif largest > _LARGEST_GROUP:
        reason = f"a ring of more than {_LARGEST_GROUP} components"
    elif rigid:
        reason = f"{', '.join(rigid)} cannot rewind"
    elif len(ticks) <= _TRIAL_STEPS:
        reason = f"the run has fewer than {_TRIAL_STEPS} steps"
    if not reason:
        try:
            weights = _weights(Stepper(system, declared), system, ticks)
        except StepError as error:
            reason = f"the trial failed: {error.reason}"
    if reason:
        return _with_remark(system, declared.components, f"declared: {reason}")
    order = tuple(name for group in groups for name in _best(group, weights))
    now, before = _cost(order, weights), _cost(declared.components, weights)
    remark = f"measured: delays {now:.2g} a step, declared {before:.2g}"
    return _with_remark(system, order, remark)


def _with_remark(system: System, order: tuple[str, ...], remark: str) -> StepOrder:
    lagged = lagged_connections(system, order)
    return StepOrder(components=order, lagged=lagged, remark=remark)


def _weights(stepper: Stepper, system: System, ticks: Sequence[int]) -> Weights:
    """Return what a delay would do, by source and target component."""
    stepper.initialize(ticks[0])
    spans = list(pairwise(ticks[: _TRIAL_STEPS + 1]))
    rows = []
    for span in spans[:-1]:
        rows.append(stepper.values.copy())
        stepper.advance(*span)
    moves = np.abs(stepper.values - rows[-1])
    found: dict[tuple[str, str], float] = {}
    places = {name: i for i, name in enumerate(system.output_names)}
    for slot in stepper.slots:
        component, name = slot.component, slot.component.name
        sizes = np.array([v.nominal for v in slot.outputs])
        sizes = np.maximum(sizes, np.abs(stepper.values[slot.target]))
        saved, u = component.save(), slot.u.copy()
        plain = _tried(slot, saved, spans[-1], u)
        for c in system.connections:
            if c.target.component != name or c.is_delayed:
                continue
            i = slot.input_names.index(c.target.variable)
            moved = u.copy()
            moved[i] += slot.factor(i) * moves[places[str(c.source)]]
            effect = np.abs(_tried(slot, saved, spans[-1], moved) - plain) / sizes
            pair = (c.source.component, name)
            found[pair] = found.get(pair, 0.0) + float(effect.max(initial=0.0))
    return found


def _tried(slot: Slot, saved: Any, span: tuple[int, int], inputs: Vector) -> Vector:
    """Take a step with other inputs and go back; return its outputs."""
    try:
        report = slot.component.step(*span, inputs)
        slot.component.restore(saved)
    except Exception as error:  # whatever a component raises
        raise slot.failure(*span, describe(error)) from error
    if report.status is not StepStatus.OK or not np.isfinite(report.outputs).all():
        raise slot.failure(*span, slot.reason(span[1], report, report.outputs))
    return report.outputs.copy()


def _cost(order: Sequence[str], weights: Weights) -> float:
    rank = {name: i for i, name in enumerate(order)}
    return sum(w for (a, b), w in weights.items() if rank[a] > rank[b])


def _best(group: tuple[str, ...], weights: Weights) -> tuple[str, ...]:
    """Return the cheapest order of a group, by sets of those that have stepped.

    The declared order stays if that one is hardly cheaper.
    """
    n = len(group)
    costs: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for done in range(1, 1 << n):
        costs[done] = min(
            (
                before[0]
                + sum(weights.get((group[k], group[j]), 0.0) for j in before[1]),
                (*before[1], k),
            )
            for k in range(n)
            if done >> k & 1
            for before in (costs[done & ~(1 << k)],)
        )
    best = tuple(group[k] for k in costs[(1 << n) - 1][1])
    is_worth_it = _cost(best, weights) < _WORTH * _cost(group, weights)
    return best if is_worth_it else group
