"""Physics that several files test, on a mesh that builds fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.physics import Physics

COARSE = Mesh(x_n=4, x_s=3, x_p=4, r_n=5, r_p=6)
AGEING = {
    "SEI": "solvent-diffusion limited",
    "SEI on cracks": "true",
    "SEI porosity change": "true",
    "lithium plating": "partially reversible",
    "loss of active material": "stress-driven",
    "particle mechanics": "swelling and cracking",
}


def physics(
    family: str = "SPMe", parameter_set: str = "Chen2020", **further: Any
) -> Physics:
    return Physics(
        family=family, parameter_set=parameter_set, **({"mesh": COARSE} | further)
    )


def flat(value: Any) -> Any:
    return np.asarray(value.full()).ravel()
