"""The DFN with particle fluxes from the integrated diffusivity.

PyBaMM's finite volumes take the *harmonic* mean of the diffusivity between two
shells. ORegan2022's graphite diffusivity changes by orders of magnitude over a few
per cent of stoichiometry, so one slow shell blocks its neighbours and the result
depends on the mesh up to hundreds of points. Here the flux is the difference of
`phi(s) = integral of D(s) ds` (Kirchhoff transform), which is the exact mean of `D`
between two shells: the same equation, the same boundary flux, a far smaller mesh
error. The stock scheme converges to the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pybamm
from scipy.integrate import cumulative_simpson

from packtwin.twin.errors import ModelError

__all__ = ["DiffusivityIntegral", "IntegratedFluxDFN", "integrate_diffusivity"]

_LOWEST, _HIGHEST, _N_POINTS, _FINER = -0.02, 1.02, 2081, 20


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusivityIntegral:
    """Table of `phi(s)`, scaled to end at 1, its scale and `D(0.5)` in m2/s.

    `phi` holds at the reference temperature; the diffusivity at another one differs
    by a factor that does not depend on the stoichiometry.
    """

    stoichiometry: Any
    phi: Any
    scale_m2_per_s: float
    middle_m2_per_s: float


def integrate_diffusivity(parameters: Any, electrode: str) -> DiffusivityIntegral:
    """Tabulate the integral of one electrode's (`Negative`, `Positive`) diffusivity.

    Raises:
        ModelError: the diffusivity's temperature factor depends on stoichiometry.
    """
    name = f"{electrode} particle diffusivity [m2.s-1]"
    function = parameters[name]
    reference_K = float(parameters["Reference temperature [K]"])
    fine = np.linspace(_LOWEST, _HIGHEST, (_N_POINTS - 1) * _FINER + 1)

    def diffusivity(temperature_K: float) -> Any:
        if not callable(function):
            return np.full(fine.shape, float(function))
        symbol = function(pybamm.Array(fine), pybamm.Scalar(temperature_K))
        # A factor that is a parameter counts as its present value here, and scales
        # `_IntegratedFlux` through the diffusivity in the middle.
        value = parameters.process_symbol(symbol).evaluate()
        return np.asarray(value, dtype=float).ravel()

    at_reference = diffusivity(reference_K)
    ratio = diffusivity(reference_K - 30.0) / at_reference
    if float(np.ptp(ratio)) > 1e-9 * float(ratio.max()):
        message = (
            f"`{name}` cannot be integrated once for all temperatures: its "
            "temperature factor depends on stoichiometry, expected a separable "
            "function. Use the cell with `is_flux_integrated=False`."
        )
        raise ModelError(message)
    phi = cumulative_simpson(at_reference, x=fine, initial=0.0)[::_FINER]
    return DiffusivityIntegral(
        stoichiometry=fine[::_FINER],
        phi=phi / phi[-1],
        scale_m2_per_s=float(phi[-1]),
        middle_m2_per_s=float(np.interp(0.5, fine, at_reference)),
    )


class _IntegratedFlux(pybamm.particle.FickianDiffusion):  # type: ignore[misc]
    """Fickian diffusion whose flux is the gradient of the integrated diffusivity."""

    def __init__(
        self, param: Any, domain: str, options: Any, integral: DiffusivityIntegral
    ) -> None:
        super().__init__(param, domain, options, phase="primary", x_average=False)
        self._integral = integral

    def get_coupled_variables(self, variables: Any) -> Any:
        """Replace the particle's right-hand side; keep all recorded variables."""
        variables = super().get_coupled_variables(variables)
        domain, Domain = self.domain_Domain
        particle = [f"{domain} particle"]
        table = self._integral
        c_max = self.phase_param.c_max
        c = variables[f"{Domain} particle concentration [mol.m-3]"]
        T = variables[f"{Domain} electrode temperature [K]"]
        radius = variables[f"{Domain} particle radius"]
        j = variables[f"{Domain} electrode interfacial current density [A.m-2]"]
        half = pybamm.Scalar(0.5) * c_max
        factor = self.phase_param.D(half, T) / pybamm.Scalar(table.middle_m2_per_s)
        scale = c_max * table.scale_m2_per_s
        self._phi = pybamm.Interpolant(
            table.stoichiometry, table.phi, c / c_max, interpolator="cubic"
        )
        self._outer_gradient = -j * radius / self.param.F / scale / factor
        variables[f"{Domain} particle rhs [mol.m-3.s-1]"] = (
            scale / radius**2 * pybamm.PrimaryBroadcast(factor, particle)
        ) * pybamm.div(pybamm.grad(self._phi))
        return variables

    def set_boundary_conditions(self, variables: Any) -> None:
        """Set the flux at the surface, which the transform keeps exactly."""
        super().set_boundary_conditions(variables)
        self.boundary_conditions[self._phi] = {
            "left": (pybamm.Scalar(0), "Neumann"),
            "right": (self._outer_gradient, "Neumann"),
        }


class IntegratedFluxDFN(pybamm.lithium_ion.DFN):  # type: ignore[misc]
    """The Doyle-Fuller-Newman model with `_IntegratedFlux` in both particles."""

    def __init__(
        self,
        options: dict[str, str],
        negative: DiffusivityIntegral,
        positive: DiffusivityIntegral,
    ) -> None:
        self._integrals = {"negative": negative, "positive": positive}
        super().__init__(options)

    def set_particle_submodel(self) -> None:
        """Install the particles; other submodels are the stock ones."""
        super().set_particle_submodel()
        for domain, integral in self._integrals.items():
            self.submodels[f"{domain} primary particle"] = _IntegratedFlux(
                self.param, domain, self.options, integral
            )
