"""`Lookup`: a table inside a model's equations that every runtime knows by name.

CasADi cannot expand splines to scalar graphs, and C, torch and CasADi evaluate their
own splines differently in the last digits. A model therefore calls a `Lookup` as a
`casadi.Function` that is never inlined; step maps and torch residuals find the calls
and evaluate the same polynomial pieces themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError

__all__ = ["Lookup"]

Array: TypeAlias = NDArray[np.float64]

_UNIFORM = 1e-9  # of a piece's width


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lookup:
    """A piecewise cubic polynomial; its end pieces extrapolate.

    Attributes:
        name: C identifier, unique within a model.
        breakpoints: Increasing, shape `(n + 1,)`.
        coefficients: Shape `(n, 4)`; piece `i` is `c0 + d (c1 + d (c2 + d c3))` with
            `d = x - breakpoints[i]`.
    """

    name: str
    breakpoints: Array
    coefficients: Array

    def __post_init__(self) -> None:
        """Check name, order and shapes."""
        n = len(self.breakpoints) - 1
        is_sound = (
            self.name.isidentifier()
            and n >= 1
            and self.coefficients.shape == (n, 4)
            and bool(np.all(np.isfinite(self.breakpoints)))
            and bool(np.all(np.diff(self.breakpoints) > 0))
            and bool(np.all(np.isfinite(self.coefficients)))
        )
        if not is_sound:
            msg = (
                f"Lookup `{self.name}` needs an identifier as name, n + 1 increasing "
                f"breakpoints and coefficients of shape (n, 4), all finite, got "
                f"{self.breakpoints.shape} and {self.coefficients.shape}."
            )
            raise InterfaceError(msg)

    @property
    def is_uniform(self) -> bool:
        """Whether all pieces are equally wide, so that no search is needed."""
        width = np.diff(self.breakpoints)
        return bool(np.ptp(width) <= _UNIFORM * width.mean())

    def function(self) -> ca.Function:
        """Return the `casadi.Function (x) -> (value)` of a scalar argument."""
        x = ca.MX.sym("x")
        i = ca.low(ca.MX(ca.DM(self.breakpoints)), x)
        flat = ca.MX(ca.DM(self.coefficients.reshape(-1)))
        d = x - ca.MX(ca.DM(self.breakpoints))[i]
        c0, c1, c2, c3 = (flat[4 * i + k] for k in range(4))
        value = c0 + d * (c1 + d * (c2 + d * c3))
        return ca.Function(self.name, [x], [value], {"never_inline": True})

    def value(self, x: Array) -> Array:
        """Return the values at `x`, any shape."""
        d, c = self._piece(x)
        return np.asarray(c[..., 0] + d * (c[..., 1] + d * (c[..., 2] + d * c[..., 3])))

    def slope(self, x: Array) -> Array:
        """Return the derivatives at `x`, any shape."""
        d, c = self._piece(x)
        return np.asarray(c[..., 1] + d * (2.0 * c[..., 2] + 3.0 * d * c[..., 3]))

    def _piece(self, x: Array) -> tuple[Array, Array]:
        x = np.asarray(x, dtype=np.float64)
        i = np.searchsorted(self.breakpoints, x, side="right") - 1
        i = np.clip(i, 0, len(self.coefficients) - 1)
        return x - self.breakpoints[i], self.coefficients[i]
