"""A pack of synthetic cells that a charger charges, for controller tests."""

import numpy as np

from packtwin.cosim.charge_limits import ChargeConditions, ChargeLimits
from packtwin.cosim.charge_mpc import ChargeMpc, ChargeMpcConfig
from packtwin.cosim.charge_ports import ControlMode
from packtwin.twin.component import ticks

START_K, COOLANT_K, H = 293.15, 293.15, 30.0
LIMITS = ChargeLimits(
    maximum_charge_current_A=20.0,
    maximum_voltage_V=4.2,
    maximum_temperature_K=313.15,
    voltage_margin_V=0.005,
    temperature_margin_K=0.5,
    plating_margin_V=0.005,
)
CONDITIONS = ChargeConditions(
    coolant_temperature_K=COOLANT_K, heat_transfer_coefficient_W_per_m2K=H
)
N_SERIES, N_PARALLEL = 4, 3


def make_mpc(cell, **changes):
    config = ChargeMpcConfig(
        limits=LIMITS, n_series=N_SERIES, n_parallel=N_PARALLEL, **changes
    )
    return ChargeMpc(config, cell, clock=lambda: 0.0)


class Plant:
    """A pack of equal cells that follows the charger's current request."""

    def __init__(self, cell, **parameters):
        interface = cell.interface.with_starts(
            {"start_temperature_K": START_K, **parameters}
        )
        self.cell = cell
        self.p = np.array([v.start for v in interface.parameters])
        self.current_A = 0.0
        self.memory, self.y = cell.start(self._u(), self.p)

    def _u(self):
        return np.array([self.current_A / N_PARALLEL, COOLANT_K, H])

    def values(self):
        return dict(zip(self.cell.interface.output_names, self.y, strict=True))

    def inputs(self, charger, *, is_driving=0.0):
        cell = self.values()
        values = {
            "is_driving": is_driving,
            "current_A": self.current_A,
            "voltage_V": cell["voltage_V"] * N_SERIES,
            "soc": cell["soc"],
            "cell_voltage_max_V": cell["voltage_V"],
            "temperature_min_K": cell["temperature_K"],
            "temperature_max_K": cell["temperature_K"],
            "plating_potential_min_V": cell["plating_potential_V"],
            "coolant_temperature_K": COOLANT_K,
            "heat_transfer_coefficient_W_per_m2K": H,
        }
        return np.array([values[n] for n in charger.interface.input_names])

    def step(self, step_s, current_A):
        self.current_A = current_A
        self.memory, self.y, _ = self.cell.advance(
            self.memory, 0.0, step_s, self._u(), self.p
        )
        return self.values()


def charge(charger, plant, *, step_s, longest_s=3000.0):
    """Return the time and the table (soc, voltage, temperature, plating, flags)."""
    charger.initialize(0, np.zeros(len(charger.interface.inputs)))
    names, rows, now_s = charger.interface.output_names, [], 0.0
    while now_s < longest_s:
        report = charger.step(
            ticks(now_s), ticks(now_s + step_s), plant.inputs(charger)
        )
        outputs = dict(zip(names, report.outputs, strict=True))
        if outputs["is_charging"] == 0.0:
            break
        assert outputs["control_mode"] == ControlMode.CURRENT
        cell = plant.step(step_s, outputs["current_request_A"])
        now_s += step_s
        rows.append(
            (
                cell["soc"],
                cell["voltage_V"],
                cell["temperature_K"],
                cell["plating_potential_V"],
                outputs["is_feasible"],
                outputs["is_fallback"],
                outputs["current_request_A"],
            )
        )
    return now_s, np.array(rows)
