from __future__ import annotations

from dataclasses import fields

import pybamm
import pytest

from packtwin.pybamm_models.names import OUTPUTS, Output
from packtwin.pybamm_models.run import Run


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.name)
def test_suffix_is_pybamm_unit(output: Output) -> None:
    for term in output.terms:
        unit = term.partition("[")[2].rstrip("]")
        suffix = f"_{unit}" if unit else ""
        assert output.name.endswith(suffix)


def test_every_output_is_a_field_of_a_run() -> None:
    names = {field.name for field in fields(Run)}
    assert {output.name for output in OUTPUTS} <= names


def test_pybamm_has_every_name() -> None:
    known = pybamm.lithium_ion.DFN({"thermal": "lumped"}).variables
    assert all(term in known for output in OUTPUTS for term in output.terms)


def test_plating_potential_is_not_the_reaction_overpotential() -> None:
    (plating,) = (o for o in OUTPUTS if o.name == "plating_potential_V")
    assert all("overpotential" not in term for term in plating.terms)
