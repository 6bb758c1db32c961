"""Names, units, start and events of a physics model."""

from __future__ import annotations

import dataclasses

import casadi as ca
import numpy as np
import pytest

from packtwin.pybamm_models.cells import CELLS, Cell
from packtwin.pybamm_models.facts import cell_facts
from packtwin.pybamm_models.names import OUTPUTS
from packtwin.pybamm_models.physics import (
    physics_model,
    physics_of_cell,
    simulation_of,
)
from tests.pybamm_models.physics_cases import AGEING, COARSE, flat, physics


@pytest.mark.parametrize("cell", CELLS.values(), ids=lambda cell: cell.name)
def test_shipped_cell_starts_as_the_ground_truth_does(cell: Cell) -> None:
    case = dataclasses.replace(physics_of_cell(cell), mesh=COARSE)
    model = physics_model(case)
    facts = cell_facts(cell)
    u, p = model.start_vectors()
    p[0] = 0.3
    x, z = model.initial(u, p)
    outputs = dict(
        zip(
            model.interface.output_names,
            flat(model.outputs(0, x, z, u, p)),
            strict=True,
        )
    )
    negative, positive = facts.stoichiometries(0.3)
    assert outputs["soc"] == pytest.approx(0.3, abs=1e-12)
    assert outputs["stoichiometry_negative_mean"] == pytest.approx(negative, rel=1e-12)
    assert outputs["stoichiometry_positive_mean"] == pytest.approx(positive, rel=1e-12)


def test_soc_zero_and_one_are_the_ends_of_the_voltage_window() -> None:
    model = physics_model(physics("SPM", "Chen2020"))
    u, p = model.start_vectors()
    i = model.interface.output_names.index("ocv_V")
    for soc, voltage_V in ((0.0, 2.5), (1.0, 4.2)):
        p[0] = soc
        x, z = model.initial(u, p)
        assert flat(model.outputs(0, x, z, u, p))[i] == pytest.approx(voltage_V)


def test_equations_do_not_depend_on_where_they_start() -> None:
    """References and scales cancel: one model serves every start."""
    model = physics_model(physics("DFN", "ORegan2022"))
    symbols = [ca.MX.sym(f"a{i}", model.rhs.size1_in(i)) for i in range(5)]
    for function in (model.rhs, model.algebraic, model.outputs, model.indicators):
        result = function(*symbols)
        assert not any(ca.which_depends(result, symbols[4], 1, False))


def test_states_are_physical_and_shells_are_contiguous() -> None:
    model = physics_model(physics("DFN", "Chen2020"))
    names = [v.name for v in model.states]
    begin = names.index("negative_particle_concentration_mol_per_m3[1,1]")
    stem = "negative_particle_concentration_mol_per_m3"
    wanted = [f"{stem}[{r + 1},{x + 1}]" for r in range(5) for x in range(4)]
    assert names[begin : begin + 20] == wanted
    by_name = {v.name: v for v in model.states}
    assert by_name[f"{stem}[1,1]"].unit == "mol/m3"
    assert by_name[f"{stem}[1,1]"].nominal == 33133.0
    temperature = by_name["volume_averaged_cell_temperature_K"]
    assert (temperature.start, temperature.nominal) == (298.15, 298.15)
    by_name = {v.name: v for v in model.algebraic_states}
    assert 3.5 < by_name["positive_electrode_potential_V[1]"].start < 4.1


def test_interface_has_the_inputs_and_parameters_that_matter() -> None:
    lumped = physics_model(physics("SPMe", "Chen2020")).interface
    assert lumped.input_names == (
        "current_A",
        "ambient_temperature_K",
        "heat_transfer_coefficient_W_per_m2K",
    )
    assert lumped.parameter_names == ("soc_start", "temperature_start_K")
    assert set(lumped.output_names) == {o.name for o in OUTPUTS} | {"soc"}
    case = physics("SPMe", "Chen2020", options={"thermal": "isothermal"})
    isothermal = physics_model(case).interface
    assert isothermal.input_names == ("current_A", "ambient_temperature_K")
    assert isothermal.parameter_names == ("soc_start",)
    assert not [n for n in isothermal.output_names if n.startswith("heat")]


def test_events_are_named_and_positive_inside() -> None:
    model = physics_model(physics("DFN", "OKane2022", options=AGEING))
    names = [v.name for v in model.events]
    assert {"minimum_voltage", "maximum_voltage"} < set(names)
    assert "negative_particle_crack_length_larger_than_particle_radius" in names
    u, p = model.start_vectors()
    x, z = model.initial(u, p)
    inside = flat(model.indicators(0, x, z, u, p))
    assert (inside > 0).all()
    voltage_V = flat(model.outputs(0, x, z, u, p))[0]
    assert inside[names.index("minimum_voltage")] == pytest.approx(voltage_V - 2.5)
    assert inside[names.index("maximum_voltage")] == pytest.approx(4.2 - voltage_V)


def test_chosen_variable_becomes_an_output_with_its_unit() -> None:
    case = physics(
        "SPM",
        "OKane2022",
        options=AGEING,
        variables=("X-averaged negative SEI thickness [m]",),
    )
    model = physics_model(case)
    name = "x_averaged_negative_sei_thickness_m"
    (output,) = (v for v in model.interface.outputs if v.name == name)
    assert output.unit == "m"
    assert output.start == pytest.approx(5e-9)


def test_simulation_starts_from_the_models_initial_state(oregan: Cell) -> None:
    case = dataclasses.replace(physics_of_cell(oregan), mesh=COARSE)
    model = physics_model(case)
    starts = {"soc_start": 0.6, "temperature_start_K": 305.0, "current_A": 2.0}
    simulation = simulation_of(case, 2.0, starts)
    solution = simulation.solve([0.0, 10.0])
    u, p = (
        np.array([v.start for v in variables])
        for variables in (
            model.interface.with_starts(starts).inputs,
            model.interface.with_starts(starts).parameters,
        )
    )
    x, z = model.initial(u, p)
    mine = dict(
        zip(
            model.interface.output_names,
            flat(model.outputs(0, x, z, u, p)),
            strict=True,
        )
    )
    for name in ("soc", "temperature_K", "ocv_V", "stoichiometry_positive_mean"):
        assert solution[name].entries[0] == pytest.approx(mine[name], rel=1e-9)
    assert solution["soc"].entries[-1] < 0.6
