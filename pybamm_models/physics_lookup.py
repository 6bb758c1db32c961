"""PyBaMM's one-dimensional tables as `Lookup`s.

PyBaMM converts an `Interpolant` to CasADi's own splines, which cannot be expanded to
scalar graphs. Its conversion takes a cache, so the tables are converted here first,
to calls of named piecewise polynomials with the same pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import casadi as ca
import numpy as np
import numpy.typing as npt
import pybamm
from scipy.interpolate import CubicSpline, PchipInterpolator, PPoly

from packtwin.pybamm_models.physics_names import name_of
from packtwin.twin.errors import ModelError
from packtwin.twin.lookup import Lookup

__all__ = ["LookupTable", "interpolants", "lookup_of"]

Array: TypeAlias = npt.NDArray[np.float64]


def interpolants(roots: Iterable[Any]) -> list[Any]:
    """Return all `pybamm.Interpolant` nodes below `roots`, the innermost first."""
    found: list[Any] = []
    seen: set[int] = set()
    stack = [(root, False) for root in roots]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            if isinstance(node, pybamm.Interpolant):
                found.append(node)
            continue
        if id(node) in seen:
            continue
        seen.add(id(node))
        stack.append((node, True))
        stack.extend((child, False) for child in node.children)
    return found


class LookupTable:
    """The lookups of one model; equal tables share one."""

    def __init__(self) -> None:
        self._functions: dict[Any, ca.Function] = {}
        self._lookups: list[Lookup] = []

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """All lookups called so far."""
        return tuple(self._lookups)

    def call(self, node: Any, argument: ca.MX) -> ca.MX:
        """Return the values of the table `node` at every element of `argument`."""
        key = (node.entries_string, node.interpolator, node._num_derivatives)  # noqa: SLF001
        if key not in self._functions:
            words = name_of(node.name, has_unit=False) or "table"
            name = f"table_{len(self._lookups)}_{words}"
            lookup = lookup_of(node, name)
            self._lookups.append(lookup)
            self._functions[key] = lookup.function()
        function = self._functions[key]
        n = argument.numel()
        return ca.vertcat(*[function(argument[i]) for i in range(n)])


def lookup_of(node: Any, name: str) -> Lookup:
    """Return the piecewise polynomial of one `pybamm.Interpolant`.

    Raises:
        ModelError: it has more than one argument or value, or a jump.
    """
    x = np.asarray(node.x[0], dtype=np.float64)
    y = np.asarray(node.y, dtype=np.float64)
    reason = ""
    if node.dimension != 1:
        reason = f"it has {node.dimension} arguments"
    elif y.ndim > 1 and y.size != len(x):
        reason = f"it has {y.size // len(x)} values per point"
    elif not np.all(np.diff(x) > 0):
        reason = "its abscissae do not increase strictly, so that it jumps"
    if reason:
        message = (
            f"Table `{node.name}` cannot become a lookup: {reason}, expected one "
            "argument, one value and strictly increasing points. Fit a function of "
            "one variable or a product of such functions."
        )
        raise ModelError(message)
    pieces = _pieces(x, y.reshape(-1), node.interpolator)
    if node._num_derivatives:  # noqa: SLF001 (as its own conversion reads it)
        pieces = pieces.derivative(node._num_derivatives)  # noqa: SLF001
    coefficients = np.zeros((len(x) - 1, 4))
    for power, row in enumerate(pieces.c[::-1]):
        coefficients[:, power] = row
    return Lookup(name=name, breakpoints=x, coefficients=coefficients)


def _pieces(x: Array, y: Array, interpolator: str) -> Any:
    if interpolator == "cubic":
        return CubicSpline(x, y)
    if interpolator == "pchip":
        return PchipInterpolator(x, y)
    return PPoly(np.vstack([np.diff(y) / np.diff(x), y[:-1]]), x)
