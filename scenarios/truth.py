"""What a scenario asks the ground truth: the designed and the held-out runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, final

from packtwin.pybamm_models.cells import Cell, find_cell
from packtwin.scenarios.adapters import cell_current
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from packtwin.pybamm_models.excitation import Design

__all__ = [
    "BEYOND",
    "SPREAD",
    "TRUST_FOLDER",
    "USUAL",
    "TruthPlan",
    "dataset_plan",
    "evaluation_plan",
    "trust_plans",
]

TRUST_FOLDER = "trust"
# Folders of the trust runs.
USUAL, BEYOND, SPREAD = "usual", ("hot", "wide"), "spread"
_TRUST_SEED = 1000  # added to the scenario's, so that no run is one of the data set's
_WARMER_K, _WIDER_K, _WIDER_RATE = 15.0, 20.0, 5.0 / 3.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TruthPlan:
    """Runs to solve.

    Attributes:
        name: Of the folder that keeps them.
        cell: Whose runs.
        requests: What `pybamm_models.dataset.generate` takes.
        description: What its manifest tells of them.
    """

    name: str
    cell: Cell
    requests: tuple[Any, ...]
    description: Mapping[str, Any]


def dataset_plan(scenario: Scenario) -> TruthPlan:
    """Return the designed runs that train and calibrate. Needs PyBaMM's extra."""
    return _designed("dataset", find_cell(scenario.cell.name), _design(scenario))


def trust_plans(scenario: Scenario) -> tuple[TruthPlan, ...]:
    """Return the runs that only bounds and guard learn from, the network never.

    `usual` is the training set's design with other draws. `hot` starts where that
    design ends, `wide` goes beyond it on all sides: colder, hotter, emptier, fuller
    and faster. `spread` is usual, but every run's cell has parameters of its own. Their
    seeds follow from the scenario's.
    """
    design, cell = _design(scenario), find_cell(scenario.cell.name)
    t, hottest_K = scenario.trust, design.temperature_max_K + _WARMER_K
    wide: dict[str, Any] = {
        "temperature_min_K": design.temperature_min_K - 0.5 * _WIDER_K,
        "temperature_max_K": design.temperature_max_K + _WIDER_K,
        "coolant_min_K": design.coolant_min_K - 0.5 * _WIDER_K,
        "coolant_max_K": design.temperature_max_K + _WIDER_K,
        "soc_min": 0.4 * design.soc_min,
        "soc_max": 1.0 - 0.4 * (1.0 - design.soc_max),
    }
    hot: dict[str, Any] = {
        "temperature_min_K": design.temperature_max_K,
        "temperature_max_K": hottest_K,
        "coolant_min_K": design.temperature_max_K,
        "coolant_max_K": hottest_K,
    }
    fast = replace(cell, current_max_c_rate=_WIDER_RATE * cell.current_max_c_rate)
    kinds: dict[str, tuple[Cell, int, dict[str, Any]]] = {
        USUAL: (cell, t.n_usual_run, {}),
        "hot": (cell, t.n_hot_run, hot),
        "wide": (fast, t.n_wide_run, wide),
        SPREAD: (cell, t.n_spread_run, {}),
    }
    plans = []
    for k, (name, (kind_cell, count, ranges)) in enumerate(kinds.items()):
        if count:
            shaped = replace(
                _shrunk(design, count), seed=design.seed + _TRUST_SEED + k, **ranges
            )
            plan = _designed(f"{TRUST_FOLDER}/{name}", kind_cell, shaped)
            plans.append(_spread(plan, t.spread_tolerance) if name == SPREAD else plan)
    return tuple(plans)


def _shrunk(design: Design, count: int) -> Design:
    """Return a design of `count` runs in all, each kind with its share of them."""
    total = design.n_runs + design.n_deep + design.n_whole + design.n_pulse
    parts = {
        name: round(getattr(design, name) * count / total)
        for name in ("n_deep", "n_whole", "n_pulse")
    }
    return replace(design, n_runs=max(1, count - sum(parts.values())), **parts)


def _spread(plan: TruthPlan, tolerance: float) -> TruthPlan:
    from packtwin.pybamm_models.parameter_spread import spread_requests

    seed = plan.description["seed"]
    return replace(
        plan,
        requests=spread_requests(plan.requests, tolerance, seed),
        description={**plan.description, "tolerance": tolerance},
    )


def _designed(name: str, cell: Cell, design: Design) -> TruthPlan:
    from packtwin.pybamm_models.excitation import design_requests

    return TruthPlan(
        name=name,
        cell=cell,
        requests=tuple(design_requests(cell, design)),
        description=asdict(design),
    )


def _design(scenario: Scenario) -> Design:
    from packtwin.pybamm_models.excitation import Design

    d = scenario.dataset
    return Design(
        n_runs=d.n_run,
        n_deep=d.n_deep,
        n_whole=d.n_whole,
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
        cell=cell,
        requests=tuple(evaluation_requests(cell, cycles, evaluation)),
        description=asdict(evaluation),
    )
