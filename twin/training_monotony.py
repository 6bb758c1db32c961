"""A residual for states that no run holds: more current never raises the voltage.

At any state of the core a larger discharge current leaves the terminals with less
voltage, and a larger charging current the negative electrode with a lower potential.
Runs show one current at each state; a network that fits them can have the wrong slope
beside them, and whoever solves for a current (a power limit, an optimiser) finds it.
States are those of runs and, as many, cells at rest at any state of charge, where most
of such questions begin and few runs do.
While discharging, the potential has no such law: kinetics get faster as the surface
empties.
"""

from __future__ import annotations

import torch
from torch import Tensor

from packtwin.twin.surrogate import CellOutputs, cell_outputs
from packtwin.twin.surrogate_core import (
    CORE_VIEW,
    CoreView,
    potentials,
    rest_core,
    view_core,
)
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations

__all__ = ["monotony_loss"]

_MOST_C_RATE, _STEP_C_RATE = 3.0, 0.1
_LEAST_OHM_Ah = 0.0025  # resistance times capacity; a tenth of the cell's least
_SCALE_V = 0.001
_TEMPERATURES_K = (258.15, 323.15)  # of cells at rest
_WINDOW_V = (2.0, 4.6)  # beyond it nobody asks


def monotony_loss(
    ops: TorchOperations,
    spec: SurrogateSpec,
    known: dict[str, Tensor],
    generator: torch.Generator,
) -> Tensor:
    """Return how far voltage and plating potential go the wrong way with the current.

    Args:
        ops: Back end with the weights.
        spec: The surrogate.
        known: Columns of a `TrainingBatch`, shape `(n,)`: states to ask about.
        generator: Of cells at rest, and of the currents, up to 3C either way.

    Returns:
        Mean square of the wrong change over a tenth of the capacity's current, in units
        of 1 mV (linear in what is far off), where the voltage is one that a cell has.
    """
    c, tables = spec.constants, spec.tables
    capacity_Ah = c.nominal_capacity_Ah
    n = len(known["temperature_K"])
    soc, warmth, draw = torch.rand((3, 2 * n), generator=generator)
    at_rest = view_core(c, rest_core(c, soc[:n])).flat()
    names = (*CORE_VIEW, *(f"mode_{k + 1}" for k in range(spec.n_mode)))
    view = CoreView.of_flat(
        [torch.cat([known[k], v]) for k, v in zip(names, at_rest, strict=True)]
    )
    low_K, high_K = _TEMPERATURES_K
    resting_K = low_K + (high_K - low_K) * warmth[:n]
    temperature_K = torch.cat([known["temperature_K"], resting_K])
    low_A = (2.0 * draw - 1.0) * _MOST_C_RATE * capacity_Ah
    outputs: list[CellOutputs] = []
    is_asked = torch.ones_like(draw, dtype=torch.bool)
    for current_A in (low_A, low_A + _STEP_C_RATE * capacity_Ah):
        seen = potentials(
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
            seen,
            temperature_K=temperature_K,
            current_A=current_A,
            scaled_current_A=current_A,
        )
        voltage_V = out.voltage_V.detach()
        is_asked &= (voltage_V > _WINDOW_V[0]) & (voltage_V < _WINDOW_V[1])
        outputs.append(out)
    before, after = outputs
    wrong_V = torch.stack(
        [
            after.voltage_V - before.voltage_V + _STEP_C_RATE * _LEAST_OHM_Ah,
            (low_A < 0.0) * (before.plating_potential_V - after.plating_potential_V),
        ]
    )
    squares = (is_asked * torch.relu(wrong_V) / _SCALE_V).square()
    # Linear in what is far off, so that a few states do not drown the data.
    return (2.0 * (torch.sqrt(1.0 + squares) - 1.0)).sum(dim=0).mean()
