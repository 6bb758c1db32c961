"""`VehicleParameters`: a vehicle's figures, and loading them from a TOML file.

The default figures are those of FASTSim (A. Brooker et al., SAE Technical Paper
2015-01-0973, doi:10.4271/2015-01-0973), the same for all cars.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np

from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["VehicleParameters", "load_vehicle", "road_load_from_drag"]

Curve: TypeAlias = tuple[float, ...]

_GRAVITY_M_PER_S2 = 9.81
_AIR_DENSITY_KG_PER_M3 = 1.2  # FASTSim's value
_DRAG_KEYS = ("drag_coefficient", "frontal_area_m2", "rolling_resistance_coefficient")
_FRACTIONS = ("transmission_efficiency", "regeneration_max_fraction")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleParameters:
    """A vehicle; the defaults are FASTSim's, the same for all cars.

    Attributes:
        name: What the vehicle is called in reports.
        mass_kg: Test mass.
        road_load_a_N: A of the road load F = A + B v + C v^2.
        road_load_b_Ns_per_m: B of the road load; may be negative (a fit).
        road_load_c_Ns2_per_m2: C of the road load.
        motor_power_max_W: Peak mechanical power of the motor, both directions.
        rotating_mass_fraction: Inertia of wheels and drive train over `mass_kg`.
        transmission_efficiency: Mechanical efficiency between motor and wheels.
        motor_power_fractions: Knots of the motor map: output over peak power.
        motor_efficiencies: Motor and inverter efficiency at the knots. Between them
            the input power (and, for regeneration, the returned power) is linear.
        regeneration_max_fraction: Share of the braking power the motor takes at speed.
        regeneration_half_speed_m_per_s: Speed at which half of that is left.
        regeneration_speed_width_m_per_s: Width of this logistic fade. FASTSim's
            1 / (1 + 500 exp(-0.99 (v/mph + 1))) is exactly this with the defaults.
        auxiliary_power_W: Constant electrical load of the vehicle.
    """

    name: str
    mass_kg: float
    road_load_a_N: float
    road_load_b_Ns_per_m: float
    road_load_c_Ns2_per_m2: float
    motor_power_max_W: float
    rotating_mass_fraction: float = 0.0
    transmission_efficiency: float = 0.98
    motor_power_fractions: Curve = (
        *(0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    )
    motor_efficiencies: Curve = (
        *(0.84, 0.86, 0.88, 0.90, 0.91, 0.92, 0.94, 0.95, 0.95, 0.94, 0.93),
    )
    regeneration_max_fraction: float = 0.98
    regeneration_half_speed_m_per_s: float = (math.log(500.0) / 0.99 - 1.0) * 0.44704
    regeneration_speed_width_m_per_s: float = 0.44704 / 0.99
    auxiliary_power_W: float = 250.0

    def __post_init__(self) -> None:
        """Check the ranges and the motor map."""
        for item in fields(self):
            value = getattr(self, item.name)
            values = value if isinstance(value, tuple) else (value,)
            if item.name != "name" and not all(math.isfinite(v) for v in values):
                self._refuse(item.name, value, "finite numbers")
        for name in (
            "mass_kg",
            "motor_power_max_W",
            "regeneration_speed_width_m_per_s",
        ):
            if getattr(self, name) <= 0.0:
                self._refuse(name, getattr(self, name), "a value > 0")
        for name in ("rotating_mass_fraction", "auxiliary_power_W", "road_load_a_N"):
            if getattr(self, name) < 0.0:
                self._refuse(name, getattr(self, name), "a value >= 0")
        for name in _FRACTIONS:
            if not 0.0 < getattr(self, name) <= 1.0:
                self._refuse(name, getattr(self, name), "a fraction in (0, 1]")
        self._check_motor_map()

    def _check_motor_map(self) -> None:
        x, eta = self.motor_power_fractions, self.motor_efficiencies
        if len(x) != len(eta) or len(x) < 2 or x[0] != 0.0 or x[-1] != 1.0:
            expected = "knots from 0 to 1, as many as `motor_efficiencies`"
            self._refuse("motor_power_fractions", x, expected)
        if any(not 0.0 < value <= 1.0 for value in eta):
            self._refuse("motor_efficiencies", eta, "fractions in (0, 1]")
        drawn = [a / b for a, b in zip(x, eta, strict=True)]
        returned = [a * b for a, b in zip(x, eta, strict=True)]
        if min(min(np.diff(x)), min(np.diff(drawn)), min(np.diff(returned))) <= 0.0:
            expected = "knots at which input and returned power rise"
            self._refuse("motor_power_fractions", x, expected)

    def _refuse(self, name: str, got: object, expected: str) -> None:
        msg = f"Vehicle `{self.name}`: `{name}` is {got}, expected {expected}."
        raise ScenarioError(msg)


def road_load_from_drag(
    *,
    mass_kg: float,
    drag_coefficient: float,
    frontal_area_m2: float,
    rolling_resistance_coefficient: float,
) -> dict[str, float]:
    """Return A, B and C of F = m g rr + 0.5 rho Cd A v^2 as keyword arguments."""
    return {
        "road_load_a_N": mass_kg * _GRAVITY_M_PER_S2 * rolling_resistance_coefficient,
        "road_load_b_Ns_per_m": 0.0,
        "road_load_c_Ns2_per_m2": 0.5
        * _AIR_DENSITY_KG_PER_M3
        * drag_coefficient
        * frontal_area_m2,
    }


def load_vehicle(path: Path) -> VehicleParameters:
    """Load a vehicle from a TOML file whose keys are the fields of the class.

    The road load is given by its three coefficients or by `drag_coefficient`,
    `frontal_area_m2` and `rolling_resistance_coefficient`.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"Cannot read the vehicle `{path}`: {error}; give a UTF-8 TOML file."
        raise ScenarioError(msg) from error
    _check_keys(path, table)
    values = {key: _checked_value(path, key, value) for key, value in table.items()}
    drag = {key: values.pop(key) for key in _DRAG_KEYS if key in values}
    if drag:
        clash = [key for key in values if key.startswith("road_load_")]
        if clash:
            msg = (
                f"`{path}` gives the road load twice, by `{clash[0]}` and by "
                f"`{next(iter(drag))}`; keep one set."
            )
            raise ScenarioError(msg)
        _check_complete(path, {**values, **drag}, ("mass_kg", *_DRAG_KEYS))
        values |= road_load_from_drag(mass_kg=values["mass_kg"], **drag)
    needed = tuple(f.name for f in fields(VehicleParameters) if f.default is MISSING)
    _check_complete(path, values, needed)
    return VehicleParameters(**values)


def _check_keys(path: Path, table: dict[str, Any]) -> None:
    known = [*(item.name for item in fields(VehicleParameters)), *_DRAG_KEYS]
    for key in table:
        if key not in known:
            msg = f"`{path}`: unknown key `{key}`; nearest: " + (
                f"{nearest_names(key, known)}."
            )
            raise ScenarioError(msg)


def _check_complete(path: Path, values: dict[str, Any], keys: tuple[str, ...]) -> None:
    missing = [f"`{key}`" for key in keys if key not in values]
    if missing:
        msg = f"`{path}` lacks {', '.join(missing)}; add every one of them."
        raise ScenarioError(msg)


def _checked_value(path: Path, key: str, value: Any) -> Any:
    if key == "name":
        if isinstance(value, str):
            return value
        expected = "a text"
    elif key in ("motor_power_fractions", "motor_efficiencies"):
        if isinstance(value, list) and all(_is_number(item) for item in value):
            return tuple(float(item) for item in value)
        expected = "a list of numbers"
    else:
        if _is_number(value):
            return float(value)
        expected = "a number"
    msg = f"`{path}`: `{key}` is {value!r}, expected {expected}; correct the value."
    raise ScenarioError(msg)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
