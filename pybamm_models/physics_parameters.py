"""The parameter set of a `Physics`: loaded, overridden and checked.

PyBaMM ignores an unknown name and integrates a negative diffusivity; here both are
refused before anything is built.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pybamm

from packtwin.pybamm_models.bpx_file import read_bpx_file
from packtwin.pybamm_models.identification_entries import add_entries
from packtwin.pybamm_models.physics_definition import Physics
from packtwin.twin.errors import ModelError
from packtwin.twin.variable import nearest_names

__all__ = [
    "Window",
    "is_never_negative",
    "load_parameters",
    "load_set",
    "number_of",
    "refuse_unknown",
    "refuse_unphysical",
    "soc_window",
]

_NOT_NEGATIVE = re.compile(
    r"(diffusivity|conductivity) \[|thickness|radius|porosity|volume fraction|"
    r"[Mm]aximum concentration|Electrode (height|width)|Cell volume|surface area|"
    r"heat capacity|density \[kg|heat transfer coefficient|capacity \[A.h\]|"
    r"temperature \[K\]|resistance \[Ohm|Number of|viscosity|Bruggeman"
)
_POSITIVE = re.compile(
    r"(Negative|Positive) particle (diffusivity|radius) \[|"
    r"Electrolyte (diffusivity|conductivity) \[|"
    r"((Negative|Positive) electrode|Separator) (thickness|porosity)|"
    r"active material volume fraction|Maximum concentration|"
    r"Electrode (height|width)|Cell volume|temperature \[K\]|Number of"
)
_FRACTION = re.compile(r"porosity$|volume fraction$|Cation transference number$")
_N_SAMPLES = 41


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Stoichiometries of the negative (x) and positive (y) electrode at SOC 0 and 1."""

    x0: float
    x100: float
    y0: float
    y100: float


def load_parameters(physics: Physics) -> Any:
    """Return the `pybamm.ParameterValues` of `physics` with its overrides.

    Overrides may add parameters that the set lacks; `refuse_unknown` checks them once
    the model is known.

    Raises:
        ModelError: unknown set or parameter, or a value that is not physical.
    """
    values = load_set(physics.parameter_set)
    for name, value in physics.overrides.items():
        if not math.isfinite(value):
            message = (
                f"Parameter `{name}` is overridden by {value}, expected a finite "
                "number. Correct `overrides`."
            )
            raise ModelError(message)
    if physics.overrides:
        values.update({name: float(v) for name, v in physics.overrides.items()})
    add_entries(physics.parameters, values)
    refuse_unknown(physics, physics.parameters, set(values.keys()))
    for name in physics.parameters:
        number_of(name, values)
    refuse_unphysical(values)
    return values


def refuse_unknown(physics: Physics, names: Iterable[str], known: set[str]) -> None:
    """Refuse the first of `names` that is not `known`, with the nearest ones."""
    for name in names:
        if name not in known:
            message = (
                f"Parameter `{name}` is not in `{physics.parameter_set}`; nearest: "
                f"{nearest_names(name, sorted(known))}."
            )
            raise ModelError(message)


def load_set(name: str) -> Any:
    """Return a PyBaMM parameter set by name, or the one in a BPX file.

    Raises:
        ModelError: no such set, or a file that cannot be read.
    """
    if name.endswith(".json"):
        return read_bpx_file(Path(name)).values
    known = list(pybamm.parameter_sets)
    if name not in known:
        message = (
            f"Parameter set `{name}` is unknown; nearest: "
            f"{nearest_names(name, known)}. Give one of PyBaMM's sets or a BPX file "
            "ending in `.json`."
        )
        raise ModelError(message)
    return pybamm.ParameterValues(name)


def is_never_negative(name: str) -> bool:
    """Whether a negative value of the parameter has no physical meaning."""
    return bool(_NOT_NEGATIVE.search(name) or _POSITIVE.search(name))


def number_of(name: str, values: Any) -> float:
    """Return a parameter that must be a plain number.

    Raises:
        ModelError: it is a function or a table.
    """
    entry = values[name]
    if isinstance(entry, int | float | np.floating | np.integer):
        return float(entry)
    if isinstance(entry, pybamm.Scalar):
        return float(entry.value)
    message = (
        f"Parameter `{name}` is a function of the state in this set, expected a "
        "number. Override it by a number or leave it out of `parameters`."
    )
    raise ModelError(message)


def soc_window(values: Any, physics: Physics) -> Window:
    """Return the stoichiometries that belong to the set's open-circuit window.

    The window is `Open-circuit voltage at 0% SOC [V]` and `... at 100% SOC [V]` at the
    reference temperature, with the set's lithium inventory.

    Raises:
        ModelError: no such stoichiometries exist.
    """
    try:
        with warnings.catch_warnings():
            # Its root finder looks beyond tables on its way to the root.
            warnings.simplefilter("ignore", pybamm.SolverWarning)
            x0, x100, y100, y0 = pybamm.lithium_ion.get_min_max_stoichiometries(
                values, options=pybamm.BatteryModelOptions(physics.all_options)
            )
    except (pybamm.SolverError, ValueError, KeyError) as error:
        message = (
            f"The stoichiometries at SOC 0 and 1 of `{physics.parameter_set}` cannot "
            f"be found: {error}. Check the open-circuit voltages at 0 % and 100 % SOC "
            "and the initial concentrations."
        )
        raise ModelError(message) from error
    if not (0.0 <= x0 < x100 <= 1.0 and 0.0 <= y100 < y0 <= 1.0):
        message = (
            f"The open-circuit window of `{physics.parameter_set}` needs "
            f"stoichiometries {x0:.4f} to {x100:.4f} (negative) and {y100:.4f} to "
            f"{y0:.4f} (positive), "
            "expected values from 0 to 1. Narrow the open-circuit voltages at 0 % and "
            "100 % SOC."
        )
        raise ModelError(message)
    return Window(x0=float(x0), x100=float(x100), y0=float(y0), y100=float(y100))


def refuse_unphysical(values: Any) -> None:
    """Refuse numbers and diffusivities that no material has.

    Raises:
        ModelError: the message names the parameter and its value.
    """
    for name, entry in values.items():
        if not isinstance(entry, int | float | np.floating | np.integer):
            continue
        value = float(entry)
        if _POSITIVE.search(name) and not value > 0.0:
            _refuse(name, value, "a positive value")
        if _NOT_NEGATIVE.search(name) and not value >= 0.0:
            _refuse(name, value, "no negative value")
        if _FRACTION.search(name) and not 0.0 <= value <= 1.0:
            _refuse(name, value, "a fraction from 0 to 1")
    for name in ("Negative", "Positive"):
        _refuse_negative_function(f"{name} particle diffusivity [m2.s-1]", values)


def _refuse_negative_function(name: str, values: Any) -> None:
    """Check a diffusivity that is a function of stoichiometry and temperature."""
    entry = values[name] if name in values.keys() else None  # noqa: SIM118
    if not callable(entry):
        return
    stoichiometry = np.linspace(0.02, 0.98, _N_SAMPLES)
    temperature_K = number_of("Reference temperature [K]", values)
    symbol = entry(pybamm.Array(stoichiometry), pybamm.Scalar(temperature_K))
    found = np.ravel(values.process_symbol(symbol).evaluate())
    if not float(found.min()) > 0.0:
        at = float(stoichiometry[min(int(found.argmin()), _N_SAMPLES - 1)])
        _refuse(f"{name}` at stoichiometry `{at:.2f}", float(found.min()), "> 0")


def _refuse(name: str, value: float, expected: str) -> None:
    message = (
        f"Parameter `{name}` is {value:g}, expected {expected}. Correct the parameter "
        "set or `overrides`."
    )
    raise ModelError(message)
