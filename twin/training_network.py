"""A network with one hidden layer, fitted beside the cell's: `training_trust`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.errors import TrainingError

__all__ = ["SmallNetwork", "descend"]

Array: TypeAlias = NDArray[np.float64]

_LEARNING_RATE = 4e-3
_CHUNK = 200_000  # samples evaluated at once


@final
class SmallNetwork:
    """Linear, `z / sqrt(1 + z^2)`, linear, on normalised features."""

    def __init__(
        self, features: Tensor, sizes: tuple[int, int], generator: torch.Generator
    ) -> None:
        """Start with random weights.

        Args:
            features: Samples that say how to normalise, shape `(sample, feature)`.
            sizes: Width of the hidden layer and number of outputs.
            generator: Of the start.
        """
        self._centre = features.mean(dim=0)
        self._spread = features.std(dim=0) + 1e-6
        self.layers: list[Tensor] = []
        n_in = features.shape[-1]
        for n_out in sizes:
            matrix = torch.randn(n_out, n_in, generator=generator) / n_in**0.5
            bias = torch.zeros(n_out, requires_grad=True)
            self.layers += [matrix.requires_grad_(), bias]
            n_in = n_out

    def __call__(self, features: Tensor) -> Tensor:
        """Return the outputs, shape `(sample, output)`."""
        first, bias, second, offset = self.layers
        z = (features - self._centre) / self._spread
        hidden = torch.nn.functional.linear(z, first, bias)
        hidden = hidden * torch.rsqrt(1.0 + hidden * hidden)
        return torch.nn.functional.linear(hidden, second, offset)

    @torch.no_grad()
    def shift(self, by: Tensor) -> None:
        """Add to the outputs."""
        self.layers[3] += by

    @torch.no_grad()
    def everywhere(self, features: Tensor) -> Tensor:
        """Return the outputs of many samples, piece by piece."""
        return torch.cat([self(part) for part in torch.split(features, _CHUNK)])

    def arrays(self, label: str) -> dict[str, Array]:
        """Return the weights for features as they are, by the names of a spec."""
        first, bias, second, offset = (v.detach().double().numpy() for v in self.layers)
        first = first / self._spread.double().numpy()
        return {
            f"{label}_matrix_0": first,
            f"{label}_bias_0": bias - first @ self._centre.double().numpy(),
            f"{label}_matrix_1": second,
            f"{label}_bias_1": offset,
        }


def descend(network: SmallNetwork, loss: Callable[[], Tensor], iterations: int) -> None:
    """Minimise by Adam, the learning rate falling as a cosine.

    Args:
        network: Whose weights change.
        loss: Of a fresh batch.
        iterations: Steps.

    Raises:
        TrainingError: The loss stopped being finite.
    """
    optimizer = torch.optim.Adam(network.layers, lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for iteration in range(iterations):
        value = loss()
        if not torch.isfinite(value):
            msg = (
                f"Fitting bounds and guard diverged at iteration {iteration} (loss "
                f"{float(value)}); look for runs with errors that are no numbers."
            )
            raise TrainingError(msg)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
