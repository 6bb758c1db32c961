"""The pack's layout and its ports, as in docs/ports.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.variable import Interface, Variable

__all__ = [
    "SEARCH_MEMORY",
    "START_SLOPE_OHM",
    "PackLayout",
    "pack_interface",
]

START_SLOPE_OHM = 0.03
SEARCH_MEMORY = (
    Variable(name="last_current_A", description="Cell current of the last step."),
    Variable(
        name="slope_Ohm", description="-dV/dI of the cells.", start=START_SLOPE_OHM
    ),
    *(
        variable
        for side in ("discharge", "charge")
        for variable in (
            Variable(
                name=f"{side}_limit_A",
                description=f"Limit of the cell's {side} current in the last step.",
            ),
            Variable(
                name=f"{side}_slope_Ohm",
                description="-dV/dI of the worst cell there.",
                start=START_SLOPE_OHM,
            ),
        )
    ),
)
"""The pack's memory besides its cells': where the next step starts its searches."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PackLayout:
    """Start values of the pack's parameters.

    Attributes:
        n_series: Cells (groups) in series, >= 3.
        n_parallel: Cells in parallel.
        interconnect_resistance_Ohm: Of the whole string.
        weak_capacity_factor: Capacity of the weakest cell relative to the mean one.
        weak_resistance_Ohm: Additional resistance of the weakest cell.
        hot_coolant_offset_K: How much warmer the hottest cell's coolant is.
        start_soc: State of charge at the start.
        start_temperature_K: Cell temperature at the start.
    """

    n_series: int = 96
    n_parallel: int = 31
    interconnect_resistance_Ohm: float = 0.005
    weak_capacity_factor: float = 0.98
    weak_resistance_Ohm: float = 0.001
    hot_coolant_offset_K: float = 1.5
    start_soc: float = 0.9
    start_temperature_K: float = 298.15


def _held_limit_name(side: str, horizon_s: int) -> str:
    """Return the output that says what power can be held for a time."""
    return f"{side}_power_limit_{horizon_s}s_W"


def pack_interface(
    spec: SurrogateSpec, layout: PackLayout, horizons_s: tuple[int, ...] = ()
) -> Interface:
    """Return the pack's ports, as in docs/ports.md.

    Args:
        spec: The cell.
        layout: Start values.
        horizons_s: Times for which the pack says what power it can hold.
    """
    c = spec.constants
    volt = layout.n_series * 3.7

    def inp(name: str, start: float, text: str, nominal: float = 1.0) -> Variable:
        return Variable(name=name, start=start, description=text, nominal=nominal)

    def out(name: str, text: str, *, mean: bool = False) -> Variable:
        sampling = "mean" if mean else "end"
        return Variable(name=name, description=text, sampling=sampling)  # type: ignore[arg-type]

    def par(name: str, start: float, low: float, high: float, text: str) -> Variable:
        return Variable(
            name=name,
            start=start,
            minimum=low,
            maximum=high,
            variability="fixed",
            description=text,
        )

    return Interface(
        inputs=(
            inp("control_mode", 1.0, "0 current, 1 power, 2 voltage."),
            inp("current_request_A", 0.0, "Used in mode 0; discharge > 0.", 100.0),
            inp("power_request_W", 0.0, "Used in mode 1; > 0 leaves the pack.", 1e4),
            inp("voltage_request_V", volt, "Used in mode 2.", 100.0),
            inp("coolant_temperature_K", layout.start_temperature_K, "At the plate."),
            inp("heat_transfer_coefficient_W_per_m2K", 20.0, "Over the cell's area."),
        ),
        outputs=(
            out("current_A", "Pack current.", mean=True),
            out("voltage_V", "Pack terminal voltage."),
            out("power_W", "Electrical power.", mean=True),
            out("ocv_V", "Open-circuit voltage of the string."),
            out("soc", "State of charge of the mean cell."),
            out("temperature_mean_K", "Mean over all cells."),
            out("temperature_min_K", "Coldest representative cell."),
            out("temperature_max_K", "Hottest representative cell."),
            out("cell_voltage_min_V", "Lowest cell voltage."),
            out("cell_voltage_mean_V", "Voltage of the mean cell."),
            out("cell_voltage_max_V", "Highest cell voltage."),
            out("plating_potential_min_V", "Lowest plating potential; < 0 may plate."),
            out("heat_generation_W", "Heat of all cells.", mean=True),
            out("heat_reversible_W", "Entropic part of it.", mean=True),
            out("heat_mixing_W", "Heat of mixing of all cells.", mean=True),
            out("heat_interconnect_W", "Ohmic heat of the connections.", mean=True),
            out(
                "heat_cell_to_coolant_W",
                "Heat of cells and connections into the coolant.",
                mean=True,
            ),
            out("stored_heat_J", "Heat content of all cells; 0 at the reference."),
            out("chemical_power_W", "What chemistry gives up.", mean=True),
            out("lithium_negative_Ah", "Lithium in the negative electrodes."),
            out("lithium_positive_Ah", "Lithium in the positive electrodes."),
            out("discharge_power_limit_W", "Most that can be drawn in this step."),
            out("charge_power_limit_W", "Most that can be put in, >= 0."),
            out("active_limit", "Request clipped: 0 not, 1 discharge, 2 charge."),
            out("c_rate", "Current over nominal capacity."),
            out("is_in_domain", "1 inside the certified ranges, else 0."),
            out("voltage_bound_V", "Certified error bound of cell voltage."),
            out("plating_bound_V", "Certified error bound of the plating potential."),
            out("power_error_W", "Power left unmet by the root iteration."),
            *(
                out(
                    _held_limit_name(side, horizon_s),
                    f"Most that can be {word} for {horizon_s} s, held constant.",
                )
                for side, word in (("discharge", "drawn"), ("charge", "put in"))
                for horizon_s in horizons_s
            ),
        ),
        parameters=(
            par("n_series", float(layout.n_series), 3.0, 1e4, "Cells in series."),
            par("n_parallel", float(layout.n_parallel), 1.0, 1e4, "Cells in parallel."),
            par(
                "interconnect_resistance_Ohm",
                layout.interconnect_resistance_Ohm,
                0.0,
                10.0,
                "Of the whole string.",
            ),
            par(
                "weak_capacity_factor",
                layout.weak_capacity_factor,
                0.5,
                1.5,
                "Capacity of the weakest cell over the mean one.",
            ),
            par(
                "weak_resistance_Ohm",
                layout.weak_resistance_Ohm,
                0.0,
                1.0,
                "Additional resistance of the weakest cell.",
            ),
            par(
                "hot_coolant_offset_K",
                layout.hot_coolant_offset_K,
                -20.0,
                40.0,
                "How much warmer the hottest cell's coolant is.",
            ),
            par(
                "start_soc", layout.start_soc, 0.0, 1.0, "State of charge at the start."
            ),
            par(
                "start_temperature_K",
                layout.start_temperature_K,
                233.15,
                353.15,
                "Cell temperature at the start.",
            ),
            par(
                "cell_voltage_minimum_V",
                c.voltage_minimum_V,
                1.0,
                5.0,
                "Limit on discharge.",
            ),
            par(
                "cell_voltage_maximum_V",
                c.voltage_maximum_V,
                1.0,
                5.0,
                "Limit on charge.",
            ),
            par("discharge_rate_maximum", 3.0, 0.0, 20.0, "Limit in C-rate."),
            par("charge_rate_maximum", 3.0, 0.0, 20.0, "Limit in C-rate."),
            *(
                (
                    par(
                        "plating_potential_minimum_V",
                        0.0,
                        -1.0,
                        1.0,
                        "Limit on charge of the powers that can be held.",
                    ),
                )
                if horizons_s
                else ()
            ),
        ),
    )
