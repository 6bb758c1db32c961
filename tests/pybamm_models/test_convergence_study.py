"""The whole search and the check of one mesh, on single-particle models."""

from __future__ import annotations

import pytest

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.convergence_loads import OTHERS, charge
from packtwin.pybamm_models.convergence_study import Study, converge, judge
from packtwin.pybamm_models.convergence_subject import find_subject
from packtwin.pybamm_models.verdicts import COUNTS, Limits, doubled
from packtwin.twin.errors import ModelError

pytestmark = pytest.mark.fmu
LOADS = (charge(1.0, 298.15), *OTHERS)


@pytest.mark.slow
def test_converged_mesh_is_met_and_a_coarser_one_is_not() -> None:
    study = Study(
        subject=find_subject("Chen2020", "SPM"),
        loads=LOADS,
        limits=Limits(voltage_V=2e-3, plating_potential_V=2e-3),
        n_process=1,
        command="test",
    )
    outcome = converge(study)
    verdict = outcome.verdict
    assert verdict.is_met
    assert verdict.is_complete
    assert verdict.provenance["command"] == "test"
    assert verdict.n_state > verdict.mesh.r_n + verdict.mesh.r_p
    assert verdict.time_per_step_s is not None
    assert outcome.left_out == ()
    coarse = Mesh(
        r_n=max(4, verdict.mesh.r_n // 3),
        r_p=max(4, verdict.mesh.r_p // 3),
        r_n_stretch=verdict.mesh.r_n_stretch,
        r_p_stretch=verdict.mesh.r_p_stretch,
    )
    assert not judge(study, coarse).verdict.is_met


def test_judged_mesh_is_compared_with_both_doubled_ones() -> None:
    mesh = Mesh(x_n=4, x_s=2, x_p=4, r_n=6, r_p=6)
    study = Study(
        subject=find_subject("Chen2020", "SPM"),
        loads=(charge(1.0, 298.15),),
        n_process=1,
    )
    outcome = judge(study, mesh)
    assert [c.finer_mesh for c in outcome.verdict.comparisons] == [
        doubled(mesh, *COUNTS),
        doubled(mesh, "r_n"),
    ]
    assert outcome.n_mesh == 3
    assert not outcome.verdict.is_met


def test_loads_that_end_at_once_are_refused_with_the_reason() -> None:
    study = Study(
        subject=find_subject("Chen2020", "SPM"),
        loads=(charge(20.0, 273.15),),
        n_process=1,
    )
    with pytest.raises(ModelError, match=r"charge 20C 0 °C.*`--charges`\.$"):
        judge(study, Mesh(x_n=4, x_s=2, x_p=4, r_n=6, r_p=6))
