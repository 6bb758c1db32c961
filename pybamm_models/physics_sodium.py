"""PyBaMM's sodium-ion DFN with the variables that packtwin records.

`pybamm.sodium_ion.BasicDFN` has one temperature, no options and few variables; the
missing ones follow from its states as in the lithium-ion models.
"""

from __future__ import annotations

from typing import Any

import pybamm

__all__ = ["sodium_model"]


def sodium_model() -> Any:
    """Return the basic sodium-ion DFN under the lithium-ion models' variable names."""
    model = pybamm.sodium_ion.BasicDFN()
    known = model.variables
    parameters = model.param
    temperature = parameters.T_init
    mean: dict[str, Any] = {}
    for side, electrode in (("negative", parameters.n), ("positive", parameters.p)):
        Side = side.capitalize()
        c = known[f"{Side} particle concentration [mol.m-3]"]
        surface = pybamm.surf(c) / electrode.prim.c_max
        mean[side] = pybamm.x_average(pybamm.r_average(c)) / electrode.prim.c_max
        known[f"Average {side} particle stoichiometry"] = mean[side]
        known[f"{Side} particle surface stoichiometry"] = surface
        known[f"X-averaged {side} particle surface stoichiometry"] = pybamm.x_average(
            surface
        )
    known["Bulk open-circuit voltage [V]"] = parameters.p.prim.U(
        mean["positive"], temperature
    ) - parameters.n.prim.U(mean["negative"], temperature)
    known["Volume-averaged cell temperature [K]"] = temperature
    difference = (
        known["Negative electrode potential [V]"]
        - known["Negative electrolyte potential [V]"]
    )
    known[
        "Negative electrode surface potential difference at separator interface [V]"
    ] = pybamm.boundary_value(difference, "right")
    return model
