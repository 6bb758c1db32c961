"""`PowerBond`: two signals whose product is a power, and what the coupling loses of it.

Between two communication points the two sides of a bond do not see the same signals.
What one gives and the other does not get is energy made by the coupling, not by the
physics: S. Sadjina, L. T. Kyllingstad, S. Skjong, E. Pedersen, Eng. Comput. 33 (2017)
607-620, doi:10.1007/s00366-016-0492-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection, Port
from packtwin.cosim.system import System
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError, WiringError

__all__ = ["BondAccount", "PowerBond"]

Vector: TypeAlias = NDArray[np.float64]

_WINDOW = 10  # steps
_GROWTH, _WINDOW_COUNT = 5.0, 3  # that much in so many windows in a row is unstable
_NOTABLE = 0.5  # of the energy exchanged


@final
@dataclass(frozen=True, slots=True, init=False)
class PowerBond:
    """An effort that one component gives and a flow that the other gives back.

    Attributes:
        name: Of its series `name.energy_J` and `name.residual_J` in a result.
        effort: Output, for example a force, a voltage or a temperature.
        flow: Output, so that effort times flow is a power in W.
    """

    name: str
    effort: Port
    flow: Port

    def __init__(self, name: str, *, effort: Port | str, flow: Port | str) -> None:
        """Name the two outputs, which must feed each other's components."""
        object.__setattr__(self, "name", name)
        for key, port in (("effort", effort), ("flow", flow)):
            parsed = port if isinstance(port, Port) else Port.parse(port)
            object.__setattr__(self, key, parsed)

    def connections(self, system: System) -> tuple[Connection, Connection]:
        """Return the connections that carry effort and flow.

        Raises:
            WiringError: One of them does not feed the other's component.
        """
        found = []
        for source, target in ((self.effort, self.flow), (self.flow, self.effort)):
            system.output(source)
            feeds = [c for c in system.connections if c.source == source]
            across = [c for c in feeds if c.target.component == target.component]
            if not across:
                msg = (
                    f"The power bond `{self.name}` needs `{source}` to feed "
                    f"`{target.component}`, but it does not; connect it or choose "
                    "other ports."
                )
                raise WiringError(msg)
            found.append(across[0])
        return found[0], found[1]


@final
class BondAccount:
    """What one bond has carried and lost so far in a run.

    Attributes:
        bond: Which.
        effort: The connection that carries the effort.
        flow: The connection that carries the flow.
        energy_J: Carried, as the side that gives the effort sees it.
        residual_J: The difference between the two sides.
    """

    def __init__(self, bond: PowerBond, system: System) -> None:
        """Open the account."""
        self.bond = bond
        self.effort, self.flow = bond.connections(system)
        self.clear()

    def clear(self) -> None:
        """Start over."""
        self.energy_J = self.residual_J = 0.0
        self._lost, self._carried, self._count = 0.0, 0.0, 0
        self._last_lost, self._grown = 0.0, 0

    def save(self) -> tuple[float, ...]:
        """Return what `restore` needs."""
        counts = (self._last_lost, float(self._grown), float(self._count))
        return self.energy_J, self.residual_J, self._lost, self._carried, *counts

    def restore(self, state: tuple[float, ...]) -> None:
        """Go back."""
        self.energy_J, self.residual_J, self._lost, self._carried = state[:4]
        self._last_lost, self._grown, self._count = (
            state[4],
            int(state[5]),
            int(state[6]),
        )

    def add(
        self, effort: tuple[Vector, Vector], flow: tuple[Vector, Vector], h: float
    ) -> None:
        """Book one step of `h` seconds.

        Args:
            effort: As given and as it arrived, Taylor rows of shape `(m,)`.
            flow: The same.
            h: Length of the step, s.
        """
        gives = _integral(effort[0], flow[1], h)
        gets = _integral(effort[1], flow[0], h)
        self.energy_J += gives
        self.residual_J += gives - gets
        self._lost += abs(gives - gets)
        self._carried += 0.5 * (abs(gives) + abs(gets))
        self._count += 1

    def check(self, tick: int) -> None:
        """See whether the coupling makes ever more energy.

        Raises:
            StepError: It does; the coupling is unstable.
        """
        if self._count < _WINDOW:
            return
        is_grown = self._lost > _GROWTH * self._last_lost > 0.0
        is_notable = self._lost > _NOTABLE * self._carried
        self._grown = self._grown + 1 if is_grown and is_notable else 0
        self._last_lost = self._lost
        self._lost, self._carried, self._count = 0.0, 0.0, 0
        if self._grown < _WINDOW_COUNT:
            return
        reason = (
            f"the coupling across `{self.bond.name}` ({self.effort}; {self.flow}) is "
            f"unstable: the energy it makes has grown {_GROWTH:g} times in each of the "
            f"last {_WINDOW_COUNT} windows of {_WINDOW} steps, to "
            f"{self._last_lost:.3g} J"
        )
        msg = f"At {seconds(tick):.9g} s {reason}. Take a shorter step or `Iterated`."
        name = self.effort.target.component
        raise StepError(msg, component=name, time_s=seconds(tick), reason=reason)


def _integral(first: Vector, second: Vector, h: float) -> float:
    """Return the integral of the product of two polynomials over `h`."""
    return sum(
        float(a * b) * h ** (i + j + 1) / (factorial(i) * factorial(j) * (i + j + 1))
        for i, a in enumerate(first)
        for j, b in enumerate(second)
    )
