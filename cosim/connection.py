"""`Port` and `Connection`: which output feeds which input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from packtwin.twin.errors import WiringError

__all__ = ["Connection", "Port"]


@final
@dataclass(frozen=True, slots=True, order=True)
class Port:
    """One input or output of a component, written `component.variable`."""

    component: str
    variable: str

    @classmethod
    def parse(cls, text: str) -> Port:
        """Read `component.variable`."""
        component, dot, variable = text.partition(".")
        if not (component and dot and variable):
            msg = (
                f"`{text}` is not a port; write `component.variable`, for example "
                "`pack.current_A`."
            )
            raise WiringError(msg)
        return cls(component, variable)

    def __str__(self) -> str:
        return f"{self.component}.{self.variable}"


@final
@dataclass(frozen=True, slots=True, init=False)
class Connection:
    """An output that feeds an input.

    Attributes:
        source: The output.
        target: The input.
        is_delayed: Carry the value the output had at the start of the step. This cuts
            an algebraic loop and lets a sampled controller see measured values.
    """

    source: Port
    target: Port
    is_delayed: bool

    def __init__(
        self, source: Port | str, target: Port | str, is_delayed: bool = False
    ) -> None:
        """Make a connection of ports or their names."""
        for name, port in (("source", source), ("target", target)):
            parsed = port if isinstance(port, Port) else Port.parse(port)
            object.__setattr__(self, name, parsed)
        object.__setattr__(self, "is_delayed", is_delayed)

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"
