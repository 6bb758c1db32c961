"""Parameters that no set has, but that measured data can say something about.

Beside the numbers of a set, `Physics.parameters` may name

- `X factor`, where the set gives `X [unit]` as a function of the state: the function
  is multiplied by it (1 unless identified): `Negative particle diffusivity factor`;
- `Negative electrode start stoichiometry shift` and the same of the positive one, added
  to the stoichiometry that belongs to `soc_start` (0): what the cell's lithium
  inventory and the start of the record decide;
- `Positive electrode OCP correction at stoichiometry 0.45 [V]`, for two or more
  stoichiometries of one electrode: values (0) of a natural cubic spline that is added
  to the open-circuit potential; straight beyond its ends;
- `Positive particle diffusivity log factor at stoichiometry 0.9` likewise: the same
  spline is the logarithm of a factor of that diffusivity, or of an
  `electrode exchange-current density`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pybamm

from packtwin.twin.errors import ModelError
from packtwin.twin.natural_spline import natural_spline
from packtwin.twin.variable import nearest_names

__all__ = [
    "START_SHIFT",
    "add_entries",
    "log_factor_name",
    "ocp_correction_name",
    "shifted",
]

START_SHIFT = {
    side: f"{side.capitalize()} electrode start stoichiometry shift"
    for side in ("negative", "positive")
}
_NODE = re.compile(
    r"(?P<stem>(Negative|Positive) (electrode OCP|particle diffusivity|"
    r"electrode exchange-current density)) (?P<kind>correction|log factor) at "
    r"stoichiometry (?P<at>[01]?\.\d+|0|1)(?P<unit> \[V\])?"
)
_FACTOR = " factor"


def ocp_correction_name(side: str, stoichiometry: float) -> str:
    """Return the name of one value of the correction of an electrode's potential.

    Args:
        side: `Negative` or `Positive`.
        stoichiometry: 0 to 1.
    """
    return f"{side} electrode OCP correction at stoichiometry {stoichiometry:g} [V]"


def log_factor_name(stem: str, stoichiometry: float) -> str:
    """Return the name of one value of the logarithm of a factor.

    Args:
        stem: Such as `Positive particle diffusivity`.
        stoichiometry: 0 to 1.
    """
    return f"{stem} log factor at stoichiometry {stoichiometry:g}"


def add_entries(names: Sequence[str], values: Any) -> None:
    """Add what `names` ask for to `pybamm.ParameterValues`, without any effect yet.

    Raises:
        ModelError: there is nothing to scale, or the values do not make a spline.
    """
    known = set(values.keys())
    nodes: dict[str, list[tuple[float, str]]] = {}
    for name in names:
        found = _NODE.fullmatch(name)
        if found and (found["kind"] == "correction") == bool(found["unit"]):
            nodes.setdefault(found["stem"], []).append((float(found["at"]), name))
        elif name in START_SHIFT.values():
            values.update({name: 0.0})
        elif name.endswith(_FACTOR) and name not in known:
            _add_factor(name, values)
    for stem, pairs in nodes.items():
        _add_spline(stem, sorted(pairs), values)


def _functions(values: Any) -> dict[str, str]:
    """Return the entries that are functions, by their names without unit."""
    entries = [str(key) for key in values.keys()]  # noqa: SIM118
    return {key.partition(" [")[0]: key for key in entries if callable(values[key])}


def _add_factor(name: str, values: Any) -> None:
    stem = name.removesuffix(_FACTOR)
    functions = _functions(values)
    if stem not in functions:
        numbers = {str(k).partition(" [")[0]: str(k) for k in values.keys()}  # noqa: SIM118
        others = [f"{k}{_FACTOR}" for k in functions]
        remedy = (
            f"it is a number here, so choose `{numbers[stem]}` itself"
            if stem in numbers
            else f"nearest: {nearest_names(name, others)}"
        )
        message = f"`{name}` multiplies no function of this parameter set; {remedy}."
        raise ModelError(message)
    scaled = _scaled(name, values[functions[stem]])
    values.update({name: 1.0, functions[stem]: scaled})


def _scaled(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def scaled(*arguments: Any) -> Any:
        return pybamm.Parameter(name) * function(*arguments)

    return scaled


def _add_spline(stem: str, pairs: Sequence[tuple[float, str]], values: Any) -> None:
    at = np.array([stoichiometry for stoichiometry, _ in pairs])
    if len(at) < 2 or not np.all(np.diff(at) > 0):
        listed = ", ".join(f"{a:g}" for a in at)
        message = (
            f"The correction of `{stem}` has values at stoichiometries {listed}, "
            "expected two or more different ones. Add one."
        )
        raise ModelError(message)
    functions = _functions(values)
    if stem not in functions:
        message = (
            f"`{stem}` is no function in this parameter set, so it cannot be "
            "corrected along the stoichiometry. Give it as a function."
        )
        raise ModelError(message)
    names = [name for _, name in pairs]
    entry = functions[stem]
    function = values[entry]
    corrected = _with_spline(stem, function, _spline(at, names))
    values.update(dict.fromkeys(names, 0.0) | {entry: corrected})


def _with_spline(
    stem: str, function: Callable[..., Any], spline: Callable[[Any], Any]
) -> Callable[..., Any]:
    def added(stoichiometry: Any) -> Any:
        return function(stoichiometry) + spline(stoichiometry)

    def multiplied(*arguments: Any) -> Any:
        # (stoichiometry, T), or (c_e, c_s_surface, c_s_max, T) of a reaction.
        at = arguments[1] / arguments[2] if len(arguments) == 4 else arguments[0]
        return function(*arguments) * pybamm.exp(spline(at))

    return added if stem.endswith("OCP") else multiplied


def _spline(at: npt.NDArray[np.float64], names: Sequence[str]) -> Callable[[Any], Any]:
    cubes, line = natural_spline(at)

    def combined(row: npt.NDArray[np.float64]) -> Any:
        terms = [
            float(w) * pybamm.Parameter(n) for w, n in zip(row, names, strict=True)
        ]
        return sum(terms[1:], terms[0])

    def spline(stoichiometry: Any) -> Any:
        total = combined(line[0])
        total = total + combined(line[1]) * (stoichiometry - float(at[0]))
        for node, row in zip(at, cubes, strict=True):
            beyond = pybamm.maximum(stoichiometry - float(node), 0.0)
            total = total + combined(row) * beyond**3
        return total

    return spline


def shifted(side: str, stoichiometry: Any, chosen: Mapping[str, Any]) -> Any:
    """Return the start stoichiometry with the shift that was chosen, if any."""
    shift = START_SHIFT[side]
    return stoichiometry + chosen[shift] if shift in chosen else stoichiometry
