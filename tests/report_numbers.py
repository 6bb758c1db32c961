"""A certificate and a summary for tests of the report."""

from __future__ import annotations

from typing import Any


def report_certificate() -> dict[str, Any]:
    runs = []
    for temperature in (-10, 10, 25, 45):
        cold = 1.6 if temperature < 0 else 1.0
        place = f"{temperature:+d}degC"
        for i, cycle in enumerate(("udds", "hwfet", "us06", "wltc_class3b")):
            runs.append(_error(f"cycle_{cycle}_{place}", "cycle", cold * (1 + 0.1 * i)))
        for rate in (0.2, 0.5, 1.0, 1.5, 2.0):
            for kind in ("constant_discharge", "constant_charge"):
                name = f"{kind}_{rate:g}C_{place}"
                runs.append(_error(name, kind, cold * (0.8 + 0.5 * rate)))
    return {
        "cell": "ORegan2022",
        "bound_level": 0.99,
        "bound_meaning": "99 % of all held-out samples have a smaller error",
        "bounds": {
            "voltage_V": 0.018,
            "plating_potential_V": 0.012,
            "temperature_K": 0.25,
        },
        "domain": {
            "temperature_minimum_K": 263.15,
            "temperature_maximum_K": 328.15,
            "discharge_rate_maximum": 3.0,
            "charge_rate_maximum": 2.5,
            "soc_minimum": 0.05,
            "soc_maximum": 0.95,
        },
        "targets": [
            {
                "id": "voltage_V_worst_warm",
                "what": "worst rms of voltage_V, warm, start above 0 °C (42 runs)",
                "value": 0.0121,
                "unit": "V",
                "target": 0.02,
                "met": True,
            },
            {
                "id": "temperature_K_mean_all",
                "what": "mean rms of temperature_K, all (56 runs)",
                "value": 0.084,
                "unit": "K",
                "target": 0.3,
                "met": True,
            },
        ],
        "runs": runs,
        "runs_calibration": [_error(f"random_{i}", "random", 1.3) for i in range(20)],
        "limitations": ["Aged cells: the truth is a fresh cell."],
        "provenance": {"dataset": "9f8a61c0", "seed": 7, "pybamm": "26.10.1"},
    }


def _error(name: str, kind: str, size: float) -> dict[str, Any]:
    celsius = int(name.split("degC")[0].split("_")[-1]) if "degC" in name else 25
    rms = {
        "voltage_V": 2.4e-3 * size,
        "plating_potential_V": 2.0e-3 * size,
        "temperature_K": 0.05 * size,
    }
    return {
        "name": name,
        "labels": {"kind": kind},
        "duration_s": 1800.0,
        "start_temperature_K": celsius + 273.15,
        "rms": rms,
        "p99": {k: 2.7 * v for k, v in rms.items()},
        "maximum": {k: 4.1 * v for k, v in rms.items()},
    }


def report_summary() -> dict[str, Any]:
    common = {
        "charge_start_soc": 0.1,
        "charge_end_soc": 0.8,
        "cell_voltage_limit_V": 4.2,
        "temperature_limit_K": 323.15,
        "plating_target_V": -0.005,
        "plating_margin_V": 0.010,
        "n_series": 96,
        "n_parallel": 31,
        "cccv_c_rate": 0.62,
        "cccv_is_searched": True,
        "pack_step_time_s": 1.7e-6,
        "drive_distance_m": 36_120.0,
        "drive_energy_J": 2.23e7,
        "ledger_residual_fraction": 3.1e-5,
    }
    mpc = {
        "charge_time_s": 1750.0,
        "charge_energy_J": 1.32e8,
        "temperature_max_K": 319.4,
        "cell_voltage_max_V": 4.149,
        "plating_potential_min_V": 0.010,
        "dfn_plating_potential_min_V": 0.0062,
        "dfn_voltage_rms_V": 0.0021,
        "dfn_plating_potential_rms_V": 0.0029,
        "dfn_temperature_rms_K": 0.071,
        "out_of_domain_s": 0.0,
        "solve_time_median_s": 0.0143,
        "solve_time_p99_s": 0.0247,
        "solve_time_max_s": 0.0262,
        "plan_count": 59,
        "infeasible_count": 0,
        "fallback_count": 0,
        "slack_max_V": 0.0,
        "slack_max_K": 0.0,
    }
    cccv = {
        "charge_time_s": 2900.0,
        "charge_energy_J": 1.29e8,
        "temperature_max_K": 314.9,
        "cell_voltage_max_V": 4.122,
        "plating_potential_min_V": 0.0012,
        "dfn_plating_potential_min_V": -0.0086,
        "dfn_voltage_rms_V": 0.0021,
        "dfn_plating_potential_rms_V": 0.0058,
        "dfn_temperature_rms_K": 0.070,
        "out_of_domain_s": 0.0,
    }
    ledger = {
        "vehicle.in.battery_J": 2.23e7,
        "vehicle.out.road_load_J": 1.49e7,
        "vehicle.out.motor_and_gear_loss_J": 3.4e6,
        "vehicle.out.auxiliaries_J": 2.1e6,
        "vehicle.out.cooling_J": 8.0e5,
        "vehicle.out.friction_brakes_J": 1.1e6,
        "vehicle.residual_J": 0.8,
        "vehicle.residual_fraction": 3.6e-8,
        "pack.in.charger_J": 1.32e8,
        "pack.out.vehicle_J": 2.23e7,
        "pack.out.heat_to_coolant_J": 6.1e6,
        "pack.stored.chemical_J": 1.0236e8,
        "pack.stored.heat_J": 1.24e6,
        "pack.residual_J": -12.0,
        "pack.residual_fraction": -7.8e-8,
        "cooling.in.heat_from_cells_J": 6.1e6,
        "cooling.in.electricity_J": 1.9e6,
        "cooling.out.ambient_J": 5.9e6,
        "cooling.out.refrigerant_J": 1.8e6,
        "cooling.stored.coolant_J": 3.0e5,
        "cooling.residual_J": 0.02,
        "cooling.residual_fraction": 2.5e-9,
    }
    return (
        common
        | {f"mpc_{k}": v for k, v in mpc.items()}
        | {f"cccv_{k}": v for k, v in cccv.items()}
        | {f"ledger.mpc.{k}": v for k, v in ledger.items()}
    )
