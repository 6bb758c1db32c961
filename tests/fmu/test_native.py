"""The step of an FMU in C: the same bits, events, ends and refusals as in Python."""

from __future__ import annotations

import ctypes
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import GaussSeidel, Jacobi
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.archive import write_archive
from packtwin.fmu.component import FmuComponent
from packtwin.twin.component import ticks
from packtwin.twin.errors import FmuCallError
from packtwin.twin.native_component import NativeComponent
from packtwin.twin.native_step import NATIVE_SIGNATURE
from tests.fakes import Fake

pytestmark = pytest.mark.fmu

SECOND = ticks(1.0)


def both(
    components: Sequence[FmuComponent | Fake],
    connections: Sequence[Connection] = (),
    constants: dict[str, float] | None = None,
    *,
    stop_s: float,
    step_s: float,
    master: type = GaussSeidel,
) -> tuple[Result, Result]:
    system = System(components, connections, constants=constants)
    slow, fast = (
        simulate(
            system,
            stop_s=stop_s,
            step_s=step_s,
            master=master(is_compiled=flag),
            throw=False,
        )
        for flag in (False, True)
    )
    np.testing.assert_array_equal(fast.values, slow.values)
    assert fast.status == slow.status
    return slow, fast


@pytest.mark.parametrize("master", [Jacobi, GaussSeidel])
def test_coupled_fmus_give_the_same_bits(
    rc_fmu: Path, heat_fmu: Path, master: type
) -> None:
    wave = Fake("wave", lambda t, u: [np.sin(t)], outputs=("wave_V",))
    circuit, lump = FmuComponent(rc_fmu, name="circuit"), FmuComponent(heat_fmu)
    assert isinstance(circuit, NativeComponent)
    _, fast = both(
        [wave, circuit, lump],
        [Connection("wave.wave_V", "circuit.source_voltage_V")],
        {"LumpedHeat.heat_W": 3.0, "LumpedHeat.ambient_temperature_K": 290.0},
        stop_s=50.0,
        step_s=0.13,
        master=master,
    )
    loop = "C, which calls without Python: circuit, LumpedHeat"
    assert fast.provenance["loop"] == loop


def test_units_integers_and_booleans_are_converted_alike(vendor_fmu: Path) -> None:
    vendor = FmuComponent(vendor_fmu, name="vendor", parameters={"gain": 5.0})
    warm = Fake("warm", lambda t, u: [290.0 + t], outputs=("air_K",))
    slow, _ = both(
        [warm, vendor],
        [Connection("warm.air_K", "vendor.air_T_K")],
        {"vendor.mode": 2.4, "vendor.fail": 0.0},
        stop_s=5.0,
        step_s=0.5,
    )
    assert slow["vendor.next"][-1] == 3.0


def test_discarded_step_is_explained_alike(vendor_fmu: Path) -> None:
    vendor = FmuComponent(vendor_fmu, name="vendor")
    trip = Fake("trip", lambda t, u: [float(t > 2.0)], outputs=("trip",))
    slow, _ = both(
        [trip, vendor],
        [Connection("trip.trip", "vendor.fail")],
        {"vendor.mode": 1.0, "vendor.air_T_K": 300.0},
        stop_s=5.0,
        step_s=0.5,
    )
    assert slow.status.kind == "failed"
    assert "the valve closed" in slow.status.reason


def test_call_that_fails_is_explained_alike(rc_fmu: Path) -> None:
    circuit = FmuComponent(rc_fmu, name="circuit")
    circuit.initialize(0, np.array([1.0]))
    native = circuit.native_step()
    assert native is not None
    bad = np.array([np.nan])  # the setter refuses it
    with pytest.raises(FmuCallError) as in_python:
        circuit.step(0, SECOND, bad)
    y = (ctypes.c_double * 2)()
    call = NATIVE_SIGNATURE(native.function)
    status = call(native.self, 0, SECOND, (ctypes.c_double * 1)(*bad), y)
    with pytest.raises(FmuCallError) as in_c:
        native.resume(status, 0, SECOND, bad)
    assert str(in_c.value) == str(in_python.value)
    circuit.close()


def test_fmu_with_discrete_inputs_stays_in_python(stairs_fmu: Path) -> None:
    stairs = FmuComponent(stairs_fmu, name="stairs")
    constants = {f"stairs.{v.name}": v.start for v in stairs.interface.inputs}
    slow, fast = both([stairs], (), constants, stop_s=9.0, step_s=0.3)
    assert fast.provenance["loop"].endswith("no component")
    assert slow["stairs.counter"][-1] == 5.0
    assert fast.status.kind == "stopped"
    assert fast.status.reason.startswith("`stairs` asks to end at ")


@pytest.mark.parametrize("step_s", [0.5, 0.7])
def test_events_early_returns_and_ends_are_finished_in_python(
    stairs_fmu: Path, tmp_path: Path, step_s: float
) -> None:
    with zipfile.ZipFile(stairs_fmu) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = members["modelDescription.xml"].decode()
    lines = [line for line in text.splitlines() if 'name="valve"' not in line]
    text = "\n".join(lines).replace('dependencies="5"', 'dependencies=""')
    path = tmp_path / "plain.fmu"
    write_archive(path, {**members, "modelDescription.xml": text.encode()})
    stairs = FmuComponent(path, name="stairs")
    constants = {f"stairs.{v.name}": v.start for v in stairs.interface.inputs}
    slow, fast = both([stairs], (), constants, stop_s=4.9, step_s=step_s)
    assert fast.provenance["loop"].endswith(": stairs")
    assert slow["stairs.counter"][-1] == 5.0
    assert stairs.event_count == 4
    assert [event.time_s for event in slow.events] == [1.0, 2.0, 3.0, 4.0]
    assert fast.events == slow.events
    slow, fast = both([stairs], (), constants, stop_s=9.0, step_s=0.5)
    assert fast.status.kind == "stopped"
    assert fast.status.reason.startswith("`stairs` asks to end at ")
    assert slow["stairs.counter"][-1] == 6.0
