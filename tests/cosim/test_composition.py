"""A composed step map does what the master does."""

from __future__ import annotations

from dataclasses import replace

import fmpy
import numpy as np
import pytest

from packtwin.cosim.composition import compose
from packtwin.cosim.connection import Connection, LinearMap
from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.scenarios.fmu_models import find_fmu_model
from packtwin.twin.component import StepMapComponent
from packtwin.twin.errors import WiringError
from tests.fakes import Gain
from tests.scenarios.ssp_fmus import echo_map, lump_map


def three(is_delayed: bool = False) -> System:
    """Two lumps in a ring, one link of it bent, and an echo of an outer input."""
    return System(
        [
            StepMapComponent(lump_map(), name="a", parameters={"start_K": 320.0}),
            StepMapComponent(lump_map(), name="b"),
            StepMapComponent(echo_map(), name="echo"),
            StepMapComponent(lump_map(), name="c"),
        ],
        [
            Connection("echo.seen_K", "a.neighbour_K", linear=LinearMap(0.5, 100.0)),
            Connection("c.temperature_K", "echo.air_K", is_delayed),
            Connection("a.temperature_K", "b.neighbour_K"),
        ],
        constants={"c.neighbour_K": 400.0},
    )


def ours(system: System) -> Result:
    return simulate(system, stop_s=10.0, step_s=0.5, master=GaussSeidel())


def run_alone(component) -> Result:
    names = component.interface.inputs
    constants = {f"{component.name}.{v.name}": v.start for v in names}
    return ours(System([component], constants=constants))


@pytest.mark.parametrize("is_delayed", [False, True])
def test_composed_step_map_gives_the_same_results(is_delayed):
    system = three(is_delayed)
    whole = compose(system, "Three")
    assert whole.interface.input_names == ("c_neighbour_K",)
    assert whole.interface.inputs[0].start == 400.0
    expected, found = ours(system), run_alone(StepMapComponent(whole))
    for name in expected.names:
        one = found[f"Three.{name.replace('.', '_')}"]
        assert np.abs(one - expected[name]).max() < 1e-11


def ring() -> System:
    """Two lumps that warm each other: one of the links carries old values."""
    return System(
        [
            StepMapComponent(lump_map(), name="a", parameters={"start_K": 320.0}),
            StepMapComponent(lump_map(), name="b", parameters={"start_K": 280.0}),
        ],
        [
            Connection("a.temperature_K", "b.neighbour_K"),
            Connection("b.temperature_K", "a.neighbour_K"),
        ],
    )


def test_step_is_cut_where_a_component_cuts_its_own():
    def system() -> System:
        map_of = replace(lump_map(), substep_s=0.25)
        fine = StepMapComponent(map_of, name="a", parameters={"start_K": 320.0})
        return System([fine, ring().components[1]], ring().connections)

    whole = StepMapComponent(compose(system(), "Ring"))
    expected = simulate(system(), stop_s=1.0, step_s=0.25)
    found = simulate(System([whole]), stop_s=1.0, step_s=1.0)
    assert found.values[-1] == pytest.approx(expected.values[-1], abs=1e-11)


def test_vehicle_pack_and_cooling_are_one_step_map_with_the_same_bits():
    parts = [
        StepMapComponent(find_fmu_model(name).subject, name=name)
        for name in ("vehicle", "pack", "cooling")
    ]
    links = [
        Connection("vehicle.power_request_W", "pack.power_request_W"),
        Connection("pack.heat_cell_to_coolant_W", "cooling.heat_cell_to_coolant_W"),
        *(
            Connection(f"cooling.{name}", f"pack.{name}", True)
            for name in ("coolant_temperature_K", "heat_transfer_coefficient_W_per_m2K")
        ),
    ]
    fed = {str(link.target) for link in links}
    constants = {
        f"{part.name}.{v.name}": v.start
        for part in parts
        for v in part.interface.inputs
        if f"{part.name}.{v.name}" not in fed
    } | {"vehicle.speed_m_per_s": 20.0, "vehicle.is_driving": 1.0}
    system = System(parts, links, constants=constants)
    expected = simulate(system, stop_s=5.0, step_s=1.0)
    whole = StepMapComponent(compose(system, "Car"))
    starts = {f"Car.{v.name}": v.start for v in whole.interface.inputs}
    found = simulate(System([whole], constants=starts), stop_s=5.0, step_s=1.0)
    assert expected["pack.current_A"][-1] > 1.0
    assert np.array_equal(found.values, expected.values)


def test_saved_state_of_the_whole_can_be_restored():
    component = StepMapComponent(compose(ring(), "Ring"))
    component.initialize(0, np.zeros(0))
    component.step(0, 10**9, np.zeros(0))
    saved = component.save()
    first = component.step(10**9, 2 * 10**9, np.zeros(0)).outputs
    component.restore(saved)
    again = component.step(10**9, 2 * 10**9, np.zeros(0)).outputs
    assert np.array_equal(first, again)


@pytest.mark.fmu
@pytest.mark.parametrize("fmi_version", ["2.0", "3.0"])
def test_composed_system_is_one_fmu_with_state(tmp_path, fmi_version):
    expected = ours(ring())
    path = export_fmu(
        compose(ring(), "Ring"), tmp_path / "ring.fmu", fmi_version=fmi_version
    )
    theirs = fmpy.simulate_fmu(str(path), stop_time=10.0, output_interval=0.5)
    for name in expected.names:
        found = theirs[name.replace(".", "_")]
        assert np.abs(found - expected[name]).max() < 1e-10
    component = FmuComponent(path, parameters={"a_start_K": 280.0})
    assert component.capabilities.can_rewind
    assert component.initialize(0, np.zeros(0)).tolist() == [280.0, 280.0]
    component.close()


def test_what_is_no_step_map_is_named():
    system = System([Gain("gain")], constants={"gain.input_A": 1.0})
    with pytest.raises(WiringError, match="`gain` is a `Gain`, but only step maps"):
        compose(system, "Whole")
