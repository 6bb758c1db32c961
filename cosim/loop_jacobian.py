"""`LoopJacobian`: how the signals on a loop change themselves once around.

Directional derivatives of the components give it without a step. Where one of them has
none, the loop is run with disturbed signals; signals that reach different outputs by
direct feedthrough are disturbed together, as A. R. Curtis, M. J. D. Powell and J. K.
Reid, IMA J. Appl. Math. 13 (1974) 117-119, doi:10.1093/imamat/13.1.117, proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.connection import Connection
from packtwin.cosim.slot import Slot
from packtwin.twin.component_roles import DifferentiableComponent

__all__ = ["LoopJacobian"]

Vector: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Sweep: TypeAlias = Callable[[Vector], Vector]

_DISTURBANCE = 1e-6


@final
class LoopJacobian:
    """The structure of loops, and their derivative in two ways.

    The signals of the connections in `cuts` are given; one sweep through the
    components finds what they become.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        connections: Sequence[Connection],
        cuts: Sequence[Connection],
        places: dict[str, int],
    ) -> None:
        """Number the inputs and outputs of the components.

        Args:
            slots: The components on the loops.
            connections: Undelayed ones between them.
            cuts: Those whose signals are given.
            places: Place of every output by `component.variable`.
        """
        self._slots = list(slots)
        pairs = [(slot.component.name, slot) for slot in self._slots]
        inputs = [f"{name}.{v.name}" for name, slot in pairs for v in slot.inputs]
        outputs = [f"{name}.{v.name}" for name, slot in pairs for v in slot.outputs]
        row = {name: i for i, name in enumerate(inputs)}
        column = {name: i for i, name in enumerate(outputs)}
        sources = sorted({str(c.source) for c in cuts}, key=places.__getitem__)
        rank = {name: k for k, name in enumerate(sources)}
        self.signals = np.array([places[name] for name in sources], dtype=np.intp)
        self._given = np.array([column[name] for name in sources], dtype=np.intp)
        self._free = np.zeros((len(inputs), len(outputs)))
        self._cut = np.zeros((len(inputs), len(sources)))
        self._through = np.zeros((len(outputs), len(inputs)))
        factors = np.array([f for slot in self._slots for f in _factors(slot)])
        for c in connections:
            i = row[str(c.target)]
            if c in cuts:
                self._cut[i, rank[str(c.source)]] = factors[i]
            else:
                self._free[i, column[str(c.source)]] = factors[i]
        for name, slot in pairs:
            for source, target in slot.component.feedthrough:
                self._through[column[f"{name}.{target}"], row[f"{name}.{source}"]] = 1.0
        able = [slot.component.capabilities for slot in self._slots]
        self._is_known = all(a.can_differentiate for a in able)
        self._has_slopes = all(
            a.has_output_derivatives and a.input_order > 0 for a in able
        )

    def of_start(
        self, sweep: Sweep, w: Vector, result: Vector, scale: Vector
    ) -> Vector:
        """Return the derivative of `sweep` by the given signals.

        Args:
            sweep: What a start does.
            w: Where.
            result: `sweep(w)`.
            scale: Unit of each signal in `w`.
        """
        if self._is_known:
            known = self._around(self._derivatives()) * scale
            return np.asarray(known / scale[:, None], dtype=np.float64)
        reach = self._around(self._through) != 0.0
        return _by_differences(sweep, w, result, reach)

    def of_step(
        self, sweep: Sweep, w: Vector, result: Vector, scale: Vector, is_smooth: Mask
    ) -> Vector:
        """Return the derivative of `sweep` by signals, then slopes of smooth ones.

        Args:
            sweep: What a step does.
            w: Where.
            result: `sweep(w)`.
            scale: Unit of each signal in `w`.
            is_smooth: Signals with slopes.
        """
        n, smooth = len(scale), np.flatnonzero(is_smooth)
        jacobian = np.zeros((len(w), len(w)))
        if self._is_known and self._has_slopes:
            known = self._around(self._derivatives()) * scale / scale[:, None]
            jacobian[:n, :n], jacobian[n:, n:] = known, known[np.ix_(smooth, smooth)]
            return jacobian
        reach = self._around(self._through)
        jacobian[:n, :n], jacobian[n:, n:] = reach, reach[np.ix_(smooth, smooth)]
        if not self._has_slopes:  # differences make slopes of values
            jacobian[n:, :n] = reach[smooth]
        return _by_differences(sweep, w, result, jacobian != 0.0)

    def _around(self, through: Vector) -> Vector:
        """Signals once around, given how outputs depend on inputs."""
        matrix = np.eye(len(through)) - through @ self._free
        outputs = np.linalg.solve(matrix, through @ self._cut)
        return np.asarray(outputs[self._given], dtype=np.float64)

    def _derivatives(self) -> Vector:
        through: Vector = np.zeros(self._through.shape)
        row, column = 0, 0
        for slot in self._slots:
            component = cast(DifferentiableComponent, slot.component)
            n_u, n_y = len(slot.inputs), len(slot.outputs)
            for i in range(n_u):
                if self._through[column : column + n_y, row + i].any():
                    du = np.zeros(n_u)
                    du[i] = 1.0
                    dy = component.directional_derivative(du)
                    through[column : column + n_y, row + i] = dy
            row, column = row + n_u, column + n_y
        through[self._through == 0.0] = 0.0
        return through


def _factors(slot: Slot) -> Vector:
    ones: Vector = np.ones(len(slot.inputs))
    return ones if slot.factors is None else slot.factors


def _by_differences(sweep: Sweep, w: Vector, result: Vector, reach: Mask) -> Vector:
    """Return the derivative where entry `(i, k)` of `reach` says that k moves i."""
    jacobian = np.zeros((len(w), len(w)))
    for members in _colours(reach.T):
        step = np.zeros(len(w))
        step[members] = _DISTURBANCE * np.maximum(1.0, np.abs(w[members]))
        change = sweep(w + step) - result
        for k in members:
            felt = reach[:, k] | (len(members) == 1)
            jacobian[felt, k] = change[felt] / step[k]
    return jacobian


def _colours(reach: Mask) -> list[list[int]]:
    """Return groups of signals that no other feels together, greedily."""
    groups: list[tuple[list[int], Mask]] = []
    for k, row in enumerate(reach):
        for members, felt in groups:
            if not (felt & row).any():
                members.append(k)
                felt |= row
                break
        else:
            groups.append(([k], row.copy()))
    return [members for members, _ in groups]
