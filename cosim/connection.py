"""`Port`, `Connection` and `LinearMap`: which output feeds which input, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from packtwin.twin.errors import WiringError

__all__ = ["Connection", "LinearMap", "Port"]


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
@dataclass(frozen=True, slots=True)
class LinearMap:
    """`target = factor * source + offset` on plain numbers, each in its own unit."""

    factor: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is not finite or has no way back."""
        is_finite = math.isfinite(self.factor) and math.isfinite(self.offset)
        if not is_finite or self.factor == 0.0:
            msg = (
                f"A linear map has factor {self.factor} and offset {self.offset}; "
                "expected finite numbers, the factor not 0 (give a constant instead)."
            )
            raise WiringError(msg)


@final
@dataclass(frozen=True, slots=True, init=False)
class Connection:
    """An output that feeds an input.

    Attributes:
        source: The output.
        target: The input.
        is_delayed: Carry the value the output had at the start of the step. This cuts
            an algebraic loop and lets a sampled controller see measured values.
        linear: What happens to the number on its way, in place of the conversion of
            units; the two ports may then measure different quantities.
    """

    source: Port
    target: Port
    is_delayed: bool
    linear: LinearMap | None

    def __init__(
        self,
        source: Port | str,
        target: Port | str,
        is_delayed: bool = False,
        *,
        linear: LinearMap | None = None,
    ) -> None:
        """Make a connection of ports or their names."""
        for name, port in (("source", source), ("target", target)):
            parsed = port if isinstance(port, Port) else Port.parse(port)
            object.__setattr__(self, name, parsed)
        object.__setattr__(self, "is_delayed", is_delayed)
        object.__setattr__(self, "linear", linear)

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"
