"""A discretised PyBaMM model as CasADi expressions of physical states.

The states replace PyBaMM's scaled ones inside the expressions wherever PyBaMM writes
`reference + scale * y`, so that scales and references cancel exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import casadi as ca
import pybamm

from packtwin.pybamm_models.physics_lookup import LookupTable, interpolants
from packtwin.pybamm_models.physics_states import (
    Field,
    fields_of,
    ordered,
    pybamm_order,
)
from packtwin.twin.lookup import Lookup

__all__ = ["Equations", "equations_of"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Equations:
    """CasADi expressions in the symbols `t, x, z` and those of the inputs.

    `scales` and `initial` list every scalar of `x`, then of `z`, in our order.
    """

    t: ca.MX
    x: ca.MX
    z: ca.MX
    fields: tuple[Field, ...]
    rhs: ca.MX
    algebraic: ca.MX
    outputs: ca.MX
    indicators: ca.MX
    initial: ca.MX
    scales: ca.MX
    lookups: tuple[Lookup, ...]


@final
class _Converter:
    """Converts PyBaMM expressions, each part of them once."""

    def __init__(self, t: ca.MX, inputs: Mapping[str, ca.MX]) -> None:
        self._t, self._inputs = t, dict(inputs)
        self._y: ca.MX | None = None
        self._cache: dict[Any, ca.MX] = {}
        self.tables = LookupTable()

    def set_states(self, y: ca.MX) -> None:
        """Give PyBaMM's scaled vector, for whatever is not substituted."""
        self._y = y

    def substitute(self, symbol: Any, value: ca.MX) -> None:
        """Use `value` wherever `symbol` appears."""
        self._cache[symbol] = value

    def convert(self, symbol: Any) -> ca.MX:
        """Return `symbol` in CasADi, tables as calls of lookups."""
        for node in interpolants([symbol]):
            if node not in self._cache:
                argument = ca.vec(ca.MX(self._convert(node.children[0])))
                self._cache[node] = self.tables.call(node, argument)
        return ca.MX(self._convert(symbol))

    def _convert(self, symbol: Any) -> Any:
        return symbol.to_casadi(
            self._t, self._y, inputs=self._inputs, casadi_symbols=self._cache
        )


def equations_of(
    model: Any,
    discretisation: Any,
    inputs: Mapping[str, ca.MX],
    outputs: tuple[str, ...],
    events: tuple[Any, ...],
) -> Equations:
    """Convert a discretised model.

    Args:
        model: Discretised `pybamm` model.
        discretisation: The `pybamm.Discretisation` that made it.
        inputs: CasADi scalar of every `pybamm.InputParameter` by name.
        outputs: Variable names to convert.
        events: `pybamm.Event`s to convert.
    """
    fields = fields_of(model, discretisation.mesh)
    differential = tuple(f for f in fields if not f.is_algebraic)
    algebraic = tuple(f for f in fields if f.is_algebraic)
    t = ca.MX.sym("t")
    x = ca.MX.sym("x", sum(f.size for f in differential))
    z = ca.MX.sym("z", sum(f.size for f in algebraic))
    converter = _Converter(t, inputs)
    scale = {f.symbol: converter.convert(_constant(f.symbol.scale)) for f in fields}
    reference = {
        f.symbol: converter.convert(_constant(f.symbol.reference)) for f in fields
    }
    physical = _substitute_states(converter, fields, x, z, scale, reference)
    _substitute_concatenations(converter, model, discretisation, physical)
    n_x = x.numel()
    rhs = _scaled(converter.convert(model.concatenated_rhs), differential, scale)
    residual = ca.MX(0, 1)
    if algebraic:
        residual = converter.convert(model.concatenated_algebraic)
        residual = ca.vertcat(ca.MX(n_x, 1), residual)  # indices as in the full vector
        residual = ordered(residual, algebraic)
    start = _scaled(
        converter.convert(model.concatenated_initial_conditions), fields, scale
    ) + ca.vertcat(*[ca.repmat(reference[f.symbol], f.size, 1) for f in fields])
    values = [converter.convert(model.get_processed_variable(n)) for n in outputs]
    indicators = [converter.convert(event.expression) for event in events]
    return Equations(
        t=t,
        x=x,
        z=z,
        fields=fields,
        rhs=ca.densify(rhs),
        algebraic=ca.densify(residual),
        outputs=ca.densify(ca.vertcat(*values)),
        indicators=ca.densify(ca.vertcat(*indicators)),
        initial=ca.densify(start),
        scales=ca.vertcat(*[ca.repmat(scale[f.symbol], f.size, 1) for f in fields]),
        lookups=converter.tables.lookups,
    )


def _substitute_states(
    converter: _Converter,
    fields: tuple[Field, ...],
    x: ca.MX,
    z: ca.MX,
    scale: Mapping[Any, ca.MX],
    reference: Mapping[Any, ca.MX],
) -> dict[Any, ca.MX]:
    """Put our states in place of every `reference + scale * StateVector`."""
    physical: dict[Any, ca.MX] = {}
    scaled = []
    for field in fields:
        begin = field.start - (x.numel() if field.is_algebraic else 0)
        own = (z if field.is_algebraic else x)[begin : begin + field.size]
        value = pybamm_order(own, field)
        symbol = field.symbol
        physical[symbol] = value
        scaled.append((value - reference[symbol]) / scale[symbol])
        vector = pybamm.StateVector(
            slice(field.start, field.start + field.size), domains=symbol.domains
        )
        converter.substitute(vector, scaled[-1])
        converter.substitute(symbol.reference + symbol.scale * vector, value)
    converter.set_states(ca.vertcat(*scaled))
    return physical


def _substitute_concatenations(
    converter: _Converter,
    model: Any,
    discretisation: Any,
    physical: Mapping[Any, ca.MX],
) -> None:
    for key in (*model.rhs, *model.algebraic):
        if isinstance(key, pybamm.ConcatenationVariable):
            whole = ca.vertcat(*[physical[part] for part in key.children])
            converter.substitute(discretisation.process_symbol(key), whole)


def _scaled(
    vector: ca.MX, fields: tuple[Field, ...], scale: Mapping[Any, ca.MX]
) -> ca.MX:
    turned = ordered(vector, fields)
    factors = [ca.repmat(scale[f.symbol], f.size, 1) for f in fields]
    return turned * ca.vertcat(*factors)


def _constant(value: Any) -> Any:
    return value if isinstance(value, pybamm.Symbol) else pybamm.Scalar(value)
