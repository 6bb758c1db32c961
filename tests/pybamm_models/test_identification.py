"""Physics is identified from records that it made, and from those of a real cell."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pybamm")

from packtwin.pybamm_models.identification import (
    identify_cell,
    pouch_unknowns,
    unknown_of,
)
from packtwin.pybamm_models.physics import physics_model
from packtwin.pybamm_models.physics_definition import Physics
from packtwin.scenarios.bench_measured import (
    FOLDER_VARIABLE,
    measured_folder,
    pouch_records,
    synthetic_case,
)
from packtwin.twin.errors import ScenarioError, TrainingError
from packtwin.twin.identification import compare


def test_a_text_says_scale_spread_and_prior() -> None:
    name, plain = unknown_of("Negative particle diffusivity factor")
    assert name == "Negative particle diffusivity factor"
    assert (plain.scale, plain.spread, plain.is_prior) == ("logarithmic", 1.0, False)
    _, prior = unknown_of("Negative electrode start stoichiometry shift ~0.01")
    assert (prior.scale, prior.spread, prior.is_prior) == ("linear", 0.01, True)
    _, wide = unknown_of("Contact resistance [Ohm]=2")
    assert (wide.name, wide.spread, wide.is_prior) == (
        "contact_resistance_Ohm",
        2.0,
        False,
    )
    with pytest.raises(ScenarioError, match="expected a positive number"):
        unknown_of("Contact resistance [Ohm]=0")


def test_all_unknowns_of_the_pouch_have_priors() -> None:
    assert all(unknown_of(text)[1].is_prior for text in pouch_unknowns())


@pytest.mark.slow
def test_true_parameters_are_recovered_within_three_standard_errors() -> None:
    physics, records, truth = synthetic_case()
    found = identify_cell(physics, records, list(truth)).identification
    assert found.is_converged
    for value, true, error in zip(
        found.values.values(),
        truth.values(),
        found.statement.standard_errors,
        strict=True,
    ):
        assert abs(np.log(value / true)) < 3.0 * error
    assert found.statement.noise == pytest.approx([1e-3, 1e-3], rel=0.15)


@pytest.mark.slow
def test_what_slow_discharges_cannot_tell_is_refused_by_name() -> None:
    physics, records, truth = synthetic_case()
    unknowns = [*truth, "Negative electrode conductivity [S.m-1]"]
    with pytest.raises(TrainingError, match="`negative_electrode_conductivity_S_per_m"):
        identify_cell(physics, records, unknowns)


def test_nothing_and_the_same_twice_are_refused() -> None:
    physics = Physics(family="SPM", parameter_set="Chen2020")
    with pytest.raises(ScenarioError, match="Nothing to identify"):
        identify_cell(physics, [], [])
    with pytest.raises(ScenarioError, match="identified twice"):
        identify_cell(physics, [], ["Contact resistance [Ohm]"] * 2)


@pytest.mark.slow
def test_the_published_pouch_cell_reproduces_its_published_error() -> None:
    folder = measured_folder()
    if folder is None:
        pytest.skip(f"`{FOLDER_VARIABLE}` names no folder of measured cells")
    physics = Physics(
        family="SPMe",
        parameter_set=str(folder / "aboutenergy_nmc_bpx/nmc_pouch_cell_BPX.json"),
        options={"thermal": "isothermal"},
    )
    model, records = physics_model(physics), pouch_records(folder)
    for rate in ("C/20", "1C"):
        assert 14.3e-3 < compare(model, records[rate]).rms < 14.95e-3
