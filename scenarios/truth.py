"""What a scenario asks the ground truth: the designed and the held-out runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

from packtwin.pybamm_models.cells import find_cell
from packtwin.scenarios.adapters import cell_current
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.scenario import Scenario

__all__ = ["TruthPlan", "dataset_plan", "evaluation_plan"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TruthPlan:
    """Runs to solve.

    Attributes:
        name: Of the folder that keeps them.
        requests: What `pybamm_models.dataset.generate` takes.
        description: What its manifest tells of them.
    """

    name: str
    requests: tuple[Any, ...]
    description: Mapping[str, Any]


def dataset_plan(scenario: Scenario) -> TruthPlan:
    """Return the designed runs that train and calibrate. Needs PyBaMM's extra."""
    from packtwin.pybamm_models.excitation import Design, design_requests

    d = scenario.dataset
    design = Design(
        n_runs=d.n_run,
        n_deep=d.n_deep,
        n_pulse=d.n_pulse,
        duration_s=d.duration_s,
        seed=scenario.header.seed,
        soc_min=d.soc_minimum,
        soc_max=d.soc_maximum,
        temperature_min_K=d.temperature_minimum_K,
        temperature_max_K=d.temperature_maximum_K,
        coolant_min_K=d.coolant_minimum_K,
        coolant_max_K=d.coolant_maximum_K,
        heat_transfer_min_W_per_m2_K=d.heat_transfer_minimum_W_per_m2K,
        heat_transfer_max_W_per_m2_K=d.heat_transfer_maximum_W_per_m2K,
    )
    return TruthPlan(
        name="dataset",
        requests=tuple(design_requests(find_cell(scenario.cell.name), design)),
        description=asdict(design),
    )


def evaluation_plan(scenario: Scenario) -> TruthPlan:
    """Return the held-out runs that certify: drive cycles and constant currents."""
    from packtwin.pybamm_models.evaluation import Evaluation, evaluation_requests
    from packtwin.twin.cycle import load_cycle
    from packtwin.twin.vehicle_parameters import load_vehicle

    c = scenario.certification
    evaluation = Evaluation(
        temperatures_K=c.temperatures_K,
        c_rates=c.c_rates,
        fast_charge_rates=c.fast_charge_rates,
        heat_transfer_coefficient_W_per_m2_K=c.heat_transfer_coefficient_W_per_m2K,
        discharge_start_soc=c.discharge_start_soc,
        charge_start_soc=c.charge_start_soc,
        constant_duration_s=c.constant_duration_s,
    )
    vehicle = load_vehicle(find_path("vehicle", scenario.vehicle.name))
    count = scenario.pack.n_series * scenario.pack.n_parallel
    cycles = {
        cycle.name: cell_current(vehicle, cycle, count)
        for cycle in (load_cycle(find_path("cycle", n)) for n in c.cycles)
    }
    cell = find_cell(scenario.cell.name)
    return TruthPlan(
        name="evaluation",
        requests=tuple(evaluation_requests(cell, cycles, evaluation)),
        description=asdict(evaluation),
    )
