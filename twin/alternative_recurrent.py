"""A gated recurrent unit: current, temperature and counted charge in, voltages out.

Black box: nothing of the cell but its capacity is built in, and the hidden state is
without meaning. One update is one sampling step of the data, so that it can take no
shorter step. After K. Cho et al. (2014), arXiv:1406.1078; trained on truncated pieces
of the runs whose hidden state is carried on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from packtwin.twin.alternative import FitPlan
from packtwin.twin.alternative_batch import AlternativeBatch, batch_runs
from packtwin.twin.alternative_descent import (
    Network,
    array_of,
    descend,
    inputs_of,
    masked_loss,
    targets_of,
)
from packtwin.twin.alternative_step import Instant, SteppedPredictor
from packtwin.twin.surrogate_casadi import casadi_network
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = ["Recurrent", "RecurrentCore"]

Array: TypeAlias = NDArray[np.float64]
Layers: TypeAlias = list[tuple[Array, Array]]

_N_INPUT = 3
_CHUNK, _N_RUN = 256, 96
_LEARNING_RATE = 4e-3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentCore:
    """The learned arrays; gates in the order reset, update, new.

    Attributes:
        input_matrix: Shape `(3 n, input)`.
        input_bias: Shape `(3 n,)`.
        hidden_matrix: Shape `(3 n, n)`.
        hidden_bias: Shape `(3 n,)`.
        head: Network from hidden state and inputs to scaled outputs.
        centre_V: Added to the scaled outputs.
        spread_V: They are multiplied by this first.
    """

    input_matrix: Array
    input_bias: Array
    hidden_matrix: Array
    hidden_bias: Array
    head: Layers
    centre_V: Array
    spread_V: Array

    @property
    def state_names(self) -> tuple[str, ...]:
        """Hidden states."""
        return tuple(f"hidden_{k + 1}" for k in range(self.hidden_matrix.shape[1]))

    @property
    def has_plating(self) -> bool:
        """Whether the plating potential was learned too."""
        return len(self.centre_V) > 1

    def advance(self, core: Any, now: Instant, h: Any) -> Any:
        """Return the hidden state after one sampling step; `h` has no influence."""
        given = ca.mtimes(ca.DM(self.input_matrix), now.features)
        own = ca.mtimes(ca.DM(self.hidden_matrix), core) + ca.DM(self.hidden_bias)
        r0, z0, n0 = ca.vertsplit(given + ca.DM(self.input_bias), core.numel())
        r1, z1, n1 = ca.vertsplit(own, core.numel())
        reset, update = (1.0 / (1.0 + ca.exp(-v)) for v in (r0 + r1, z0 + z1))
        new = ca.tanh(n0 + reset * n1)
        return new + update * (core - new)

    def outputs(self, core: Any, now: Instant) -> list[Any]:
        """Return voltage and plating potential."""
        y = casadi_network(self.head, ca.vertcat(core, now.features))
        return ca.vertsplit(y * ca.DM(self.spread_V) + ca.DM(self.centre_V))


@final
@dataclass(frozen=True, slots=True)
class Recurrent:
    """Fits the recurrent unit.

    Attributes:
        name: Name in tables.
        hidden: Width of the hidden state and of the head's layer.
    """

    name: str = "gru"
    hidden: int = 32

    def fit(
        self, spec: SurrogateSpec, runs: Sequence[Trajectory], plan: FitPlan
    ) -> SteppedPredictor:
        """Train on all runs from their start; see `Alternative.fit`."""
        batch = batch_runs(spec, runs)
        torch.manual_seed(plan.seed)
        module = RecurrentModule(spec, batch, self.hidden)
        pieces = _Pieces(module, plan.seed)
        descend(module, pieces.loss, plan, learning_rate=_LEARNING_RATE)
        return SteppedPredictor(
            self.name,
            spec,
            module.core(),
            heat_share=batch.heat_share,
            substep_s=batch.step_s,
        )


@final
class RecurrentModule(nn.Module):
    """The recurrent unit in torch with the batch it learns from."""

    def __init__(
        self, spec: SurrogateSpec, batch: AlternativeBatch, hidden: int
    ) -> None:
        super().__init__()
        self.targets = targets_of(batch)
        nominal_A = spec.constants.nominal_capacity_Ah
        self.moving, self.reading = inputs_of(batch, nominal_A)
        self.unit = nn.GRU(_N_INPUT, hidden, batch_first=True)
        self.head = Network(hidden + _N_INPUT, hidden, len(self.targets.centre_V))

    def predicted(
        self, rows: Tensor, columns: slice, carried: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs in V of a piece and the hidden state at its end.

        Args:
            rows: Runs.
            columns: Samples of the piece.
            carried: Hidden state at its start; at rest by default.
        """
        states, carried = self.unit(self.moving[rows, columns], carried)
        z = torch.cat([states, self.reading[rows, columns]], dim=-1)
        t = self.targets
        return self.head(z) * t.spread_V + t.centre_V, carried

    def core(self) -> RecurrentCore:
        """Return the learned arrays."""
        weights = {k: array_of(v) for k, v in self.unit.named_parameters()}
        return RecurrentCore(
            input_matrix=weights["weight_ih_l0"],
            input_bias=weights["bias_ih_l0"],
            hidden_matrix=weights["weight_hh_l0"],
            hidden_bias=weights["bias_hh_l0"],
            head=self.head.arrays(),
            centre_V=array_of(self.targets.centre_V),
            spread_V=array_of(self.targets.spread_V),
        )


@final
class _Pieces:
    """Draws pieces of runs, one after the other, until the runs end."""

    def __init__(self, module: RecurrentModule, seed: int) -> None:
        self._module = module
        self._generator = torch.Generator().manual_seed(seed)
        self._begin = self._n = module.targets.mask.shape[1]
        self._rows: Tensor
        self._carried: Tensor | None = None

    def loss(self, _share: float) -> Tensor:
        """Return the loss of the next piece; sample 0 is the start, not a step."""
        m, mask = self._module, self._module.targets.mask
        if self._begin >= self._n or not mask[self._rows, self._begin :].any():
            order = torch.randperm(len(mask), generator=self._generator)
            self._rows, self._begin, self._carried = order[:_N_RUN], 1, None
        columns = slice(self._begin, min(self._n, self._begin + _CHUNK))
        outputs, carried = m.predicted(self._rows, columns, self._carried)
        self._carried, self._begin = carried.detach(), columns.stop
        gap_V = outputs - m.targets.values_V[self._rows, columns]
        return masked_loss(gap_V, mask[self._rows, columns])
