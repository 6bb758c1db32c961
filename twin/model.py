"""`Model`: the equations, once.

Everything that needs equations (integration, FMUs, MPC, linearisation) starts here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError
from packtwin.twin.variable import Interface, Variable

__all__ = ["Model", "model_from_expressions", "names_to_symbols"]

Symbol: TypeAlias = Any  # casadi.SX or casadi.MX


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Ordinary differential equations with named, physical states.

    With continuous states `x`, inputs `u` and parameters `p` (column vectors in the
    order of the variables):

        dx/dt = rhs(t, x, u, p)
        y     = outputs(t, x, u, p)
        x(0)  = initial(u, p)

    Attributes:
        name: C identifier.
        interface: Inputs, outputs and parameters.
        states: The continuous states.
        rhs: `casadi.Function (t, x, u, p) -> (dx,)`.
        outputs: `casadi.Function (t, x, u, p) -> (y,)`.
        initial: `casadi.Function (u, p) -> (x,)`.
        relaxation: Optional `casadi.Function (t, x, u, p) -> (rate,)`, the diagonal of
            the Jacobian of `rhs` in 1/s, where a cheap expression is known; the
            exponential scheme differentiates `rhs` where it is not.
    """

    name: str
    interface: Interface
    states: tuple[Variable, ...]
    rhs: ca.Function
    outputs: ca.Function
    initial: ca.Function
    relaxation: ca.Function | None = None

    def __post_init__(self) -> None:
        """Check that the functions have the sizes that the variables promise."""
        if not self.name.isidentifier():
            msg = f"Model name `{self.name}` is not a C identifier."
            raise InterfaceError(msg)
        n_x, n_u = len(self.states), len(self.interface.inputs)
        n_p, n_y = len(self.interface.parameters), len(self.interface.outputs)
        wanted = {
            "rhs": (self.rhs, (1, n_x, n_u, n_p), n_x),
            "outputs": (self.outputs, (1, n_x, n_u, n_p), n_y),
            "initial": (self.initial, (n_u, n_p), n_x),
        }
        if self.relaxation is not None:
            wanted["relaxation"] = (self.relaxation, (1, n_x, n_u, n_p), n_x)
        for label, (function, sizes_in, size_out) in wanted.items():
            got = tuple(function.numel_in(i) for i in range(function.n_in()))
            if got != sizes_in or function.numel_out(0) != size_out:
                msg = (
                    f"`{label}` of model `{self.name}` has sizes {got} -> "
                    f"{function.numel_out(0)}, expected {sizes_in} -> {size_out}."
                )
                raise InterfaceError(msg)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states in vector order."""
        return tuple(variable.name for variable in self.states)

    def start_vectors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the start values of inputs and parameters as vectors."""
        return (
            np.array([v.start for v in self.interface.inputs], dtype=float),
            np.array([v.start for v in self.interface.parameters], dtype=float),
        )


def names_to_symbols(
    variables: tuple[Variable, ...], label: str, kind: Any = ca.SX
) -> tuple[Symbol, dict[str, Symbol]]:
    """Return a symbol vector and its entries by variable name."""
    vector = kind.sym(label, len(variables))
    return vector, {v.name: vector[i] for i, v in enumerate(variables)}


def model_from_expressions(  # noqa: PLR0913 (one argument per part of the definition)
    name: str,
    interface: Interface,
    states: tuple[Variable, ...],
    *,
    symbols: tuple[Symbol, Symbol, Symbol, Symbol],
    rhs: dict[str, Symbol],
    outputs: dict[str, Symbol],
    initial: dict[str, Symbol],
    relaxation: dict[str, Symbol] | None = None,
) -> Model:
    """Build a `Model` from expressions by variable name.

    Args:
        name: C identifier.
        interface: Inputs, outputs and parameters.
        states: The continuous states.
        symbols: `(t, x, u, p)` column symbols that the expressions use.
        rhs: Time derivative of every state.
        outputs: Expression of every output.
        initial: Start value of every state, in terms of `u` and `p`.
        relaxation: Diagonal of the Jacobian by state, 1/s; see `Model`.
    """
    t, x, u, p = symbols

    def stack(table: dict[str, Symbol], variables: tuple[Variable, ...]) -> Symbol:
        names = [v.name for v in variables]
        if set(names) != set(table):
            extra, lack = set(table) - set(names), set(names) - set(table)
            msg = f"Model `{name}`: expressions missing {lack}, not declared {extra}."
            raise InterfaceError(msg)
        return ca.densify(ca.vertcat(*[table[n] for n in names]))

    return Model(
        name=name,
        interface=interface,
        states=states,
        rhs=ca.Function(f"{name}_rhs", [t, x, u, p], [stack(rhs, states)]),
        outputs=ca.Function(
            f"{name}_outputs", [t, x, u, p], [stack(outputs, interface.outputs)]
        ),
        initial=ca.Function(f"{name}_initial", [u, p], [stack(initial, states)]),
        relaxation=None
        if relaxation is None
        else ca.Function(
            f"{name}_relaxation", [t, x, u, p], [stack(relaxation, states)]
        ),
    )
