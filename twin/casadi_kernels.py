"""Kernels: CasADi functions whose C we write ourselves, with the same bits.

CasADi evaluates them operation by operation, and so defines them; in its C every table
costs fifty operations on memory. `casadi_c` puts the C of `c_sources/kernels.c` in
their places, which it knows by their names.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import casadi as ca

__all__ = ["squashed", "table_piece", "with_kernels"]

_TABLE, _SQUASH = "pt_table", "pt_squash"
_BODIES = {
    _TABLE: "pt_table(arg[0], {0}, arg[1][0], arg[2][0], arg[3], {1}, res[0], res[1]);",
    _SQUASH: "pt_squash(arg[0], {0}, res[0]);",
}
_DEFINITION = re.compile(
    rf"/\* ({_TABLE}|{_SQUASH})_([0-9_]+):.*\*/\n(static int casadi_f\d+\(.*\) {{\n)"
)
_PRODUCT = "casadi_real* z, casadi_int tr) {\n"
_UNUSED = "  (void)iw;\n  (void)w;\n  (void)mem;\n"


def table_piece(x: Any, lower: float, scale: float, coefficients: Any) -> Any:
    """Return value and derivative of a piecewise cubic at every element of `x`.

    Args:
        x: A row or a scalar.
        lower: Where the first piece begins.
        scale: Pieces per unit of `x`.
        coefficients: Of the pieces, four each, in one column; see `Table`.
    """
    function = _table(x.numel(), coefficients.numel() // 4)
    return function(x, lower, scale, coefficients)


def squashed(z: Any) -> Any:
    """Return `z / sqrt(1 + z^2)` of every element."""
    return ca.reshape(_squash(z.numel())(ca.vec(z)), *z.shape)


def with_kernels(source: str) -> str:
    """Return CasADi's C with the kernels' C in the places of its own."""
    parts, at = [], 0
    for found in _DEFINITION.finditer(source):
        kernel, sizes, head = found.groups()
        body = _BODIES[kernel].format(*sizes.split("_"))
        parts += [source[at : found.start()], f"{head}{_UNUSED}  {body}\n  return 0;\n"]
        at = source.index("\n}\n", found.end()) + 1
    result = "".join([*parts, source[at:]])
    given = "x, nrow_x, ncol_x, y, ncol_y, z"
    product = f"{_PRODUCT}  if (!tr) {{\n    pt_product({given});\n    return;\n  }}\n"
    result = result.replace(_PRODUCT, product)
    if result == source:
        return source
    folder = resources.files("packtwin.twin.c_sources")
    return (folder / "kernels.c").read_text(encoding="utf-8") + result


@cache
def _table(n: int, n_piece: int) -> ca.Function:
    x, flat = ca.MX.sym("x", 1, n), ca.MX.sym("coefficients", 4 * n_piece)
    lower, scale = ca.MX.sym("lower"), ca.MX.sym("scale")
    s = (x - lower) * scale
    i = ca.fmin(ca.fmax(ca.floor(s), 0), n_piece - 1)
    w = s - i
    c0, c1, c2, c3 = (flat[4 * i + k] for k in range(4))
    value = c0 + w * (c1 + w * (c2 + w * c3))
    slope = (c1 + w * (2.0 * c2 + w * (3.0 * c3))) * scale
    return ca.Function(
        f"{_TABLE}_{n}_{n_piece}",
        [x, lower, scale, flat],
        [value, slope],
        {"is_diff_in": [True, False, False, False]},
    )


@cache
def _squash(n: int) -> ca.Function:
    z = ca.MX.sym("z", n)
    return ca.Function(f"{_SQUASH}_{n}", [z], [z / ca.sqrt(1.0 + z * z)])
