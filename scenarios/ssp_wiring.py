"""From the links of an SSP to connections: units, transformations, arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from packtwin.cosim.connection import Connection, LinearMap
from packtwin.cosim.ssp_graph import Trace
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.start_values import find_variable
from packtwin.fmu.variable_map import MappedVariable
from packtwin.scenarios.ssp_parts import FmuPart
from packtwin.scenarios.ssp_units import line_between, line_through
from packtwin.twin.errors import WiringError
from packtwin.twin.units import UNITS

__all__ = ["DELAYED", "is_delayed", "raw_line", "wire"]

DELAYED = "packtwin.delayed"
"""Type of the annotation of connections that carry the value before the step."""


def is_delayed(trace: Trace) -> bool:
    """Whether a connection on the way is marked to carry old values."""
    mark = f'type="{DELAYED}"'.encode()
    return any(
        mark in element
        for connection in trace.connections
        for element in connection.kept.elements
    )


def wire(
    trace: Trace,
    ends: tuple[FmuPart, FmuPart],
    target_name: str,
    components: Mapping[str, FmuComponent],
) -> Iterator[Connection]:
    """Yield the connections that a trace stands for: one per element of an array.

    Raises:
        WiringError: Sizes or quantities do not fit, or a type is no signal.
    """
    source_part, target_part = ends
    source_name = trace.source.connector
    sources = _elements(
        components[source_part.name], "output", source_name, trace.source_indices
    )
    targets = _elements(
        components[target_part.name], "input", target_name, trace.target_indices
    )
    if len(sources) != len(targets):
        msg = (
            f"`{source_part.name}.{source_name}` has {len(sources)} elements, but "
            f"`{target_part.name}.{target_name}` has {len(targets)}; connect equal "
            "sizes, or single elements by their indices."
        )
        raise WiringError(msg)
    codes = source_part.items(source_name) | target_part.items(target_name)
    line = line_through(
        trace.hops, source_part.unit(source_name), target_part.unit(target_name), codes
    )
    delay = is_delayed(trace)
    for source, target in zip(sources, targets, strict=True):
        yield Connection(
            f"{source_part.name}.{source.variable.name}",
            f"{target_part.name}.{target.variable.name}",
            is_delayed=delay,
            linear=_in_our_units(line, source, target),
        )


def raw_line(
    connection: Connection, source: MappedVariable, target: MappedVariable
) -> tuple[float, float]:
    """Return `(factor, offset)` of a connection on the numbers of two FMUs."""
    if connection.linear is not None:
        factor, offset = connection.linear.factor, connection.linear.offset
    else:
        units = UNITS[source.variable.unit], UNITS[target.variable.unit]
        factor, offset = line_between(*units)
    return (
        factor * source.factor / target.factor,
        (factor * source.offset + offset - target.offset) / target.factor,
    )


def _in_our_units(
    line: tuple[float, float], source: MappedVariable, target: MappedVariable
) -> LinearMap | None:
    """Return a line on the FMUs' numbers as one on ours; None where it is usual."""
    factor = target.factor * line[0] / source.factor
    offset = (
        target.factor * (line[1] - line[0] * source.offset / source.factor)
        + target.offset
    )
    ours, theirs = source.variable.unit, target.variable.unit
    if UNITS[ours].is_convertible_to(UNITS[theirs]):
        step, shift = line_between(UNITS[ours], UNITS[theirs])
        size = abs(source.offset) + abs(target.offset) + abs(line[1]) + abs(shift)
        is_plain = math.isclose(factor, step, rel_tol=1e-14)
        if is_plain and abs(offset - shift) <= 1e-14 * size:
            return None
    return LinearMap(factor, offset)


def _elements(
    component: FmuComponent, role: str, name: str, indices: tuple[int, ...]
) -> list[MappedVariable]:
    """Return the elements of a variable that a connection means."""
    mapped = component.mapped.inputs if role == "input" else component.mapped.outputs
    found = [item for item in mapped if item.fmu_name == name]
    if not found:
        scalar = find_variable(component.file.description, name, component.file.path)
        msg = (
            f"`{component.name}.{name}` is a {scalar.causality} of type {scalar.type}; "
            f"expected an {role} that is a number. Remove the connection."
        )
        raise WiringError(msg)
    if not indices:
        return found
    scalar = find_variable(component.file.description, name, component.file.path)
    shape = component.starts.shape(scalar)
    if len(indices) != len(shape) or not all(
        1 <= i <= n for i, n in zip(indices, shape, strict=True)
    ):
        msg = (
            f"`{component.name}.{name}` has no element {list(indices)}; its sizes are "
            f"{list(shape)}, and indices count from 1."
        )
        raise WiringError(msg)
    place = 0
    for index, size in zip(indices, shape, strict=True):
        place = place * size + index - 1
    return [found[place]]
