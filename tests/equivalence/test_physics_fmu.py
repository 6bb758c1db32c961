"""Physics: FMU = compiled step map = PyBaMM on the same equations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import fmpy
import numpy as np
import pytest

pytest.importorskip("pybamm")

from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.inspection import validate
from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.peers import step_currents
from packtwin.pybamm_models.physics import Physics, physics_model, simulation_of
from packtwin.scenarios.catalogue import find_path
from packtwin.twin.compiled import compile_step_map
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.cycle import load_cycle
from packtwin.twin.implicit import ImplicitSource, implicit_source

pytestmark = pytest.mark.fmu

COARSE = Mesh(x_n=5, x_s=3, x_p=5, r_n=8, r_p=8)
CASES = {
    "SPMe": Physics(family="SPMe", parameter_set="Chen2020", mesh=COARSE),
    "DFN": Physics(family="DFN", parameter_set="Chen2020"),
}
FAMILIES = ["SPMe", pytest.param("DFN", marks=pytest.mark.slow)]
WARM = (298.15, 10.0)
STARTS = {"soc_start": 0.6}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("physics")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTWIN_CACHE", str(path))
        yield path


@cache
def source_of(family: str) -> ImplicitSource:
    return implicit_source(physics_model(CASES[family]))


def fmu_of(family: str, folder: Path) -> Path:
    path = folder / f"{family}.fmu"
    return path if path.exists() else export_fmu(source_of(family), path)


def random_current_A(n: int) -> np.ndarray:
    return np.random.default_rng(4).uniform(-5.0, 5.0, n)


def drive_current_A(step_s: int, n: int) -> np.ndarray:
    """Means over steps of a current of up to 2C both ways, from a drive cycle."""
    cycle = load_cycle(find_path("cycle", "udds"))
    speed = np.interp(np.arange(n * step_s + 1.0), cycle.time_s, cycle.speed_m_per_s)
    force = 0.5 * np.diff(speed) + 0.02 * speed[1:]
    current_A = np.clip(force * speed[1:], -10.0, 10.0)
    return current_A.reshape(n, step_s).mean(axis=1)


def voltages(fmu: FmuComponent, step_s: int, current_A: np.ndarray) -> np.ndarray:
    """Voltage at the end of every step."""
    fmu.initialize(0, np.array([0.0, *WARM]))
    rows = [
        fmu.step(
            ticks(float(k * step_s)),
            ticks(float((k + 1) * step_s)),
            np.array([i, *WARM]),
        ).outputs[fmu.interface.output_names.index("voltage_V")]
        for k, i in enumerate(current_A.tolist())
    ]
    fmu.close()
    return np.array(rows)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.parametrize("family", FAMILIES)
def test_fmu_equals_compiled_step_map(family: str, folder: Path) -> None:
    fmu = FmuComponent(fmu_of(family, folder))
    ours = StepMapComponent(compile_step_map(source_of(family)))
    u = np.array([0.0, *WARM])
    np.testing.assert_allclose(
        fmu.initialize(0, u), ours.initialize(0, u), rtol=1e-12, atol=1e-15
    )
    for k, current_A in enumerate(random_current_A(600).tolist()):
        span, u = (ticks(float(k)), ticks(k + 1.0)), np.array([current_A, *WARM])
        got, want = fmu.step(*span, u), ours.step(*span, u)
        np.testing.assert_allclose(got.outputs, want.outputs, rtol=1e-12, atol=1e-15)
    fmu.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_validation_finds_nothing(family: str, folder: Path) -> None:
    assert validate(fmu_of(family, folder)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_fmu_follows_pybamm_at_1c(family: str, folder: Path) -> None:
    fmu = FmuComponent(fmu_of(family, folder), parameters=STARTS)
    found = voltages(fmu, 10, np.full(90, 5.0))
    time_s = np.linspace(0.0, 900.0, 91)
    solution = simulation_of(CASES[family], 5.0, STARTS).solve(
        [0.0, 900.0], t_interp=time_s
    )
    assert rms(found - solution["voltage_V"](time_s)[1:]) <= 0.5e-3


@pytest.mark.slow
@pytest.mark.parametrize("step_s", [1, 10, 60])
@pytest.mark.parametrize("family", ["SPMe", "DFN"])
def test_fmu_follows_pybamm_on_a_drive_cycle(
    family: str, step_s: int, folder: Path
) -> None:
    current_A = drive_current_A(step_s, 600 // step_s)
    assert np.ptp(current_A) > 2.0
    fmu = FmuComponent(fmu_of(family, folder), parameters=STARTS)
    found = voltages(fmu, step_s, current_A)
    each_second = np.repeat(current_A, step_s)
    truth = step_currents(CASES[family], each_second, STARTS, (1e-6, 1e-7))
    assert rms(found - truth.voltage_V[step_s - 1 :: step_s]) <= 0.5e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_threads_with_small_stacks_agree_with_the_main_one(
    family: str, folder: Path
) -> None:
    path, current_A = fmu_of(family, folder), random_current_A(100)
    alone = voltages(FmuComponent(path), 1, current_A)
    found: list[np.ndarray] = []
    before = threading.stack_size(256 * 1024)  # the DFN's scratch alone has 294 kB
    try:
        threads = [
            threading.Thread(
                target=lambda: found.append(voltages(FmuComponent(path), 1, current_A))
            )
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for values in found:
        np.testing.assert_array_equal(values, alone)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["SPMe", "DFN"])
@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_exchanged_equations_follow_the_steps_under_cvode(
    family: str, version: str, folder: Path
) -> None:
    physics = Physics(family=family, parameter_set="Chen2020", mesh=COARSE)
    source = implicit_source(physics_model(physics), relative_tolerance=1e-6)
    path = export_fmu(
        source, folder / "both.fmu", fmi_version=version, kinds=("cs", "me")
    )
    assert validate(path) == []
    options = {"stop_time": 100.0, "start_values": {"current_A": 5.0}}
    steps = fmpy.simulate_fmu(
        str(path), fmi_type="CoSimulation", output_interval=1.0, **options
    )
    exchanged = fmpy.simulate_fmu(
        str(path), fmi_type="ModelExchange", relative_tolerance=1e-7, **options
    )
    voltage_V = np.interp(steps["time"], exchanged["time"], exchanged["voltage_V"])
    np.testing.assert_allclose(steps["voltage_V"][1:], voltage_V[1:], atol=1e-5)
