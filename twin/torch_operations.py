"""Torch forms of CasADi's operations and of lookups, element by element.

Every form has torch's own derivatives, to any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

import casadi as ca
import torch
from torch import Tensor

from packtwin.twin.lookup import Lookup

__all__ = ["LookupTensors", "torch_form"]

Form: TypeAlias = Callable[..., Tensor]


def _flag(condition: Tensor, like: Tensor) -> Tensor:
    return condition.to(like.dtype)


def _pair(form: Form) -> Form:
    """Make a form of two tensors also accept a number in either place."""

    def apply(a: Tensor | float, b: Tensor | float) -> Tensor:
        if not isinstance(a, Tensor):
            a = torch.full_like(_tensor(b), a)
        return form(a, b if isinstance(b, Tensor) else torch.full_like(a, b))

    return apply


def _tensor(value: Tensor | float) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value)


_UNARY: dict[int, Form] = {
    ca.OP_ASSIGN: lambda a: a,
    ca.OP_NEG: torch.neg,
    ca.OP_EXP: torch.exp,
    ca.OP_LOG: torch.log,
    ca.OP_SQRT: torch.sqrt,
    ca.OP_SQ: lambda a: a * a,
    ca.OP_TWICE: lambda a: a + a,
    ca.OP_INV: torch.reciprocal,
    ca.OP_SIN: torch.sin,
    ca.OP_COS: torch.cos,
    ca.OP_TAN: torch.tan,
    ca.OP_ASIN: torch.asin,
    ca.OP_ACOS: torch.acos,
    ca.OP_ATAN: torch.atan,
    ca.OP_FLOOR: torch.floor,
    ca.OP_CEIL: torch.ceil,
    ca.OP_FABS: torch.abs,
    ca.OP_SIGN: torch.sign,
    ca.OP_NOT: lambda a: _flag(a == 0.0, a),
    ca.OP_ERF: torch.erf,
    ca.OP_SINH: torch.sinh,
    ca.OP_COSH: torch.cosh,
    ca.OP_TANH: torch.tanh,
    ca.OP_ASINH: torch.asinh,
    ca.OP_ACOSH: torch.acosh,
    ca.OP_ATANH: torch.atanh,
    ca.OP_LOG1P: torch.log1p,
    ca.OP_EXPM1: torch.expm1,
}
_BINARY: dict[int, Form] = {
    ca.OP_ADD: lambda a, b: a + b,
    ca.OP_SUB: lambda a, b: a - b,
    ca.OP_MUL: lambda a, b: a * b,
    ca.OP_DIV: lambda a, b: a / b,
    ca.OP_LT: _pair(lambda a, b: _flag(a < b, a)),
    ca.OP_LE: _pair(lambda a, b: _flag(a <= b, a)),
    ca.OP_EQ: _pair(lambda a, b: _flag(a == b, a)),
    ca.OP_NE: _pair(lambda a, b: _flag(a != b, a)),
    ca.OP_AND: _pair(lambda a, b: _flag((a != 0.0) & (b != 0.0), a)),
    ca.OP_OR: _pair(lambda a, b: _flag((a != 0.0) | (b != 0.0), a)),
    ca.OP_IF_ELSE_ZERO: _pair(
        lambda a, b: torch.where(a != 0.0, b, torch.zeros_like(b))
    ),
    # `minimum` and `maximum` halve the gradient of a tie, as CasADi does.
    ca.OP_FMIN: _pair(torch.minimum),
    ca.OP_FMAX: _pair(torch.maximum),
    ca.OP_FMOD: _pair(torch.fmod),
    ca.OP_COPYSIGN: _pair(torch.copysign),
    ca.OP_ATAN2: _pair(torch.atan2),
    ca.OP_HYPOT: _pair(torch.hypot),
    # A number as exponent has its own derivatives, without a logarithm.
    ca.OP_POW: torch.pow,
    ca.OP_CONSTPOW: torch.pow,
}


def torch_form(operation: int, n_operands: int) -> Form | None:
    """Return the torch function of an operation, None if unknown.

    Args:
        operation: CasADi operation code.
        n_operands: One or two, of which one may be a number.
    """
    return (_UNARY if n_operands == 1 else _BINARY).get(operation)


@final
class LookupTensors:
    """A lookup on one device."""

    def __init__(
        self, lookup: Lookup, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._breakpoints = torch.tensor(lookup.breakpoints, dtype=dtype, device=device)
        self._coefficients = tuple(
            torch.tensor(column, dtype=dtype, device=device)
            for column in lookup.coefficients.T
        )

    def value(self, x: Tensor) -> Tensor:
        """Return the values at `x`, any shape."""
        d, (c0, c1, c2, c3) = self._piece(x)
        return c0 + d * (c1 + d * (c2 + d * c3))

    def slope(self, x: Tensor) -> Tensor:
        """Return the derivatives at `x`, any shape."""
        d, (_, c1, c2, c3) = self._piece(x)
        return c1 + d * (2.0 * c2 + 3.0 * d * c3)

    def _piece(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        inner = self._breakpoints[1:-1]
        i = torch.searchsorted(inner, x.detach().contiguous(), right=True)
        return x - self._breakpoints[i], tuple(c[i] for c in self._coefficients)
