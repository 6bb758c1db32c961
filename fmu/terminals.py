"""Terminals of an FMU: which variables make up a power or a heat connection.

Found by names and units: a current and a voltage with the same prefix are an electrical
pin pair, and a heat flow named by its way (`heat_cell_to_coolant_W`) with the
temperature of one of its ends (`coolant_temperature_K`) is a heat port.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from packtwin.twin.variable import Interface

__all__ = ["Member", "Terminal", "terminals_of"]

_HEAT = re.compile(r"heat_(\w+?)_to_(\w+)_W\Z")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A variable of a terminal, and its name there."""

    variable: str
    name: str
    kind: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A connection point."""

    name: str
    kind: str
    description: str
    members: tuple[Member, ...]


def terminals_of(interface: Interface) -> tuple[Terminal, ...]:
    """Return the terminals of an interface, electrical ones first."""
    names = (*interface.input_names, *interface.output_names)
    return (*_electrical(names), *_thermal(names))


def _electrical(names: tuple[str, ...]) -> Iterator[Terminal]:
    for name in names:
        match = re.fullmatch(r"(\w*?)_?voltage_V", name)
        if match is None:
            continue
        prefix = f"{match[1]}_" if match[1] else ""
        current = next(
            (
                found
                for found in (f"{prefix}current_A", f"{prefix}current_request_A")
                if found in names
            ),
            None,
        )
        if current is not None:
            yield Terminal(
                name=f"{prefix}electrical",
                kind="org.packtwin.electrical",
                description="Two poles; the current leaves the component's plus pole.",
                members=(
                    Member(variable=name, name="voltage", kind="signal"),
                    Member(variable=current, name="current", kind="outflow"),
                ),
            )


def _thermal(names: tuple[str, ...]) -> Iterator[Terminal]:
    for name in names:
        match = _HEAT.fullmatch(name)
        if match is None:
            continue
        for end in match.groups():
            temperature = f"{end}_temperature_K"
            if temperature in names:
                yield Terminal(
                    name=f"{end}_heat",
                    kind="org.packtwin.heat",
                    description=f"Heat from {match[1]} to {match[2]}.",
                    members=(
                        Member(variable=temperature, name="temperature", kind="signal"),
                        Member(
                            variable=name,
                            name="heat",
                            kind="inflow" if end == match[1] else "outflow",
                        ),
                    ),
                )
