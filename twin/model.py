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
from packtwin.twin.lookup import Lookup
from packtwin.twin.variable import Interface, Variable

__all__ = ["Model", "model_from_expressions", "names_to_symbols"]

Symbol: TypeAlias = Any  # casadi.SX or casadi.MX


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Semi-explicit differential-algebraic equations with named, physical states.

    With continuous states `x`, algebraic states `z`, inputs `u` and parameters `p`
    (column vectors in the order of the variables):

        dx/dt = rhs(t, x, z, u, p)          x(0) = initial(u, p)[0]
        0     = algebraic(t, x, z, u, p)    z(0) near initial(u, p)[1]
        y     = outputs(t, x, z, u, p)

    The mass matrix of `x` is the identity and the algebraic equations determine `z`
    (index 1). Without algebraic states `z` is empty and `algebraic` is None.

    Attributes:
        name: C identifier.
        interface: Inputs, outputs and parameters.
        states: The continuous states.
        rhs: `casadi.Function (t, x, z, u, p) -> (dx,)`.
        outputs: `casadi.Function (t, x, z, u, p) -> (y,)`.
        initial: `casadi.Function (u, p) -> (x, z)`; `z` is a guess.
        relaxation: Optional `casadi.Function (t, x, z, u, p) -> (rate,)`, the diagonal
            of the Jacobian of `rhs` in 1/s, where a cheap expression is known; the
            exponential scheme differentiates `rhs` where it is not.
        algebraic_states: The algebraic states.
        algebraic: `casadi.Function (t, x, z, u, p) -> (residual,)`, one per `z`.
        events: What each indicator watches; its description says what happened.
        indicators: `casadi.Function (t, x, z, u, p) -> (g,)`, one per event, positive
            where the model holds; the event happens when it reaches zero from above.
        lookups: Tables that the functions call as `casadi.Function` of that name.
    """

    name: str
    interface: Interface
    states: tuple[Variable, ...]
    rhs: ca.Function
    outputs: ca.Function
    initial: ca.Function
    relaxation: ca.Function | None = None
    algebraic_states: tuple[Variable, ...] = ()
    algebraic: ca.Function | None = None
    events: tuple[Variable, ...] = ()
    indicators: ca.Function | None = None
    lookups: tuple[Lookup, ...] = ()

    def __post_init__(self) -> None:
        """Check that the functions have the sizes that the variables promise."""
        if not self.name.isidentifier():
            msg = f"Model name `{self.name}` is not a C identifier."
            raise InterfaceError(msg)
        n_x, n_z = len(self.states), len(self.algebraic_states)
        n_u, n_p = len(self.interface.inputs), len(self.interface.parameters)
        sizes_in = (1, n_x, n_z, n_u, n_p)
        wanted = {
            "rhs": (self.rhs, sizes_in, (n_x,)),
            "outputs": (self.outputs, sizes_in, (len(self.interface.outputs),)),
            "initial": (self.initial, (n_u, n_p), (n_x, n_z)),
        }
        if self.relaxation is not None:
            wanted["relaxation"] = (self.relaxation, sizes_in, (n_x,))
        if self.algebraic is not None:
            wanted["algebraic"] = (self.algebraic, sizes_in, (n_z,))
        if self.indicators is not None:
            wanted["indicators"] = (self.indicators, sizes_in, (len(self.events),))
        for label, (function, expected_in, expected_out) in wanted.items():
            got_in = tuple(function.numel_in(i) for i in range(function.n_in()))
            got_out = tuple(function.numel_out(i) for i in range(function.n_out()))
            if (got_in, got_out) != (expected_in, expected_out):
                msg = (
                    f"`{label}` of model `{self.name}` has sizes {got_in} -> "
                    f"{got_out}, expected {expected_in} -> {expected_out}."
                )
                raise InterfaceError(msg)
        for label, names, given in (
            ("algebraic", self.algebraic_states, self.algebraic),
            ("indicators", self.events, self.indicators),
        ):
            if bool(names) != (given is not None):
                msg = f"Model `{self.name}` names {len(names)} for `{label}`, " + (
                    "which must be given exactly when there are any."
                )
                raise InterfaceError(msg)

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
    """Build a `Model` without algebraic states from expressions by variable name.

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
    arguments = [t, x, type(x).sym("z", 0), u, p]

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
        rhs=ca.Function(f"{name}_rhs", arguments, [stack(rhs, states)]),
        outputs=ca.Function(
            f"{name}_outputs", arguments, [stack(outputs, interface.outputs)]
        ),
        initial=ca.Function(
            f"{name}_initial", [u, p], [stack(initial, states), type(x)(0, 1)]
        ),
        relaxation=None
        if relaxation is None
        else ca.Function(f"{name}_relaxation", arguments, [stack(relaxation, states)]),
    )
