"""The same cell equations in torch: batched, differentiable, for training."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from packtwin.twin.surrogate import (
    CORRECTIONS,
    cell_derivatives,
    cell_outputs,
    mode_rates,
)
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.table import Table

__all__ = ["TorchOperations", "mode_scan", "torch_step"]

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
        self._tables: dict[int, Tensor] = {}

    def arrays(self) -> dict[str, Array]:
        """Return the weights as float64 arrays."""
        return {
            k: v.detach().cpu().double().numpy().copy() for k, v in self.weights.items()
        }

    def exp(self, x: Any) -> Any:
        """Return the exponential."""
        return torch.exp(x)

    def sqrt(self, x: Any) -> Any:
        """Return the square root."""
        return torch.sqrt(x)

    def asinh(self, x: Any) -> Any:
        """Return the inverse hyperbolic sine."""
        return torch.asinh(x)

    def table(self, table: Table, x: Tensor) -> Tensor:
        """Evaluate a table."""
        key = id(table)
        if key not in self._tables:
            self._tables[key] = torch.tensor(table.coefficients, dtype=self._dtype)
        s = (x - table.lower) * table.scale
        i = torch.clamp(torch.floor(s.detach()), 0, len(table.coefficients) - 1)
        w = s - i
        c = self._tables[key][i.long()]
        value: Tensor = c[..., 0] + w * (c[..., 1] + w * (c[..., 2] + w * c[..., 3]))
        return value

    def weight(self, label: str) -> Tensor:
        """Return an array of learned numbers."""
        value: Tensor = self.weights[label]
        return value

    def _network(self, label: str, features: list[Tensor]) -> Tensor:
        z = _stack(features)
        k = 0
        while f"{label}_matrix_{k}" in self.weights:
            if k:
                z = z / torch.sqrt(1.0 + z * z)
            z = z @ self.weights[f"{label}_matrix_{k}"].T
            z = z + self.weights[f"{label}_bias_{k}"]
            k += 1
        return z

    def network(self, label: str, features: list[Tensor]) -> tuple[Tensor, ...]:
        """Evaluate a network over the last axis of the stacked features."""
        values: tuple[Tensor, ...] = self._network(label, features).unbind(-1)
        return values

    def corrections(
        self, features: list[Tensor], excitation: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return `W(features) e` by correction."""
        flat, e = self._network("closure", features), _stack(excitation)
        rows = flat.reshape(*flat.shape[:-1], len(CORRECTIONS), e.shape[-1])
        values: tuple[Tensor, ...] = (rows @ e[..., None])[..., 0].unbind(-1)
        return values


def _stack(values: list[Tensor]) -> Tensor:
    return torch.stack(values, dim=-1)


def mode_scan(decay: Tensor, drive: Tensor, start: Tensor, chunk: int = 32) -> Tensor:
    """Run `s_(j+1) = a_j s_j + (1 - a_j) i_j` for all modes, in chunks.

    Within each chunk all chunks advance together, then the chunks are joined: about
    `chunk + n / chunk` sequential operations instead of `n`.

    Args:
        decay: `a`, shape `(batch, n, n_mode)`.
        drive: Mean C-rate of each step, shape `(batch, n)`.
        start: Modes at the first sample, shape `(batch, n_mode)`.
        chunk: Steps per chunk.

    Returns:
        Modes at all samples, shape `(batch, n + 1, n_mode)`.
    """
    batch, n, k = decay.shape
    pad = -n % chunk
    a = torch.nn.functional.pad(decay, (0, 0, 0, pad), value=1.0)
    b = (1.0 - decay) * drive[..., None]
    b = torch.nn.functional.pad(b, (0, 0, 0, pad))
    a = a.reshape(batch, -1, chunk, k)
    b = b.reshape(batch, -1, chunk, k)
    local = [b[:, :, 0]]
    for j in range(1, chunk):
        local.append(a[:, :, j] * local[-1] + b[:, :, j])
    inner = torch.stack(local, dim=2)
    product = torch.cumprod(a, dim=2)
    carry = [start]
    for j in range(a.shape[1]):
        carry.append(product[:, j, -1] * carry[-1] + inner[:, j, -1])
    begins = torch.stack(carry[:-1], dim=1)
    full = (inner + product * begins[:, :, None]).reshape(batch, -1, k)[:, :n]
    return torch.cat([start[:, None], full], dim=1)


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
        Next state and `(batch, 3)`: voltage, plating potential and mean heat
        generation.
    """
    c, n = spec.constants, spec.n_mode
    conductance = u[:, 2] * c.cooling_area_m2

    def rhs(s: Tensor) -> tuple[Tensor, Tensor]:
        modes = list(s[:, 2 : 2 + n].unbind(-1))
        temperature = ops.table(spec.tables["temperature_K"], s[:, -1])
        rate = u[:, 0] / c.nominal_capacity_Ah
        out = cell_outputs(
            ops,
            c,
            spec.tables,
            x=s[:, 0],
            y=s[:, 1],
            modes=modes,
            temperature_K=temperature,
            rate=rate,
            current_A=u[:, 0],
        )
        rates = mode_rates(ops, c, n, s[:, 0], temperature)
        dx, dy, ds = cell_derivatives(
            c,
            modes=modes,
            rates=rates,
            rate=rate,
            scaled_current_A=u[:, 0],
        )
        dh = out.heat_generation_W - conductance * (temperature - u[:, 1])
        values = [out.voltage_V, out.plating_potential_V, out.heat_generation_W]
        return torch.stack([dx, dy, *ds, dh], dim=-1), torch.stack(values, dim=-1)

    f, now = rhs(state)
    now_K = ops.table(spec.tables["temperature_K"], state[:, -1])
    rates = torch.stack(mode_rates(ops, c, n, state[:, 0], now_K), dim=-1)
    zero = torch.zeros_like(state[:, :2])
    warm = (conductance / c.heat_capacity_J_per_K)[:, None]
    z = -h * torch.cat([zero, rates, warm], dim=-1)
    small = torch.abs(z) < 1e-2
    safe = torch.where(small, torch.ones_like(z), z)
    series = torch.zeros_like(z)
    for k in range(7, -1, -1):
        series = series * z + 1.0 / float(np.prod(np.arange(1.0, k + 3)))
    phi2 = torch.where(small, series, (torch.expm1(safe) / safe - 1.0) / safe)
    d = h * phi2 * f
    change, slope = torch.func.jvp(rhs, (state,), (d,))[1]
    nxt = state + h * (f + change)
    end = rhs(nxt)[1]
    mean_heat = now[:, 2] + slope[:, 2]
    return nxt, torch.stack([end[:, 0], end[:, 1], mean_heat], dim=-1)
