"""`bound_monitor`: widens the bounds of a cell that its measured voltage contradicts.

A surrogate's bounds hold for the cell of its parameter set. Another cell, an old one or
one of another batch, has larger errors that nothing inside the surrogate can tell; its
measured voltage can. After every sample the logarithm of the factor rises if the error
was outside the widened bound, and else falls,

    s <- clip(s + rate (is_outside - (1 - level)), 0, log(largest factor)),

so that over a long run a share `level` of the errors is inside, whatever the cell: the
quantile tracker of A. N. Angelopoulos, E. J. Candes, R. J. Tibshirani, "Conformal PID
control for time series prediction", NeurIPS 36 (2023), doi:10.48550/arXiv.2307.16895,
after I. Gibbs, E. Candes, "Adaptive conformal inference under distribution shift",
NeurIPS 34 (2021), doi:10.48550/arXiv.2106.00170. After n samples the share outside is
at most `1 - level + s / (n rate)`. It never narrows a bound.

The plating potential cannot be measured. Its factor follows from a second, more careful
tracker of the voltage's errors. Its gain, and the voltage's rate, are such that 95 % of
the errors of 60 cells with parameters drawn within +-5 % (`trust.n_spread_run`) are
inside: what covers them, not what is guaranteed.

The law is written once, as expressions: sampled beside the cell in a coupled run, in C
in an FMU, and over recorded runs by `bound_factors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import names_to_symbols
from packtwin.twin.sampled import Sampled
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = [
    "BoundMonitorConfig",
    "bound_factors",
    "bound_monitor",
    "bound_monitor_step_map",
]

Array: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BoundMonitorConfig:
    """How fast and how far the bounds widen.

    Attributes:
        period_s: Time between two samples, > 0.
        voltage_level: Share of the voltage's errors to keep inside, in (0, 1).
        voltage_rate: Largest change of the logarithm of its factor, per sample, > 0.
        plating_level: That of the tracker behind the plating potential's factor.
        plating_rate: Likewise.
        plating_gain: Widening of the plating potential's bound over that tracker's.
        factor_maximum: No tracker goes beyond, > 1.
    """

    period_s: float = 1.0
    voltage_level: float = 0.95
    voltage_rate: float = 0.04
    plating_level: float = 0.995
    plating_rate: float = 0.05
    plating_gain: float = 2.5
    factor_maximum: float = 20.0

    def __post_init__(self) -> None:
        """Refuse numbers that no tracker works with."""
        for name, is_right, wanted in (
            ("voltage_level", 0.0 < self.voltage_level < 1.0, "between 0 and 1"),
            ("plating_level", 0.0 < self.plating_level < 1.0, "between 0 and 1"),
            ("voltage_rate", self.voltage_rate > 0.0, "more than 0"),
            ("plating_rate", self.plating_rate > 0.0, "more than 0"),
            ("plating_gain", self.plating_gain >= 0.0, "0 or more"),
            ("factor_maximum", self.factor_maximum > 1.0, "more than 1"),
        ):
            if not is_right:
                msg = (
                    f"`{name}` of a bound monitor is {getattr(self, name)}, expected "
                    f"{wanted}."
                )
                raise InterfaceError(msg)


_INTERFACE = Interface(
    inputs=(
        Variable(name="voltage_V", description="The surrogate's.", nominal=3.7),
        Variable(
            name="voltage_bound_V",
            description="What the surrogate states, not widened.",
            start=1.0,
            nominal=0.01,
        ),
        Variable(name="measured_voltage_V", description="The cell's.", nominal=3.7),
    ),
    outputs=(
        Variable(
            name="voltage_bound_factor",
            description="Multiplies the voltage's bound until the next sample.",
            start=1.0,
            minimum=1.0,
        ),
        Variable(
            name="plating_bound_factor",
            description="Multiplies the plating potential's bound.",
            start=1.0,
            minimum=1.0,
        ),
    ),
)


@cache
def bound_monitor_step_map(
    config: BoundMonitorConfig | None = None, *, name: str = "bound_monitor_law"
) -> StepMap:
    """Return the law as a step map: every step is one sample."""
    c = config or BoundMonitorConfig()
    memory = (
        Variable(name="voltage_log_factor"),
        Variable(name="plating_log_factor"),
    )
    t, h, p = ca.SX.sym("t"), ca.SX.sym("h"), ca.SX.sym("p", 0)
    s, logs = names_to_symbols(memory, "s")
    u, given = names_to_symbols(_INTERFACE.inputs, "u")
    error_V = ca.fabs(given["measured_voltage_V"] - given["voltage_V"])
    new = []
    for log, rate, level in (
        (logs["voltage_log_factor"], c.voltage_rate, c.voltage_level),
        (logs["plating_log_factor"], c.plating_rate, c.plating_level),
    ):
        is_outside = error_V > given["voltage_bound_V"] * ca.exp(log)
        moved = log + rate * (is_outside - (1.0 - level))
        new.append(ca.fmin(ca.fmax(moved, 0.0), float(np.log(c.factor_maximum))))
    factors = [ca.exp(new[0]), 1.0 + c.plating_gain * (ca.exp(new[1]) - 1.0)]
    return StepMap(
        name=name,
        interface=_INTERFACE,
        memory=memory,
        initialize=ca.Function(
            f"{name}_initialize", [u, p], [ca.SX.zeros(2), ca.SX.ones(2)]
        ),
        step=ca.Function(
            f"{name}_step", [s, t, h, u, p], [ca.vertcat(*new), ca.vertcat(*factors)]
        ),
    )


def bound_monitor(
    config: BoundMonitorConfig | None = None, *, name: str = "bound_monitor"
) -> Sampled:
    """Return the monitor as a sampled step map: for coupled runs and FMUs."""
    chosen = config or BoundMonitorConfig()
    law = bound_monitor_step_map(chosen, name=f"{name}_law")
    return Sampled(name=name, law=law, period_s=chosen.period_s)


def bound_factors(
    error_V: Array, bound_V: Array, config: BoundMonitorConfig | None = None
) -> tuple[Array, Array]:
    """Return the factors in force at each sample of a recorded run.

    Args:
        error_V: Measured less predicted voltage, shape `(n,)`, one per period.
        bound_V: What the surrogate stated, likewise.
        config: Of the monitor.

    Returns:
        Factors of the voltage's and the plating potential's bound, shape `(n,)` each:
        those that the samples before left behind, 1 at the first.
    """
    law, n = bound_monitor_step_map(config), len(error_V)
    factors = np.ones((2, n))
    if n > 1:
        u = np.stack([np.zeros(n), bound_V, error_V])[:, :-1]
        every = law.step.mapaccum("samples", n - 1)
        _, y = every([0.0, 0.0], 0.0, 1.0, u, ca.DM(0, 1))
        factors[:, 1:] = np.asarray(y)
    return factors[0], factors[1]
