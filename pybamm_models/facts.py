"""A cell's facts as plain arrays: what a surrogate needs to know for certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import numpy as np
import numpy.typing as npt
import pybamm
from scipy.optimize import brentq

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.particle_flux import integrate_diffusivity

__all__ = ["CellFacts", "DiffusionFacts", "cell_facts"]

_FARADAY_C_PER_MOL = 96485.33212
_WIDENING = 0.03
_DIFFUSION_TABLE_K = (233.15, 363.15, 131)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionFacts:
    """Diffusion in one electrode's particle.

    Attributes:
        stoichiometry: Arguments of `phi`.
        phi: Integral of the diffusivity, scaled to end at 1.
        rate_per_s: That scale over the squared radius of the particle.
        temperature_K: Arguments of `factor`.
        factor: Diffusivity over the one at the reference temperature.
    """

    stoichiometry: npt.NDArray[np.float64]
    phi: npt.NDArray[np.float64]
    rate_per_s: float
    temperature_K: npt.NDArray[np.float64]
    factor: npt.NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """Charge balance, open-circuit tables and thermal body of one cell.

    x is the negative, y the positive electrode's mean stoichiometry. Exactly
    `dx/dt = -I / (3600 Q_n)`, `dy/dt = +I / (3600 Q_p)` and
    `soc = (x - x0) / (x100 - x0)`; at rest
    `V = U_p(y) - U_n(x) + (T - T_ref) (dU_p/dT(y) - dU_n/dT(x))`.
    The lumped balance is `C(T) dT/dt = heat_total - h A (T - T_coolant)`.
    """

    cell: str
    x0: float
    x100: float
    y0: float
    y100: float
    capacity_Ah: float
    capacity_negative_Ah: float
    capacity_positive_Ah: float
    x: npt.NDArray[np.float64]
    ocp_negative_V: npt.NDArray[np.float64]
    entropic_negative_V_per_K: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    ocp_positive_V: npt.NDArray[np.float64]
    entropic_positive_V_per_K: npt.NDArray[np.float64]
    reference_temperature_K: float
    mass_kg: float
    cell_volume_m3: float
    cooling_area_m2: float
    heat_capacity_J_per_K: float
    """At the reference temperature."""
    heat_capacity_temperature_K: npt.NDArray[np.float64]
    heat_capacity_table_J_per_K: npt.NDArray[np.float64]
    negative_diffusion: DiffusionFacts
    positive_diffusion: DiffusionFacts

    def stoichiometries(self, soc: float) -> tuple[float, float]:
        """Return (x, y) at `soc`."""
        return (
            self.x0 + soc * (self.x100 - self.x0),
            self.y0 + soc * (self.y100 - self.y0),
        )

    def ocv_V(self, soc: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the open-circuit voltage at the reference temperature."""
        level = np.asarray(soc, dtype=float)
        x = self.x0 + level * (self.x100 - self.x0)
        y = self.y0 + level * (self.y100 - self.y0)
        positive = np.interp(y, self.y, self.ocp_positive_V)
        negative = np.interp(x, self.x, self.ocp_negative_V)
        return np.asarray(positive - negative, dtype=np.float64)


@lru_cache(maxsize=8)
def cell_facts(cell: Cell, n_points: int = 400) -> CellFacts:
    """Compute the facts of `cell` from its PyBaMM parameter set.

    The stoichiometry windows belong to the cell's voltage window at the reference
    temperature; the lithium inventory is the parameter set's own.
    """
    values = pybamm.ParameterValues(cell.parameter_set)
    capacity = {
        side: _electrode_capacity_Ah(values, side) for side in ("Negative", "Positive")
    }
    q_n, q_p = capacity["Negative"], capacity["Positive"]
    start = {
        side: float(
            values[f"Initial concentration in {side.lower()} electrode [mol.m-3]"]
        )
        / float(values[f"Maximum concentration in {side.lower()} electrode [mol.m-3]"])
        for side in capacity
    }
    lithium_Ah = q_n * start["Negative"] + q_p * start["Positive"]
    ocp_n = _table_function(values, "Negative electrode OCP [V]")
    ocp_p = _table_function(values, "Positive electrode OCP [V]")

    def excess(x: float, voltage_V: float) -> float:
        y = (lithium_Ah - q_n * x) / q_p
        return float(ocp_p(np.array([y]))[0] - ocp_n(np.array([x]))[0]) - voltage_V

    x_low = max(1e-4, (lithium_Ah - q_p * 0.9999) / q_n)
    x_high = min(0.9999, (lithium_Ah - q_p * 1e-4) / q_n)
    x0 = brentq(excess, x_low, x_high, args=(cell.voltage_min_V,), xtol=1e-14)
    x100 = brentq(excess, x_low, x_high, args=(cell.voltage_max_V,), xtol=1e-14)
    y0, y100 = ((lithium_Ah - q_n * x) / q_p for x in (x0, x100))
    x_table = np.linspace(
        max(1e-3, x0 - _WIDENING), min(0.999, x100 + _WIDENING), n_points
    )
    y_table = np.linspace(
        max(1e-3, y100 - _WIDENING), min(0.999, y0 + _WIDENING), n_points
    )
    thermal = _thermal_body(values)
    entropic = "electrode OCP entropic change [V.K-1]"
    return CellFacts(
        cell=cell.name,
        x0=x0,
        x100=x100,
        y0=y0,
        y100=y100,
        capacity_Ah=q_n * (x100 - x0),
        capacity_negative_Ah=q_n,
        capacity_positive_Ah=q_p,
        x=x_table,
        ocp_negative_V=ocp_n(x_table),
        entropic_negative_V_per_K=_table_function(values, f"Negative {entropic}")(
            x_table
        ),
        y=y_table,
        ocp_positive_V=ocp_p(y_table),
        entropic_positive_V_per_K=_table_function(values, f"Positive {entropic}")(
            y_table
        ),
        reference_temperature_K=float(values["Reference temperature [K]"]),
        cooling_area_m2=float(values["Cell cooling surface area [m2]"]),
        cell_volume_m3=float(values["Cell volume [m3]"]),
        negative_diffusion=_diffusion(values, "Negative"),
        positive_diffusion=_diffusion(values, "Positive"),
        **thermal,
    )


def _electrode_capacity_Ah(values: Any, side: str) -> float:
    area_m2 = float(values["Electrode height [m]"] * values["Electrode width [m]"])
    parallel = float(
        values["Number of electrodes connected in parallel to make a cell"]
    )
    amount = (
        float(values[f"{side} electrode thickness [m]"])
        * float(values[f"{side} electrode active material volume fraction"])
        * float(values[f"Maximum concentration in {side.lower()} electrode [mol.m-3]"])
    )
    return amount * area_m2 * parallel * _FARADAY_C_PER_MOL / 3600.0


def _diffusion(values: Any, side: str) -> DiffusionFacts:
    integral = integrate_diffusivity(values, side)
    entry = values[f"{side} particle diffusivity [m2.s-1]"]
    temperature_K = np.linspace(*_DIFFUSION_TABLE_K)

    def diffusivity(at_K: float) -> float:
        if not callable(entry):
            return float(entry)
        return float(entry(pybamm.Scalar(0.5), pybamm.Scalar(at_K)).evaluate())

    reference = diffusivity(float(values["Reference temperature [K]"]))
    radius_m = float(values[f"{side} particle radius [m]"])
    return DiffusionFacts(
        stoichiometry=np.asarray(integral.stoichiometry, dtype=float),
        phi=np.asarray(integral.phi, dtype=float),
        rate_per_s=integral.scale_m2_per_s / radius_m**2,
        temperature_K=temperature_K,
        factor=np.array([diffusivity(t) / reference for t in temperature_K]),
    )


def _table_function(
    values: Any, name: str
) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Return a parameter that is a number or a function of stoichiometry."""
    entry = values[name]

    def evaluate(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if not callable(entry):
            return np.full(points.shape, float(entry))
        try:
            symbol = entry(pybamm.Array(points))
        except TypeError:
            symbol = entry(pybamm.Array(points), pybamm.Scalar(0.0))
        result = values.process_symbol(symbol).evaluate()
        return np.broadcast_to(np.ravel(result), points.shape).astype(float)

    return evaluate


def _thermal_body(values: Any) -> dict[str, Any]:
    """Return mass and heat capacity as PyBaMM's lumped model has them.

    PyBaMM spreads the layers' mean density times heat capacity over the *cell*
    volume, which is larger than the stack's.
    """
    layers = (
        "Negative current collector",
        "Negative electrode",
        "Separator",
        "Positive electrode",
        "Positive current collector",
    )
    thickness = np.array([float(values[f"{a} thickness [m]"]) for a in layers])
    density = np.array([float(values[f"{a} density [kg.m-3]"]) for a in layers])
    temperature_K = np.linspace(253.15, 353.15, 41)
    specific = np.array(
        [
            _table_function(values, f"{a} specific heat capacity [J.kg-1.K-1]")(
                temperature_K
            )
            for a in layers
        ]
    )
    volume_m3 = float(values["Cell volume [m3]"])
    share = thickness / thickness.sum()
    table = volume_m3 * (share * density) @ specific
    reference_K = float(values["Reference temperature [K]"])
    return {
        "mass_kg": float(volume_m3 * share @ density),
        "heat_capacity_J_per_K": float(np.interp(reference_K, temperature_K, table)),
        "heat_capacity_temperature_K": temperature_K,
        "heat_capacity_table_J_per_K": table,
    }
