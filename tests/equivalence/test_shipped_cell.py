"""The shipped surrogate: its FMU against torch and against the step map."""

import numpy as np
import pytest
import torch

from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.inspection import validate
from packtwin.scenarios.catalogue import find_path
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.pack import pack_step_map
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import load_spec
from packtwin.twin.surrogate_torch import TorchOperations, torch_step


@pytest.fixture(scope="module")
def shipped():
    return load_spec(find_path("surrogate", "lg_m50_oregan2022"))


def random_inputs(n, seed=5):
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            np.repeat(rng.uniform(-6.0, 8.0, n // 10), 10),
            rng.uniform(283.0, 303.0, n),
            10.0 ** rng.uniform(0.5, 2.4, n),
        ]
    )


@pytest.mark.fmu
def test_cell_fmu_follows_the_torch_step_map(shipped, tmp_path):
    step_map = cell_step_map(shipped)
    fmu = FmuComponent(export_fmu(step_map, tmp_path / "cell.fmu"))
    u = random_inputs(600)
    fmu.initialize(0, u[0])
    p = np.array([v.start for v in step_map.interface.parameters])
    state = torch.tensor(step_map.start(u[0], p)[0])[None]
    ops = TorchOperations(shipped.weights)
    names = fmu.interface.output_names
    columns = [
        names.index(k)
        for k in ("voltage_V", "plating_potential_V", "heat_generation_W")
    ]
    worst = 0.0
    with torch.no_grad():
        for k, row in enumerate(u):
            report = fmu.step(ticks(float(k)), ticks(k + 1.0), row)
            state, y = torch_step(ops, shipped, state, 1.0, torch.tensor(row)[None])
            worst = max(worst, np.abs(report.outputs[columns] - y[0, :3].numpy()).max())
    fmu.close()
    assert worst <= 1e-9


@pytest.mark.fmu
def test_pack_fmu_is_valid_and_equals_its_step_map(shipped, tmp_path):
    step_map = pack_step_map(shipped)
    path = export_fmu(step_map, tmp_path / "pack.fmu")
    assert validate(path) == []
    fmu, reference = FmuComponent(path), StepMapComponent(step_map)
    u = np.array([v.start for v in step_map.interface.inputs])
    at = step_map.interface.input_names.index("power_request_W")
    np.testing.assert_array_equal(fmu.initialize(0, u), reference.initialize(0, u))
    for k, power in enumerate(random_inputs(300)[:, 0] * 10e3):
        u[at] = power
        got = fmu.step(ticks(float(k)), ticks(k + 1.0), u).outputs
        want = reference.step(ticks(float(k)), ticks(k + 1.0), u).outputs
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-9)
    fmu.close()


def test_shipped_cell_is_certified_on_every_target(shipped):
    targets = shipped.certificate["targets"]
    assert len(targets) == 7
    assert all(item["met"] for item in targets)


def test_shipped_cell_at_rest_shows_its_open_circuit_voltage(shipped):
    """With zero excitation every correction vanishes, whatever the weights."""
    step_map = cell_step_map(shipped)
    names = step_map.interface.output_names
    for soc in np.linspace(0.0, 1.0, 21):
        p = np.array([soc, 288.15, 1.0, 0.0])
        _, y = step_map.start(np.array([0.0, 288.15, 10.0]), p)
        values = dict(zip(names, y, strict=True))
        assert values["voltage_V"] == pytest.approx(values["ocv_V"], abs=1e-12)
        assert values["heat_generation_W"] == 0.0
