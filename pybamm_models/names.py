"""The one table from our names to PyBaMM's variable names.

No other file knows how PyBaMM calls a recorded output. The plating potential is the
surface potential difference at the separator interface: PyBaMM's plating *reaction
overpotential* exists without a plating model too and is then identically zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["OUTPUTS", "Output"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One recorded output: the sum of PyBaMM variables.

    No sign is flipped: PyBaMM counts current, heat and potentials as we do.
    """

    name: str
    terms: tuple[str, ...]
    is_edge_value: bool = False
    """Take the value at the electrode's separator edge (negative electrode only)."""


def _output(name: str, *terms: str, is_edge_value: bool = False) -> Output:
    return Output(name=name, terms=terms, is_edge_value=is_edge_value)


OUTPUTS: tuple[Output, ...] = (
    _output("voltage_V", "Voltage [V]"),
    _output("ocv_V", "Bulk open-circuit voltage [V]"),
    _output("temperature_K", "Volume-averaged cell temperature [K]"),
    _output(
        "plating_potential_V",
        "Negative electrode surface potential difference at separator interface [V]",
    ),
    _output("heat_total_W", "Total heating [W]"),
    _output(
        "heat_irreversible_W",
        "Ohmic heating [W]",
        "Irreversible electrochemical heating [W]",
    ),
    _output("heat_reversible_W", "Reversible heating [W]"),
    _output("heat_mixing_W", "Heat of mixing [W]"),
    _output("stoichiometry_negative_mean", "Average negative particle stoichiometry"),
    _output("stoichiometry_positive_mean", "Average positive particle stoichiometry"),
    _output(
        "stoichiometry_negative_surface",
        "X-averaged negative particle surface stoichiometry",
    ),
    _output(
        "stoichiometry_positive_surface",
        "X-averaged positive particle surface stoichiometry",
    ),
    _output(
        "stoichiometry_negative_separator",
        "Negative particle surface stoichiometry",
        is_edge_value=True,
    ),
)
"""Every output read from PyBaMM; `soc` follows from the negative mean."""
