"""Where the energy and the lithium went: balances of a recorded run.

Every flow is the mean over a step, so the sums below are exact integrals, and a
balance that the equations keep must close to rounding. The ports are those of
docs/ports.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result import Result

__all__ = ["Balance", "ChargeBalance", "charge_balance", "energy_balances"]

Array: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """In, out and stored energies of one subsystem over a run, in J.

    Attributes:
        name: The subsystem.
        inflow: Energies that enter, by source.
        outflow: Energies that leave, by destination.
        stored: Growth of what is stored.
        turnover_J: Integral of the pack's absolute power, the measure of a residual.
    """

    name: str
    inflow: Mapping[str, float]
    outflow: Mapping[str, float]
    stored: Mapping[str, float]
    turnover_J: float

    @property
    def residual_J(self) -> float:
        """In less out less stored: 0 for a subsystem that loses nothing."""
        return (
            sum(self.inflow.values())
            - sum(self.outflow.values())
            - sum(self.stored.values())
        )

    @property
    def residual_fraction(self) -> float:
        """Absolute residual over the turnover."""
        return abs(self.residual_J) / self.turnover_J if self.turnover_J else 0.0

    def figures(self, prefix: str) -> dict[str, float]:
        """Return every entry under `prefix.name`, for a summary."""
        start = f"{prefix}.{self.name}"
        return {
            **{f"{start}.in.{key}_J": value for key, value in self.inflow.items()},
            **{f"{start}.out.{key}_J": value for key, value in self.outflow.items()},
            **{f"{start}.stored.{key}_J": value for key, value in self.stored.items()},
            f"{start}.residual_J": self.residual_J,
            f"{start}.residual_fraction": self.residual_fraction,
        }


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeBalance:
    """The summed pack current against the lithium of each electrode, in Ah.

    Attributes:
        throughput_Ah: Integral of the absolute current.
        current_Ah: Integral of the current.
        negative_Ah: Loss of lithium in the negative electrodes.
        positive_Ah: Gain of lithium in the positive electrodes.
    """

    throughput_Ah: float
    current_Ah: float
    negative_Ah: float
    positive_Ah: float

    @property
    def residual_fraction(self) -> float:
        """The larger mismatch over the throughput."""
        mismatch = max(
            abs(self.current_Ah - self.negative_Ah),
            abs(self.current_Ah - self.positive_Ah),
        )
        return mismatch / self.throughput_Ah if self.throughput_Ah else 0.0


def charge_balance(result: Result) -> ChargeBalance:
    """Sum the recorded current and compare it with the recorded lithium."""
    current, h = result["pack.current_A"][1:], np.diff(result.time_s)
    return ChargeBalance(
        throughput_Ah=float(np.abs(current) @ h / 3600.0),
        current_Ah=float(current @ h / 3600.0),
        negative_Ah=-_growth(result, "pack.lithium_negative_Ah"),
        positive_Ah=_growth(result, "pack.lithium_positive_Ah"),
    )


def energy_balances(
    result: Result, *, plate_J_per_K: float, reservoir_J_per_K: float
) -> tuple[Balance, ...]:
    """Return the balances of pack, cooling, vehicle and whole system.

    The chemical energy is what chemistry gives up: OCV times current plus heat of
    mixing, with the reversible heat beside it. While plugged in, the charger supplies
    the vehicle's request and what the pack takes.

    Args:
        result: A run of the EV system with all its outputs.
        plate_J_per_K: Heat capacity of the coolant at the plate.
        reservoir_J_per_K: Heat capacity of the rest of the loop.
    """
    h = np.diff(result.time_s)

    def energy(name: str) -> float:
        return float(result[name][1:] @ h)

    turnover = float(np.abs(result["pack.power_W"][1:]) @ h)
    reversible = energy("pack.heat_reversible_W")
    chemical = {
        "chemical": energy("pack.chemical_power_W") - reversible,
        "reversible_heat": reversible,
    }
    cells = {"cell_heat": _growth(result, "pack.stored_heat_J")}
    coolant = {
        "coolant_heat": plate_J_per_K * _growth(result, "cooling.coolant_temperature_K")
        + reservoir_J_per_K * _growth(result, "cooling.reservoir_temperature_K")
    }
    rejected = {
        "ambient": energy("cooling.heat_coolant_to_ambient_W"),
        "refrigerant": energy("cooling.heat_coolant_to_refrigerant_W"),
    }
    driven = {
        "wheel": energy("vehicle.wheel_power_W") - energy("vehicle.unmet_power_W"),
        "friction_brake": energy("vehicle.friction_brake_power_W"),
        "motor_loss": energy("vehicle.motor_loss_W"),
        "auxiliary": energy("vehicle.auxiliary_power_W"),
    }
    # The vehicle sees the cooling power of the step before.
    seen_J = float(result["cooling.cooling_power_W"][:-1] @ h)
    plugged = result["cycle.is_driving"][1:] < 0.5
    supply_W = result["vehicle.power_request_W"] - result["pack.power_W"]
    supplied_J = float((supply_W[1:] * plugged) @ h)
    return (
        Balance(
            name="pack",
            inflow=chemical,
            outflow={
                "terminals": energy("pack.power_W"),
                "coolant": energy("pack.heat_cell_to_coolant_W"),
            },
            stored=cells,
            turnover_J=turnover,
        ),
        Balance(
            name="cooling",
            inflow={
                "pack": energy("pack.heat_cell_to_coolant_W"),
                "heater": energy("cooling.heater_power_W"),
                "pump": energy("cooling.pump_power_W"),
            },
            outflow=rejected,
            stored=coolant,
            turnover_J=turnover,
        ),
        Balance(
            name="vehicle",
            inflow={"request": energy("vehicle.power_request_W")},
            outflow={**driven, "cooling": seen_J},
            stored={},
            turnover_J=turnover,
        ),
        Balance(
            name="system",
            inflow={**chemical, "charger": supplied_J},
            outflow={
                **driven,
                **rejected,
                "fan": energy("cooling.fan_power_W"),
                "compressor": energy("cooling.compressor_power_W"),
            },
            stored={**cells, **coolant},
            turnover_J=turnover,
        ),
    )


def _growth(result: Result, name: str) -> float:
    series = result[name]
    return float(series[-1] - series[0])
