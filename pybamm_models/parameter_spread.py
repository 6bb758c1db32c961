"""Cells that are not quite the one of the parameter set: every parameter drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from packtwin.pybamm_models.request import Request

__all__ = ["UNCERTAIN", "spread_requests"]

# Capacities, diffusion, kinetics, electrolyte, heat capacity, cooling.
UNCERTAIN = (
    "Negative electrode active material volume fraction",
    "Positive electrode active material volume fraction",
    "Negative particle diffusivity factor",
    "Positive particle diffusivity factor",
    "Negative electrode exchange-current density factor",
    "Positive electrode exchange-current density factor",
    "Electrolyte conductivity factor",
    "Electrolyte diffusivity factor",
    "Negative electrode porosity",
    "Positive electrode porosity",
    "Negative electrode density [kg.m-3]",
    "Positive electrode density [kg.m-3]",
    "Cell cooling surface area [m2]",
)


def spread_requests(
    requests: Sequence[Request], tolerance: float, seed: int
) -> tuple[Request, ...]:
    """Return the requests, each for a cell of its own.

    Args:
        requests: What to solve.
        tolerance: Every one of `UNCERTAIN` is scaled by a factor drawn evenly from
            `1 - tolerance` to `1 + tolerance`, all of them independently. The start
            stoichiometries stay those of the parameter set.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    draws = rng.uniform(
        1.0 - tolerance, 1.0 + tolerance, (len(requests), len(UNCERTAIN))
    )
    return tuple(
        replace(request, factors=dict(zip(UNCERTAIN, map(float, row), strict=True)))
        for request, row in zip(requests, draws, strict=True)
    )
