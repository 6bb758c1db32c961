"""C forms of CasADi's operations."""

from __future__ import annotations

import casadi as ca

__all__ = ["c_form"]

_UNARY: dict[int, str] = {
    ca.OP_ASSIGN: "{0}",
    ca.OP_NEG: "-{0}",
    ca.OP_EXP: "pt_exp({0})",
    ca.OP_LOG: "pt_log({0})",
    ca.OP_SQRT: "sqrt({0})",
    ca.OP_SQ: "{0} * {0}",
    ca.OP_TWICE: "2.0 * {0}",
    ca.OP_INV: "1.0 / {0}",
    ca.OP_SIN: "sin({0})",
    ca.OP_COS: "cos({0})",
    ca.OP_TAN: "tan({0})",
    ca.OP_ASIN: "asin({0})",
    ca.OP_ACOS: "acos({0})",
    ca.OP_ATAN: "atan({0})",
    ca.OP_FLOOR: "floor({0})",
    ca.OP_CEIL: "ceil({0})",
    ca.OP_FABS: "fabs({0})",
    ca.OP_SIGN: "pt_sign({0})",
    ca.OP_NOT: "({0} == 0.0 ? 1.0 : 0.0)",
    ca.OP_ERF: "erf({0})",
    ca.OP_SINH: "pt_sinh({0})",
    ca.OP_COSH: "pt_cosh({0})",
    ca.OP_TANH: "pt_tanh({0})",
    ca.OP_ASINH: "pt_asinh({0})",
    ca.OP_ACOSH: "acosh({0})",
    ca.OP_ATANH: "atanh({0})",
    ca.OP_LOG1P: "log1p({0})",
    ca.OP_EXPM1: "expm1({0})",
}
_BINARY: dict[int, str] = {
    ca.OP_ADD: "{0} + {1}",
    ca.OP_SUB: "{0} - {1}",
    ca.OP_MUL: "{0} * {1}",
    ca.OP_DIV: "{0} / {1}",
    ca.OP_LT: "({0} < {1} ? 1.0 : 0.0)",
    ca.OP_LE: "({0} <= {1} ? 1.0 : 0.0)",
    ca.OP_EQ: "({0} == {1} ? 1.0 : 0.0)",
    ca.OP_NE: "({0} != {1} ? 1.0 : 0.0)",
    ca.OP_AND: "(({0} != 0.0) & ({1} != 0.0) ? 1.0 : 0.0)",
    ca.OP_OR: "(({0} != 0.0) | ({1} != 0.0) ? 1.0 : 0.0)",
    ca.OP_IF_ELSE_ZERO: "({0} != 0.0 ? {1} : 0.0)",
    ca.OP_FMIN: "pt_min({0}, {1})",
    ca.OP_FMAX: "pt_max({0}, {1})",
    ca.OP_FMOD: "fmod({0}, {1})",
    ca.OP_COPYSIGN: "copysign({0}, {1})",
    ca.OP_ATAN2: "atan2({0}, {1})",
    ca.OP_HYPOT: "pt_hypot({0}, {1})",
    ca.OP_POW: "pt_pow({0}, {1})",
    ca.OP_CONSTPOW: "pt_pow({0}, {1})",
}
# Exponents with a faster exact form.
_POWERS = {
    0.5: "sqrt({0})",
    1.5: "{0} * sqrt({0})",
    2.0: "{0} * {0}",
    3.0: "{0} * {0} * {0}",
    -0.5: "1.0 / sqrt({0})",
    -1.0: "1.0 / {0}",
    -1.5: "1.0 / ({0} * sqrt({0}))",
    -2.0: "1.0 / ({0} * {0})",
}


def c_form(operation: int, n_operands: int, constant: float | None) -> str | None:
    """Return the C expression of an operation with `{0}` and `{1}`, None if unknown.

    Args:
        operation: CasADi operation code.
        n_operands: One or two.
        constant: The second operand, where it is the same number for all elements.
    """
    if operation in (ca.OP_POW, ca.OP_CONSTPOW) and constant in _POWERS:
        return _POWERS[constant]
    return (_UNARY if n_operands == 1 else _BINARY).get(operation)
