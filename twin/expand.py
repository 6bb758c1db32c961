"""Scalar (SX) expressions of MX functions, with their lookups cut out.

A lookup cannot be expanded. Each of its calls is replaced by `v + d (a - c)`, where
`a` is its argument as an expression and `v`, `d`, `c` are placeholders for its value,
its slope and its argument as numbers: the value is `v`, and every first derivative of
the surrounding expressions is exact. `record_tape` puts the lookups back in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import casadi as ca

from packtwin.twin.errors import InterfaceError
from packtwin.twin.lookup import Lookup
from packtwin.twin.scalar_tape import CutCalls, ScalarTape, record_tape

__all__ = ["Expansion", "expand"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expansion:
    """SX expressions and the lookup calls in them.

    Attributes:
        symbols: Arguments.
        expressions: One per function expanded.
        calls: The lookup of every cut call.
        arguments: The argument expression of every cut call.
        placeholders: Values, slopes and arguments of the calls as symbols.
    """

    symbols: tuple[Any, ...]
    expressions: tuple[Any, ...]
    calls: tuple[Lookup, ...]
    arguments: Any
    placeholders: tuple[Any, Any, Any]

    def tape(
        self,
        *expressions: Any,
        lookups: Sequence[Lookup] = (),
        symbols: Sequence[Any] | None = None,
    ) -> ScalarTape:
        """Record expressions with the lookups put back in, indexed by `lookups`.

        Args:
            expressions: What to record.
            lookups: All lookups of the model.
            symbols: Arguments of the tape; default: those of the expansion.
        """
        cut = CutCalls(
            arguments=self.arguments,
            placeholders=self.placeholders,
            lookups=tuple(list(lookups).index(call) for call in self.calls),
        )
        chosen = self.symbols if symbols is None else symbols
        return record_tape(chosen, expressions, cut)


def expand(
    functions: Sequence[ca.Function], lookups: Sequence[Lookup], name: str
) -> Expansion:
    """Expand functions of the same arguments, sharing their common parts.

    Args:
        functions: All results of all of them become expressions.
        lookups: Tables that they may call.
        name: Of the model, for errors.

    Raises:
        InterfaceError: a function cannot be expanded (a spline that is no `Lookup`).
    """
    lead = functions[0]
    sizes = tuple(lead.numel_in(k) for k in range(lead.n_in()))
    symbols = [ca.MX.sym(f"s{k}", n) for k, n in enumerate(sizes)]
    parts = [part for f in functions for part in f.call(symbols, True, False)]
    parts = [ca.densify(part) for part in ca.cse(parts)]
    nodes, calls = _find_calls(
        ca.Function("parts", symbols, parts), {table.name: table for table in lookups}
    )
    values = [ca.MX.sym(f"v{k}") for k in range(len(nodes))]
    arguments = ca.MX(0, 1)
    if nodes:
        wanted = ca.graph_substitute(
            [*parts, *(node.dep(0) for node in nodes)], nodes, values
        )
        arguments = ca.vertcat(*wanted[len(parts) :])
        parts = wanted[: len(parts)]
    value = ca.vertcat(*values) if values else ca.MX(0, 1)
    cut = ca.Function("cut", [*symbols, value], [*parts, arguments])
    return _with_placeholders(_scalar(cut, name), sizes, calls)


def _scalar(function: ca.Function, name: str) -> ca.Function:
    """Expand to scalar operations, of which a call of a function is none."""
    try:
        scalar = function.expand()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InterfaceError(_not_scalar(name, reason)) from error
    if any(map(_is_call(scalar), range(scalar.n_instructions()))):
        is_call = _is_call(function)
        called = {
            function.instruction_MX(k).which_function().name()
            for k in range(function.n_instructions())
            if is_call(k)
        }
        names = ", ".join(f"`{item}`" for item in sorted(called))
        raise InterfaceError(_not_scalar(name, f"it calls {names}"))
    return scalar


def _is_call(function: ca.Function) -> Callable[[int], bool]:
    return lambda k: bool(function.instruction_id(k) == ca.OP_CALL)


def _not_scalar(name: str, reason: str) -> str:
    return (
        f"Model `{name}` cannot be expanded to scalar operations: {reason}. "
        "Use `Lookup` for its tables."
    )


def _with_placeholders(
    cut: ca.Function, sizes: tuple[int, ...], calls: tuple[Lookup, ...]
) -> Expansion:
    symbols = [ca.SX.sym(f"s{k}", n) for k, n in enumerate(sizes)]
    v, d, c = (ca.SX.sym(label, len(calls)) for label in "vdc")
    plain = cut.call([*symbols, v])[-1]
    is_nested = bool(len(calls) and ca.depends_on(plain, v))
    arguments, value = plain, v + d * (plain - c)
    if is_nested:  # a call's argument contains earlier calls: one at a time
        value = ca.SX(0, 1)
        for k in range(len(calls)):
            a = cut.call([*symbols, ca.vertcat(value, v[k:])])[-1][k]
            arguments[k] = a
            value = ca.vertcat(value, v[k] + d[k] * (a - c[k]))
    return Expansion(
        symbols=tuple(symbols),
        expressions=tuple(cut.call([*symbols, value])[:-1]),
        calls=calls,
        arguments=arguments,
        placeholders=(v, d, c),
    )


def _find_calls(
    function: ca.Function, tables: dict[str, Lookup]
) -> tuple[list[Any], tuple[Lookup, ...]]:
    nodes, calls = [], []
    for k in range(function.n_instructions()):
        if function.instruction_id(k) != ca.OP_CALL:
            continue
        node = function.instruction_MX(k)
        name = node.which_function().name()
        if name in tables:
            nodes.append(node)
            calls.append(tables[name])
    return nodes, tuple(calls)
