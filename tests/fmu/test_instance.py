"""The exported binary itself: states, order of calls, refusals, leaks."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packtwin.fmu.archive import extract
from packtwin.fmu.description import read_description
from packtwin.fmu.instance_fmi2 import Fmi2Stepping
from packtwin.twin.errors import FmuCallError, FmuError

pytestmark = pytest.mark.fmu

SOURCE, VOLTAGE, CURRENT, RESISTANCE, CAPACITANCE = range(5)


def open_instance(path: Path, folder: Path, token: str | None = None) -> Fmi2Stepping:
    if not (folder / "modelDescription.xml").exists():
        extract(path, folder)
    (library,) = (folder / "binaries" / "linux64").iterdir()
    guid = token or str(read_description(path).guid)
    return Fmi2Stepping(library, token=guid, name="rc1", resources=folder, path=path)


def get(instance: Fmi2Stepping, reference: int) -> float:
    value = ctypes.c_double()
    references = (ctypes.c_uint * 1)(reference)
    count = ctypes.c_size_t(1)
    instance.call("fmi2GetReal", references, count, ctypes.byref(value))
    return value.value


def put(instance: Fmi2Stepping, reference: int, value: float) -> None:
    references = (ctypes.c_uint * 1)(reference)
    count = ctypes.c_size_t(1)
    instance.call("fmi2SetReal", references, count, (ctypes.c_double * 1)(value))


def step(instance: Fmi2Stepping, t: float, h: float) -> None:
    instance.call("fmi2DoStep", ctypes.c_double(t), ctypes.c_double(h), 0)


def start(instance: Fmi2Stepping, stop_time: float | None = None) -> None:
    zero = ctypes.c_double(0.0)
    stop = ctypes.c_double(stop_time or 0.0)
    has_stop = int(stop_time is not None)
    instance.call("fmi2SetupExperiment", 0, zero, zero, has_stop, stop)
    instance.call("fmi2EnterInitializationMode")
    instance.call("fmi2ExitInitializationMode")


def serialize(instance: Fmi2Stepping) -> bytes:
    saved = instance.save()
    size = ctypes.c_size_t()
    instance.call("fmi2SerializedFMUstateSize", saved.pointer, ctypes.byref(size))
    data = ctypes.create_string_buffer(size.value)
    instance.call("fmi2SerializeFMUstate", saved.pointer, data, size)
    return data.raw


def deserialize(instance: Fmi2Stepping, data: bytes) -> None:
    state = ctypes.c_void_p()
    size = ctypes.c_size_t(len(data))
    instance.call("fmi2DeSerializeFMUstate", data, size, ctypes.byref(state))
    instance.call("fmi2SetFMUstate", state)
    instance.call("fmi2FreeFMUstate", ctypes.byref(state))
    assert state.value is None


@pytest.fixture
def rc(rc_fmu: Path, tmp_path: Path) -> Iterator[Fmi2Stepping]:
    instance = open_instance(rc_fmu, tmp_path)
    yield instance
    instance.close()


def test_wrong_token_gives_no_instance(rc_fmu: Path, tmp_path: Path) -> None:
    with pytest.raises(FmuError, match=r"guid \{other\} was given"):
        open_instance(rc_fmu, tmp_path, token="{other}")


def test_outputs_follow_inputs_and_parameters_in_initialization(
    rc: Fmi2Stepping,
) -> None:
    rc.call("fmi2EnterInitializationMode")
    assert get(rc, CURRENT) == 0.5
    put(rc, SOURCE, 3.0)
    assert get(rc, CURRENT) == 1.5
    put(rc, RESISTANCE, 6.0)
    assert get(rc, CURRENT) == 0.5
    rc.call("fmi2ExitInitializationMode")
    assert get(rc, CURRENT) == 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_input_is_refused_and_the_old_value_kept(
    rc: Fmi2Stepping, value: float
) -> None:
    start(rc)
    with pytest.raises(FmuCallError, match="`source_voltage_V` was given"):
        put(rc, SOURCE, value)
    assert get(rc, SOURCE) == 1.0
    step(rc, 0.0, 1.0)


def test_parameter_outside_its_range_is_refused(rc: Fmi2Stepping) -> None:
    with pytest.raises(FmuCallError, match="expected 1e-06 to"):
        put(rc, RESISTANCE, 0.0)
    assert get(rc, RESISTANCE) == 2.0


def test_fixed_parameter_is_fixed_and_tunable_is_tunable(rc: Fmi2Stepping) -> None:
    put(rc, CAPACITANCE, 4.0)
    start(rc)
    put(rc, RESISTANCE, 5.0)
    with pytest.raises(FmuCallError, match="`capacitance_F` is fixed"):
        put(rc, CAPACITANCE, 5.0)
    assert (get(rc, RESISTANCE), get(rc, CAPACITANCE)) == (5.0, 4.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda i: step(i, 0.0, 1.0),
        lambda i: i.call("fmi2ExitInitializationMode"),
        lambda i: i.call("fmi2Terminate"),
        lambda i: get(i, VOLTAGE),
        lambda i: get(i, 99),
        lambda i: put(i, VOLTAGE, 1.0),
        lambda i: i.call("fmi2CancelStep"),
    ],
)
def test_call_out_of_order_is_an_error_and_changes_nothing(
    rc: Fmi2Stepping, wrong: object
) -> None:
    before = serialize(rc)
    with pytest.raises(FmuCallError, match="returned fmi2Error: fmi2"):
        wrong(rc)  # type: ignore[operator]
    assert serialize(rc) == before
    start(rc)


@pytest.mark.parametrize(
    ("t", "h", "reason"),
    [
        (0.5, 1.0, "stands at 0 s"),
        (0.0, 0.0, "expected more than 0"),
        (0.0, -1.0, "expected more than 0"),
        (0.0, float("nan"), "expected more than 0"),
        (float("nan"), 1.0, "stands at"),
        (0.0, 11.0, "after the stop time"),
    ],
)
def test_impossible_step_is_refused(
    rc: Fmi2Stepping, t: float, h: float, reason: str
) -> None:
    start(rc, stop_time=10.0)
    with pytest.raises(FmuCallError, match=reason):
        step(rc, t, h)
    step(rc, 0.0, 10.0)


def test_nothing_runs_after_terminate_but_reset_starts_over(rc: Fmi2Stepping) -> None:
    start(rc)
    put(rc, SOURCE, 7.0)
    step(rc, 0.0, 1.0)
    rc.call("fmi2Terminate")
    with pytest.raises(FmuCallError, match="terminated"):
        step(rc, 1.0, 1.0)
    rc.call("fmi2Reset")
    start(rc)
    assert (get(rc, SOURCE), get(rc, VOLTAGE)) == (1.0, 0.0)


def test_status_tells_the_last_successful_time(rc: Fmi2Stepping) -> None:
    start(rc)
    step(rc, 0.0, 1.5)
    time, flag = ctypes.c_double(), ctypes.c_int(1)
    rc.call("fmi2GetRealStatus", 2, ctypes.byref(time))
    rc.call("fmi2GetBooleanStatus", 3, ctypes.byref(flag))
    assert (time.value, flag.value) == (1.5, 0)


def run(instance: Fmi2Stepping, first: int, last: int) -> list[str]:
    values = []
    for k in range(first, last):
        put(instance, SOURCE, 1.0 + k % 3)
        step(instance, k * 0.5, 0.5)
        values += [get(instance, VOLTAGE).hex(), get(instance, CURRENT).hex()]
    return values


def test_replay_after_restore_is_bit_identical(rc: Fmi2Stepping) -> None:
    start(rc)
    run(rc, 0, 5)
    saved = rc.save()
    wanted = run(rc, 5, 20)
    for _ in range(2):  # a state stays usable
        rc.restore(saved)
        assert run(rc, 5, 20) == wanted


_REPLAY = """
import sys
from pathlib import Path
from test_instance import deserialize, open_instance, run
path, folder, state = map(Path, sys.argv[1:])
instance = open_instance(path, folder)
deserialize(instance, state.read_bytes())
sys.stdout.write(" ".join(run(instance, 5, 20)))
instance.close()
"""


def test_replay_in_a_new_process_is_bit_identical(
    rc: Fmi2Stepping, rc_fmu: Path, tmp_path: Path
) -> None:
    start(rc)
    run(rc, 0, 5)
    state = tmp_path / "state.bin"
    state.write_bytes(serialize(rc))
    wanted = run(rc, 5, 20)
    done = subprocess.run(
        [sys.executable, "-c", _REPLAY, str(rc_fmu), str(tmp_path), str(state)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == wanted, done.stderr


@pytest.mark.parametrize("change", ["short", "magic", "token"])
def test_foreign_bytes_are_no_state(rc: Fmi2Stepping, change: str) -> None:
    data = bytearray(serialize(rc))
    if change == "short":
        data = data[:-8]
    else:
        data[0 if change == "magic" else 20] ^= 1
    with pytest.raises(FmuCallError, match="are no state of this FMU"):
        deserialize(rc, bytes(data))


def test_close_frees_the_states_that_are_still_held(rc: Fmi2Stepping) -> None:
    start(rc)
    kept, dropped = [rc.save() for _ in range(3)], rc.save()
    del dropped
    assert all(state.pointer.value for state in kept)
    rc.close()
    # `fmi2FreeFMUstate` sets the pointer it frees to null.
    assert [state.pointer.value for state in kept] == [None] * 3
    rc.close()
    del kept


def test_state_of_another_instance_is_refused(
    rc: Fmi2Stepping, rc_fmu: Path, tmp_path: Path
) -> None:
    other = open_instance(rc_fmu, tmp_path)
    start(rc)
    start(other)
    run(rc, 0, 3)
    before, foreign = serialize(rc), other.save()
    with pytest.raises(FmuError, match="that another instance saved"):
        rc.restore(foreign)
    assert serialize(rc) == before
    other.close()
    with pytest.raises(FmuError, match="that another instance saved"):
        rc.restore(foreign)


def test_closed_instance_neither_saves_nor_restores(rc: Fmi2Stepping) -> None:
    start(rc)
    saved = rc.save()
    rc.close()
    with pytest.raises(FmuError, match="cannot save its state: it is closed"):
        rc.save()
    with pytest.raises(FmuError, match="cannot restore a state: it is closed"):
        rc.restore(saved)


def test_saving_again_reuses_the_memory(rc: Fmi2Stepping) -> None:
    start(rc)
    saved = rc.save()
    address = saved.pointer.value
    step(rc, 0.0, 1.0)
    rc.call("fmi2GetFMUstate", ctypes.byref(saved.pointer))
    assert saved.pointer.value == address


def test_null_instance_is_an_error_not_a_crash(rc: Fmi2Stepping) -> None:
    for name in ("fmi2DoStep", "fmi2Reset", "fmi2Terminate", "fmi2GetReal"):
        zero = ctypes.c_double(0.0)
        assert rc.function(name)(None, zero, zero, 0) == 3
    rc.function("fmi2FreeInstance")(None)


def resident_kilobytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4


def test_two_thousand_instances_leave_no_memory_behind(
    rc: Fmi2Stepping, rc_fmu: Path, tmp_path: Path
) -> None:
    token = str(read_description(rc_fmu).guid)
    (library,) = (tmp_path / "binaries" / "linux64").iterdir()

    def cycle(n: int) -> None:
        for _ in range(n):
            instance = Fmi2Stepping(
                library, token=token, name="x", resources=tmp_path, path=rc_fmu
            )
            start(instance)
            saved = instance.save()
            step(instance, 0.0, 1.0)
            instance.restore(saved)
            del saved
            instance.close()

    def growth() -> int:
        before = resident_kilobytes()
        cycle(2000)
        return resident_kilobytes() - before

    # Other tests' garbage may be moved about meanwhile; a leak grows every time.
    cycle(200)
    assert any(growth() < 1024 for _ in range(3))
