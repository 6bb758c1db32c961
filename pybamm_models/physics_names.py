"""Names made from PyBaMM's: snake case, the unit as a suffix.

`Negative particle diffusivity [m2.s-1]` becomes
`negative_particle_diffusivity_m2_per_s`. Outputs that packtwin knows are in `names`.
"""

from __future__ import annotations

import re

from packtwin.twin.errors import ModelError
from packtwin.twin.units import UNITS, unit_of_name

__all__ = ["name_of"]

_FACTOR = re.compile(r"(?P<base>[A-Za-z]+)(?P<power>-?\d*)\Z")
_PLAIN = ("", "-", "1")


def name_of(pybamm_name: str, *, has_unit: bool = True) -> str:
    """Return our name of a PyBaMM parameter or variable.

    Args:
        pybamm_name: Text with its unit in square brackets.
        has_unit: Append the unit; events are named without one.

    Raises:
        ModelError: the unit has no suffix in `twin.units`.
    """
    text, _, unit = pybamm_name.partition("[")
    words = re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_")
    unit = unit.rpartition("]")[0].strip()
    if unit == "%":
        return f"{words}_percent"
    if not has_unit or unit in _PLAIN:
        return words if unit_of_name(words) == "1" else f"{words}_value"
    name = f"{words}_{_suffix(unit, pybamm_name)}"
    if UNITS[unit_of_name(name)].name == "1":
        message = (
            f"`{pybamm_name}` has the unit `{unit}`, for which there is no suffix, "
            "expected one of `packtwin.twin.units`. Add it there."
        )
        raise ModelError(message)
    return name


def _is_last(factor: str) -> bool:
    return factor in ("K-1", "s-1")


def _suffix(unit: str, pybamm_name: str) -> str:
    above, below = "", ""
    for factor in sorted(unit.split("."), key=_is_last):
        match = _FACTOR.match(factor)
        if match is None:
            message = (
                f"`{pybamm_name}` has the unit `{unit}`, expected factors such as "
                "`mol.m-3`. Rename it in the parameter set."
            )
            raise ModelError(message)
        base, power = match["base"], match["power"]
        if power.startswith("-"):
            below += base + power.removeprefix("-").removeprefix("1")
        else:
            above += base + power
    return (
        "_per_".join(part for part in (above, below) if part)
        if above
        else (f"per_{below}")
    )
