"""The same cell equations in torch: batched, differentiable, for training."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from packtwin.twin.surrogate import (
    CORRECTIONS,
    cell_outputs,
)
from packtwin.twin.surrogate_core import (
    core_step,
    heating_time,
    potentials,
    view_core,
)
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.table import Table
from packtwin.twin.trust import UNKNOWN_BOUND_V, UNKNOWN_DISTANCE

__all__ = ["TorchOperations", "torch_step"]

Array: TypeAlias = NDArray[np.float64]


@final
class TorchOperations(nn.Module):
    """The equations' back end in torch; its parameters are the learned weights."""

    def __init__(
        self, weights: dict[str, Array], dtype: torch.dtype = torch.float64
    ) -> None:
        """Take start values of the weights."""
        super().__init__()
        self._dtype = dtype
        self.weights = nn.ParameterDict(
            {k: nn.Parameter(torch.tensor(v, dtype=dtype)) for k, v in weights.items()}
        )
        self._tables: dict[int, tuple[Table, Tensor]] = {}
        self._centre: Tensor | None = None
        self._spread: Tensor | None = None

    def normalise(self, centre: Tensor, spread: Tensor) -> None:
        """Shift and scale the features before the network; `arrays` folds it in.

        Args:
            centre: Subtracted, shape `(feature,)`.
            spread: Divided by, likewise.
        """
        self._centre, self._spread = centre.to(self._dtype), spread.to(self._dtype)

    def arrays(self) -> dict[str, Array]:
        """Return the weights as float64 arrays, for features as they are."""
        weights = {
            k: v.detach().cpu().double().numpy().copy() for k, v in self.weights.items()
        }
        if self._centre is not None and self._spread is not None:
            matrix = weights["closure_matrix_0"] / self._spread.double().numpy()
            bias = weights["closure_bias_0"]
            weights["closure_matrix_0"] = matrix
            weights["closure_bias_0"] = bias - matrix @ self._centre.double().numpy()
        return weights

    def exp(self, x: Any) -> Any:
        """Return the exponential."""
        return torch.exp(x)

    def sqrt(self, x: Any) -> Any:
        """Return the square root."""
        return torch.sqrt(x)

    def asinh(self, x: Any) -> Any:
        """Return the inverse hyperbolic sine."""
        return torch.asinh(x)

    def expm1(self, x: Any) -> Any:
        """Return `exp(x) - 1`."""
        return torch.expm1(x)

    def table(self, table: Table, x: Tensor) -> Tensor:
        """Evaluate a table."""
        return self.table_with_slope(table, x)[0]

    def table_with_slope(self, table: Table, x: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate a table and its derivative."""
        key = id(table)
        if key not in self._tables:
            coefficients = torch.tensor(table.coefficients, dtype=self._dtype)
            self._tables[key] = (table, coefficients)
        s = (x - table.lower) * table.scale
        i = torch.clamp(torch.floor(s.detach()), 0, len(table.coefficients) - 1)
        w = s - i
        c = self._tables[key][1][i.long()]
        c0, c1, c2, c3 = c.unbind(-1)
        slope = (c1 + w * (2.0 * c2 + w * (3.0 * c3))) * table.scale
        return c0 + w * (c1 + w * (c2 + w * c3)), slope

    def weight(self, label: str) -> Tensor:
        """Return an array of learned numbers."""
        value: Tensor = self.weights[label]
        return value

    def _network(self, label: str, z: Tensor) -> Tensor:
        k = 0
        while f"{label}_matrix_{k}" in self.weights:
            if k:
                z = z * torch.rsqrt(1.0 + z * z)
            weight = self.weights[f"{label}_matrix_{k}"]
            z = nn.functional.linear(z, weight, self.weights[f"{label}_bias_{k}"])
            k += 1
        return z

    def corrections(
        self, features: list[Tensor], excitation: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return `W(features) e` by correction."""
        z = torch.stack(features, dim=-1)
        if self._centre is not None and self._spread is not None:
            z = (z - self._centre) / self._spread
        flat = self._network("closure", z)
        e = torch.stack(excitation, dim=-1)
        rows = flat.reshape(*flat.shape[:-1], len(CORRECTIONS), e.shape[-1])
        values: tuple[Tensor, ...] = (rows @ e[..., None])[..., 0].unbind(-1)
        return values

    def bounds(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the bounds of voltage and plating potential."""
        if "bound_factor" not in self.weights:
            unknown = torch.full_like(features[0], UNKNOWN_BOUND_V)
            return unknown, unknown
        z = torch.stack(features, dim=-1)
        bound_V = torch.exp(self._network("bound", z))
        if "bound_floor" in self.weights:
            bound_V = bound_V + self.weights["bound_floor"]
        bound_V = bound_V * self.weights["bound_factor"]
        return bound_V[..., 0], bound_V[..., 1]

    def distance(self, features: list[Tensor], pace_K_per_s: Tensor) -> Tensor:
        """Return the distance from the states learned from."""
        w, z = self.weights, torch.stack(features, dim=-1)
        distances = []
        if "guard_matrix" in w:
            distances.append(_scaled(self._strangeness(z), w["guard_range"]))
        if "risk_range" in w:
            risk = self._network("risk", z)[..., 0]
            distances.append(_scaled(risk, w["risk_range"]))
        if "pace_range" in w:
            distances.append(_scaled(pace_K_per_s.abs(), w["pace_range"]))
        if not distances:
            return torch.full_like(features[0], UNKNOWN_DISTANCE)
        return torch.stack(distances).amax(dim=0)

    def _strangeness(self, z: Tensor) -> Tensor:
        w = self.weights
        gap = nn.functional.linear(z, w["guard_matrix"], -w["guard_offset"])
        gap = gap.reshape(*z.shape[:-1], -1, z.shape[-1])
        likelihood = w["guard_constant"] - 0.5 * gap.square().sum(dim=-1)
        return -torch.logsumexp(likelihood, dim=-1)


def _scaled(value: Tensor, ends: Tensor) -> Tensor:
    low, high = ends.unbind(-1)
    return (value - low) / (high - low)


def torch_step(
    ops: TorchOperations, spec: SurrogateSpec, state: Tensor, h: float, u: Tensor
) -> tuple[Tensor, Tensor]:
    """Take one step of the healthy cell, the twin of the CasADi step map.

    Args:
        ops: Back end with the weights of `spec`.
        spec: The surrogate.
        state: Shape `(batch, n_state)`, in the order of `cell_states`.
        h: Step, s.
        u: Current, coolant temperature and heat-transfer coefficient, `(batch, 3)`.

    Returns:
        Next state and `(batch, 6)`: voltage, plating potential, mean heat generation,
        the two bounds and the distance.
    """
    c, tables = spec.constants, spec.tables
    current_A, coolant_K = u[:, 0], u[:, 1]
    conductance = u[:, 2] * c.cooling_area_m2
    temperature_K = ops.table(tables["temperature_K"], state[:, -1])
    core = list(state[:, :-1].unbind(-1))
    step = torch.full_like(current_A, h)
    base, slope = core_step(ops, c, tables, core, temperature_K=temperature_K, h=step)
    core = [b + s * current_A for b, s in zip(base, slope, strict=True)]
    view = view_core(c, core)
    known = potentials(
        ops,
        c,
        tables,
        view,
        temperature_K=temperature_K,
        scaled_current_A=current_A,
    )
    out = cell_outputs(
        ops,
        c,
        view,
        known,
        temperature_K=temperature_K,
        current_A=current_A,
        scaled_current_A=current_A,
    )
    net_W = out.heat_generation_W - conductance * (temperature_K - coolant_K)
    heat_J = state[:, -1] + net_W * heating_time(
        ops, c, conductance_W_per_K=conductance, h=step
    )
    values = [
        out.voltage_V,
        out.plating_potential_V,
        out.heat_generation_W,
        out.voltage_bound_V,
        out.plating_bound_V,
        ops.distance(out.features, net_W / c.heat_capacity_J_per_K),
    ]
    return torch.stack([*core, heat_J], dim=-1), torch.stack(values, dim=-1)
