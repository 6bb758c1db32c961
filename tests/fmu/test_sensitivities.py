"""Gradients through FMUs: those that packtwin exported, and those of others."""

from __future__ import annotations

from pathlib import Path

import casadi as ca
import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.differentiable_run import DifferentiableRun
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.twin.component import StepMapComponent
from packtwin.twin.sensitivities import Cause, Effect, TakenStep
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable
from tests.cosim.coupled_lumps import (
    OUTPUTS,
    PARAMETERS,
    cell_step_map,
    cooler_step_map,
    coupled,
)

pytestmark = pytest.mark.fmu

VERSIONS = ("2.0", "3.0")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sensitivities")
    found = {}
    for version in VERSIONS:
        for name, made in (("cell", cell_step_map()), ("cooler", cooler_step_map())):
            path = folder / f"{name}{version[0]}.fmu"
            export_fmu(made, path, fmi_version=version)
            found[name, version] = FmuFile(path)
    path = folder / "plain.fmu"
    export_fmu(cell_step_map(), path, has_derivatives=False)
    found["cell", "plain"] = FmuFile(path)
    yield found
    for file in found.values():
        file.close()


def gradient(system: System, **options) -> tuple[np.ndarray, dict[str, str]]:
    run = DifferentiableRun(
        system,
        parameters=PARAMETERS,
        outputs=OUTPUTS,
        stop_s=10.0,
        step_s=0.5,
        **options,
    )
    weights = np.random.default_rng(7).normal(size=(len(run.times_s), len(OUTPUTS)))
    found = run.gradient(run.start, weights)
    run.close()
    return found, run.provenance


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["adjoint", "tangent"])
def test_gradients_through_fmus_are_those_through_their_step_maps(
    files, version: str, method
) -> None:
    system = coupled(
        FmuComponent(files["cell", version], name="cell"),
        FmuComponent(files["cooler", version], name="cooler"),
    )
    found, provenance = gradient(system, method=method)
    want, _ = gradient(coupled())
    np.testing.assert_allclose(found, want, rtol=1e-9)
    assert provenance["by differences"] == "none"


def test_an_fmu_without_derivatives_is_differentiated_by_rewinding(files) -> None:
    cell = FmuComponent(files["cell", "plain"], name="cell")
    known = cell.sensitivities()
    found, provenance = gradient(coupled(cell=cell))
    want, _ = gradient(coupled())
    np.testing.assert_allclose(found, want, rtol=1e-6)
    assert known is None
    assert provenance["by differences"] == "cell"
    assert provenance["gradient"] == "tangent"


def test_the_fmu_of_another_tool_is_never_asked_for_derivatives_of_steps(
    vendor_fmu: Path,
) -> None:
    component = FmuComponent(vendor_fmu)
    assert component.sensitivities() is None
    component.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_vectors_of_states_are_differentiated_as_a_whole(
    network_step_map, tmp_path: Path, version: str
) -> None:
    path = export_fmu(network_step_map, tmp_path / "net.fmu", fmi_version=version)
    rng = np.random.default_rng(2)
    u = np.array([0.4])
    found = []
    for component in (FmuComponent(path), StepMapComponent(network_step_map)):
        component.initialize(0, u)
        before = component.save()
        component.step(0, 230_000_000, u)
        known = component.sensitivities()
        taken = TakenStep(
            start_s=0.0, span_s=0.23, inputs=u, before=before, after=component.save()
        )
        rng = np.random.default_rng(2)
        n = known.memory_count
        effect = Effect(memory=rng.normal(size=n), outputs=rng.normal(size=4))
        back = known.pull_back(taken, effect)
        cause = Cause(
            memory=rng.normal(size=n),
            inputs=rng.normal(size=1),
            parameters=rng.normal(size=1),
        )
        along = known.push_forward(taken, cause)
        found.append((back.memory, back.inputs, back.parameters, along.memory))
        component.close()
        product = back.memory @ cause.memory + back.inputs @ cause.inputs
        product += back.parameters @ cause.parameters
        other = effect.memory @ along.memory + effect.outputs @ along.outputs
        assert product == pytest.approx(other, rel=1e-12)
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("version", VERSIONS)
def test_outputs_of_a_step_need_not_be_those_of_the_state_after_it(
    tmp_path: Path, version: str
) -> None:
    """An output told from the memory before the step, as half-implicit steps do."""
    m, t, h, u, p = (ca.SX.sym(name) for name in "mthup")
    step_map = StepMap(
        name="half",
        interface=Interface(
            inputs=(Variable(name="current_A"),),
            outputs=(Variable(name="voltage_V"),),
            parameters=(Variable(name="gain", start=0.7),),
        ),
        memory=(Variable(name="charge"),),
        initialize=ca.Function("i", [u, p], [p, p * u]),
        step=ca.Function("s", [m, t, h, u, p], [m + h * p * u, m * u]),
        substep_s=0.5,
    )
    path = export_fmu(step_map, tmp_path / "half.fmu", fmi_version=version)
    found = []
    for component in (FmuComponent(path, name="a"), StepMapComponent(step_map)):
        name = component.name
        run = DifferentiableRun(
            System([component], constants={f"{name}.current_A": 2.0}),
            parameters=[f"{name}.gain", f"{name}.current_A"],
            outputs=[f"{name}.voltage_V"],
            stop_s=3.0,
            step_s=1.5,
        )
        # Five substeps before the last one: u (p + 2.5 p u).
        assert run.values(run.start)[-1, 0] == pytest.approx(2.0 * (0.7 + 3.5))
        found.append(run.gradient(run.start, np.array([[0.0], [0.0], [1.0]])))
        run.close()
    np.testing.assert_allclose(found[0], [12.0, 0.7 * (1.0 + 10.0)], rtol=1e-12)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


@pytest.mark.parametrize("version", VERSIONS)
def test_means_over_the_step_are_known_as_such_in_both_versions(
    files, version: str
) -> None:
    component = FmuComponent(files["cell", version])
    is_mean = {v.name: v.sampling == "mean" for v in component.interface.outputs}
    assert is_mean == {"temperature_K": False, "heat_W": True, "loss_W": False}
    component.close()


def test_changed_parameters_count_from_the_next_start(files) -> None:
    component = FmuComponent(files["cell", "3.0"], parameters={"start_K": 310.0})
    u = np.array([0.0, 300.0, 1.0])
    assert component.initialize(0, u)[0] == 310.0
    component.adjust({"start_K": 320.0})
    assert component.initialize(0, u)[0] == 320.0
    component.close()


def test_units_of_a_renamed_port_scale_the_gradient(files) -> None:
    """A cell that hears its coolant in degC through the FMU's own unit."""
    names = {"coolant_K": "coolant_degC"}
    cell = FmuComponent(files["cell", "3.0"], name="cell", names=names)
    cooler = FmuComponent(files["cooler", "3.0"], name="cooler")
    other = coupled(cooler=cooler)
    wires = [
        Connection("cooler.coolant_degC", "cell.coolant_degC")
        if str(c.target) == "cell.coolant_K"
        else c
        for c in other.connections
    ]
    parts = [other.components[0], cell, cooler]
    system = System(parts, wires, constants=other.constants)
    found, _ = gradient(system)
    want, _ = gradient(coupled())
    np.testing.assert_allclose(found, want, rtol=1e-9)
