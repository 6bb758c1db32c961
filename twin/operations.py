"""`Operations`: what the hybrid cell's equations need from a numerical back end.

The equations are written once over this protocol and run in CasADi (step maps, FMUs,
MPC), in torch (training) and as C text (speed).
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

from packtwin.twin.table import Table

__all__ = ["Operations", "Scalar"]

Scalar: TypeAlias = Any


@runtime_checkable
class Operations(Protocol):
    """Scalar functions, tables and the network of one back end."""

    def exp(self, x: Scalar) -> Scalar:
        """Return the exponential."""
        ...

    def sqrt(self, x: Scalar) -> Scalar:
        """Return the square root."""
        ...

    def asinh(self, x: Scalar) -> Scalar:
        """Return the inverse hyperbolic sine."""
        ...

    def expm1(self, x: Scalar) -> Scalar:
        """Return `exp(x) - 1`."""
        ...

    def table(self, table: Table, x: Scalar) -> Scalar:
        """Evaluate a table."""
        ...

    def table_with_slope(self, table: Table, x: Scalar) -> tuple[Scalar, Scalar]:
        """Evaluate a table and its derivative."""
        ...

    def weight(self, label: str) -> Any:
        """Return an indexable array of learned numbers."""
        ...

    def corrections(self, features: list[Scalar], excitation: list[Scalar]) -> Any:
        """Return `W(features) excitation`, one entry per name in `CORRECTIONS`."""
        ...

    def bounds(self, features: list[Scalar]) -> tuple[Scalar, Scalar]:
        """Return the bounds of the voltage's and the plating potential's error, V."""
        ...

    def distance(self, features: list[Scalar], pace_K_per_s: Scalar) -> Scalar:
        """Return how far features and pace are from those learned from; see `trust`."""
        ...
