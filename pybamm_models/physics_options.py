"""Checks PyBaMM's model options before PyBaMM sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pybamm

from packtwin.pybamm_models.physics_definition import Physics
from packtwin.twin.errors import ModelError
from packtwin.twin.variable import nearest_names

__all__ = ["check_options"]

# What a `Model` of one current, one temperature and two electrodes can be.
_SUPPORTED: dict[str, tuple[str, ...]] = {
    "dimensionality": ("0",),
    "operating mode": ("current",),
    "particle phases": ("1",),
    "particle size": ("single",),
    "thermal": ("isothermal", "lumped"),
    "working electrode": ("both",),
    "convection": ("none",),
    "current collector": ("uniform",),
    "intercalation kinetics": (
        "symmetric Butler-Volmer",
        "asymmetric Butler-Volmer",
        "linear",
        "Marcus",
        "Marcus-Hush-Chidsey",
    ),
}


def check_options(physics: Physics) -> None:
    """Refuse options that PyBaMM does not know or a `Model` cannot express.

    Raises:
        ModelError: the message names the nearest valid names.
    """
    _check_family(physics)
    possible = dict(pybamm.BatteryModelOptions({}).possible_options)
    for name, value in physics.options.items():
        if name not in possible:
            message = (
                f"PyBaMM has no option `{name}`; nearest: "
                f"{nearest_names(name, list(possible))}."
            )
            raise ModelError(message)
        choices = [str(c) for c in possible[name] if not isinstance(c, tuple)]
        for item in _flat(value):
            if choices and item not in choices:
                message = (
                    f"Option `{name}` is `{item}`, which PyBaMM does not know; "
                    f"nearest: {nearest_names(item, choices)}."
                )
                raise ModelError(message)
            allowed = _SUPPORTED.get(name, (item,))
            if item not in allowed:
                message = (
                    f"Option `{name}` is `{item}`, expected one of "
                    f"{', '.join(f'`{a}`' for a in allowed)}: a `Model` has one "
                    "current, one temperature and one particle size per electrode."
                )
                raise ModelError(message)


def _check_family(physics: Physics) -> None:
    if physics.is_flux_integrated and physics.family != "DFN":
        message = (
            f"`is_flux_integrated` needs the family `DFN`, got `{physics.family}`. "
            "Leave it out: it refines the particles of the DFN."
        )
        raise ModelError(message)
    if physics.chemistry == "lithium_ion":
        return
    if physics.family != "DFN" or physics.options or physics.is_flux_integrated:
        message = (
            f"Chemistry `sodium_ion` is PyBaMM's basic DFN at one temperature, got "
            f"family `{physics.family}` with options {dict(physics.options)}. Use "
            "`DFN` without options."
        )
        raise ModelError(message)


def _flat(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    return tuple(item for part in value for item in _flat(part))
