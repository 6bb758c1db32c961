"""A run that is saved and gone on with gives what it would have given, to the bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.checkpoint import Checkpoint
from packtwin.cosim.masters import Iterated, Jacobi
from packtwin.cosim.parquet_sink import ParquetSink
from packtwin.cosim.result import Result, read_parquet
from packtwin.cosim.result_table import journal_path
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.cosim.thinning import OnChange
from packtwin.scenarios.bench_cosim_bouncing import bouncing
from packtwin.twin.component import Capabilities
from packtwin.twin.errors import PackTwinError, ScenarioError
from tests.cosim import resuming
from tests.fakes import Accumulator, Clock, savable

ROOT = Path(__file__).parents[2]
HALF = resuming.N_STEP // 2 + 3  # not where anything else begins


def assert_equal(result: Result, other: Result) -> None:
    assert result.names == other.names
    np.testing.assert_array_equal(result.time_s, other.time_s)
    np.testing.assert_array_equal(result.values, other.values)
    assert result.status == other.status
    assert result.stats.counts == other.stats.counts
    assert result.events == other.events


def run(case: str, folder: Path, *, in_c: bool = False, **more) -> Result:
    options = resuming.options(case, folder, in_c=in_c)
    return simulate(options.pop("system"), **options, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resuming")


@pytest.mark.fmu
@pytest.mark.parametrize("case", resuming.CASES)
def test_gone_on_with_it_is_the_whole_run(case: str, folder: Path) -> None:
    path = folder / f"{case}.npz"
    whole = run(case, folder, checkpoint=Checkpoint(path, every=HALF))
    assert_equal(run(case, folder, resume_from=path), whole)
    assert_equal(run(case, folder), whole)


@pytest.mark.fmu
@pytest.mark.parametrize("case", ["jacobi", "gauss-seidel"])
@pytest.mark.parametrize("loops", [(False, True), (True, False), (True, True)])
def test_either_loop_goes_on_from_either(
    case: str, loops: tuple[bool, bool], folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.npz"
    saved = Checkpoint(path, every=HALF)
    whole = run(case, folder, in_c=loops[0], checkpoint=saved)
    after = run(case, folder, in_c=loops[1], resume_from=path)
    assert_equal(after, whole)
    assert after.provenance["loop"].startswith("C" if loops[1] else "Python")


@pytest.mark.fmu
def test_another_process_goes_on_the_same(folder: Path, tmp_path: Path) -> None:
    _in_another_process("gauss-seidel", "C", folder, tmp_path)


@pytest.mark.fmu
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "loop"), [*((case, "Python") for case in resuming.CASES), ("jacobi", "C")]
)
def test_another_process_goes_on_the_same_with_all(
    case: str, loop: str, folder: Path, tmp_path: Path
) -> None:
    _in_another_process(case, loop, folder, tmp_path)


def _in_another_process(case: str, loop: str, folder: Path, tmp_path: Path) -> None:
    path, out = folder / f"{case}-{loop}.npz", tmp_path / "after.parquet"
    whole = run(case, folder, in_c=loop == "C", checkpoint=Checkpoint(path, every=HALF))
    code = "from tests.cosim.resuming import main; main()"
    arguments = [case, loop, str(path), str(out)]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, check=True)
    assert_equal(read_parquet(out), whole)


def test_events_and_their_rows_are_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    options = {"stop_s": 1.0, "step_s": 0.1, "master": Iterated()}
    whole = simulate(bouncing(), **options, checkpoint=Checkpoint(path, every=7))
    assert_equal(simulate(bouncing(), **options, resume_from=path), whole)


def test_an_ended_run_is_gone_on_with_to_a_later_end(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    first = System([Accumulator_("meter")], constants={"meter.input_A": 3.0})
    short = simulate(
        first, stop_s=5.0, step_s=0.5, checkpoint=Checkpoint(path, is_at_end=True)
    )
    long = simulate(first, stop_s=9.0, step_s=0.5, resume_from=path)
    assert_equal(long, simulate(first, stop_s=9.0, step_s=0.5))
    assert len(short.time_s) == 11
    assert long.stats.step_count == 18


class Accumulator_(Accumulator):  # noqa: N801 (the same, that can be saved)
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.capabilities = Capabilities(can_rewind=True)

    def save(self) -> tuple[float]:
        return (self.charge_Ah,)

    def restore(self, state: tuple[float]) -> None:
        (self.charge_Ah,) = state


@pytest.mark.parametrize("thinning", [None, OnChange({"fake.output_A": 7.5})])
@pytest.mark.parametrize("is_ended", [False, True])
def test_a_recording_goes_on_where_the_run_was_saved(
    tmp_path: Path, is_ended: bool, thinning: OnChange | None
) -> None:
    path, file = tmp_path / "run.npz", tmp_path / "run.parquet"
    options = {"stop_s": 100.0, "step_s": 1.0, "sink": ParquetSink(file, thinning)}
    system = System([savable()])
    simulate(system, **options)
    whole = read_parquet(file)

    def stop(fraction: float) -> None:
        if fraction > 0.8 and not is_ended:
            raise InterruptedError

    try:
        saved = Checkpoint(path, every=33)
        simulate(system, **options, progress=stop, checkpoint=saved)
    except InterruptedError:
        assert journal_path(file).exists()
    simulate(system, **options, resume_from=path)
    assert_equal(read_parquet(file), whole)
    assert not journal_path(file).exists()


def test_a_recording_that_is_gone_is_missed(tmp_path: Path) -> None:
    path, file = tmp_path / "run.npz", tmp_path / "run.parquet"
    options = {"stop_s": 10.0, "step_s": 1.0}
    system, sink = System([savable()]), ParquetSink(file)
    saved = Checkpoint(path, every=4)
    simulate(system, **options, sink=sink, checkpoint=saved)
    file.unlink()
    with pytest.raises(ScenarioError, match="is to go on, but it is gone"):
        simulate(system, **options, sink=sink, resume_from=path)
    with pytest.raises(ScenarioError, match="in a file by a sink"):
        simulate(system, **options, resume_from=path)
    rest = ParquetSink(tmp_path / "rest.parquet")
    simulate(system, **options, sink=rest, resume_from=path)
    assert read_parquet(tmp_path / "rest.parquet").time_s.tolist() == [9.0, 10.0]
    simulate(system, stop_s=5.0, step_s=1.0, sink=sink)  # fewer rows than were saved
    with pytest.raises(ScenarioError, match="fewer rows"):
        simulate(system, **options, sink=sink, resume_from=path)
    assert read_parquet(file).time_s[-1] == 5.0


def test_an_interrupt_waits_for_the_next_point_and_saves_it(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"

    def law(t: float, u: np.ndarray) -> list[float]:
        if t == 37.0:
            os.kill(os.getpid(), signal.SIGINT)
        return [t]

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        simulate(
            System([savable(law)]), stop_s=1e4, step_s=1.0, checkpoint=Checkpoint(path)
        )
    assert signal.getsignal(signal.SIGINT) is before
    result = simulate(System([savable()]), stop_s=1e4, step_s=1.0, resume_from=path)
    assert result.time_s.tolist() == result["fake.output_A"].tolist()
    assert len(result.time_s) == 10_001


def test_a_run_in_another_thread_is_saved_on_its_way(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    options = {"stop_s": 9.0, "step_s": 1.0, "checkpoint": Checkpoint(path, every=2)}
    thread = threading.Thread(target=lambda: simulate(System([savable()]), **options))
    thread.start()
    thread.join()
    assert path.exists()


def test_what_cannot_be_saved_is_named_before_the_run(tmp_path: Path) -> None:
    odd = savable()
    odd.name, odd.save = "odd", lambda: {"law": odd.law}
    system = System([Clock(), odd])
    with pytest.raises(ScenarioError) as caught:
        simulate(system, stop_s=2.0, step_s=1.0, checkpoint=Checkpoint(tmp_path / "a"))
    assert "`clock` (it cannot save its state)" in str(caught.value)
    assert "`odd` (an object of `builtins.function` is no plain value" in str(
        caught.value
    )
    assert not any(call == "step" for call, _ in odd.log)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.npz"
    simulate(
        System([savable()]), stop_s=4.0, step_s=1.0, checkpoint=Checkpoint(path, 2)
    )
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step_s": 0.5}, "start and step was"),
        ({"start_s": 0.5}, "start and step was"),
        ({"master": Jacobi()}, "the master was"),
        ({"record": ()}, "the recorded series was"),
        ({"stop_s": 1.0}, "no communication point of this run"),
        ({"sink": ParquetSink("run.parquet")}, "in memory; go on without a `sink`"),
    ],
)
def test_another_run_is_refused(saved: Path, changes: dict, words: str) -> None:
    options = {"stop_s": 4.0, "step_s": 1.0} | changes
    with pytest.raises(ScenarioError, match=words):
        simulate(System([savable()]), **options, resume_from=saved)


def test_another_system_is_refused_by_name(saved: Path) -> None:
    other = savable()
    other.name = "other"
    with pytest.raises(ScenarioError, match="the component of `fake` was"):
        simulate(System([other]), stop_s=4.0, step_s=1.0, resume_from=saved)


@pytest.mark.fmu
def test_the_state_of_another_fmu_is_refused(folder: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    component = resuming.fmu(folder, "two", "2.0")
    component.initialize(0, np.zeros(1))
    state = component.save()
    other = replace(state, token="{other}", saved=bytes(state.saved))
    with pytest.raises(PackTwinError, match=r"saved by another FMU.*`\{other\}`"):
        component.restore(other)
    component.close()


def test_the_memory_of_another_step_map_is_refused() -> None:
    component = resuming.native("own")
    component.initialize(0, np.zeros(1))
    memory, *rest = component.save()
    with pytest.raises(PackTwinError, match="3 values cannot be one of `own`"):
        component.restore((np.append(memory, 0.0), *rest))
