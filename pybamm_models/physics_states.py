"""PyBaMM's scaled state vector as named, physical scalars.

PyBaMM solves for `y = (value - reference) / scale` and stores fields with their last
space dimension outermost (a particle field: x outer, r inner). A `Model` has physical
values with r outer and x inner, so that the same shell of all particles is contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
import numpy.typing as npt
import pybamm
import scipy.sparse

from packtwin.pybamm_models.physics_names import name_of
from packtwin.twin.errors import ModelError
from packtwin.twin.variable import Variable

__all__ = ["Field", "fields_of", "ordered", "pybamm_order"]

Indices: TypeAlias = npt.NDArray[np.int64]

_LARGE = 100.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One variable of PyBaMM's state vector.

    Attributes:
        symbol: `pybamm.Variable`.
        start: Index of its first entry in PyBaMM's vector.
        shape: Points per dimension, the innermost (`primary`) first.
        is_algebraic: Whether an algebraic equation determines it.
    """

    symbol: Any
    start: int
    shape: tuple[int, ...]
    is_algebraic: bool

    @property
    def size(self) -> int:
        """Number of scalars."""
        return int(np.prod(self.shape))

    @property
    def order(self) -> Indices:
        """Index within PyBaMM's field of each of our scalars."""
        return np.arange(self.size).reshape(self.shape[::-1]).T.reshape(-1)

    def variables(
        self, starts: npt.NDArray[np.float64], nominal: float
    ) -> tuple[Variable, ...]:
        """Return one `Variable` per scalar; indices count from 1 (r before x)."""
        name = name_of(self.symbol.name)
        nominal = abs(nominal) or 1.0
        largest = float(np.abs(starts).max())
        if nominal == 1.0 and largest > _LARGE:  # a concentration that has no scale
            nominal = largest
        if self.size == 1 and len(self.shape) == 1 and not self._has_points:
            names = [name]
        else:
            names = [
                f"{name}[{','.join(str(i + 1) for i in index)}]"
                for index in np.ndindex(*self.shape)
            ]
        return tuple(
            Variable(
                name=item,
                description=f"PyBaMM: {self.symbol.name}.",
                start=float(start),
                nominal=nominal,
            )
            for item, start in zip(names, starts, strict=True)
        )

    @property
    def _has_points(self) -> bool:
        return any(d != "current collector" for d in self.symbol.domain)


def fields_of(model: Any, mesh: Any) -> tuple[Field, ...]:
    """Return the fields of a discretised model in PyBaMM's order.

    Raises:
        ModelError: the mass matrix is not the identity on the differential states.
    """
    fields = []
    for is_algebraic, table in ((False, model.rhs), (True, model.algebraic)):
        for key in table:
            parts = (
                key.children if isinstance(key, pybamm.ConcatenationVariable) else [key]
            )
            for part in parts:
                (slice_,) = model.y_slices[part]
                fields.append(
                    Field(
                        symbol=part,
                        start=int(slice_.start),
                        shape=_shape(part, mesh, slice_.stop - slice_.start),
                        is_algebraic=is_algebraic,
                    )
                )
    fields.sort(key=lambda field: field.start)
    _require_identity(model, fields)
    return tuple(fields)


def ordered(vector: ca.MX, fields: tuple[Field, ...]) -> ca.MX:
    """Return PyBaMM's entries of `fields` in our order."""
    parts = [vector[f.start : f.start + f.size] for f in fields]
    return ca.vertcat(
        *[_turned(part, f.shape) for part, f in zip(parts, fields, strict=True)]
    )


def pybamm_order(vector: ca.MX, field: Field) -> ca.MX:
    """Return our scalars of one field in PyBaMM's order."""
    return _turned(vector, field.shape[::-1])


def _turned(vector: ca.MX, shape: tuple[int, ...]) -> ca.MX:
    """Swap the inner and the outer dimension of a field of `shape`, inner first."""
    inner = shape[0]
    outer = int(np.prod(shape[1:]))
    if inner == 1 or outer == 1:
        return vector
    return ca.vec(ca.reshape(vector, inner, outer).T)


def _shape(symbol: Any, mesh: Any, size: int) -> tuple[int, ...]:
    shape = tuple(
        int(sum(mesh[domain].npts for domain in symbol.domains[level]))
        for level in ("primary", "secondary", "tertiary", "quaternary")
        if symbol.domains[level] and symbol.domains[level] != ["current collector"]
    ) or (1,)
    if int(np.prod(shape)) != size or len(shape) > 2:
        message = (
            f"State `{symbol.name}` has {size} entries, expected a field over at most "
            f"two dimensions of {shape} points. Choose other `options`."
        )
        raise ModelError(message)
    return shape


def _require_identity(model: Any, fields: list[Field]) -> None:
    n = sum(f.size for f in fields if not f.is_algebraic)
    mass = model.mass_matrix.entries.tocsr()[:n, :]
    wanted = scipy.sparse.eye_array(n, mass.shape[1], format="csr")
    if abs(mass - wanted).max() == 0.0:
        return
    rows = np.unique(abs(mass - wanted).tocoo().row)
    names = {
        f.symbol.name
        for f in fields
        if any(f.start <= row < f.start + f.size for row in rows)
    }
    message = (
        f"The mass matrix is not the identity on {', '.join(sorted(names))}, expected "
        "time derivatives of single states. Choose other `options` (such as "
        '`"surface form": "algebraic"`).'
    )
    raise ModelError(message)
