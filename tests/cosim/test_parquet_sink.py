"""A run recorded to a file while it runs is the run recorded in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import AbstractMaster, Adaptive, GaussSeidel, Iterated
from packtwin.cosim.parquet_sink import ParquetSink
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.result import read_parquet
from packtwin.cosim.result_table import journal_path
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.cosim.thinning import EveryNth, OnChange
from packtwin.scenarios import bench_cosim_memory
from packtwin.scenarios.bench_cosim_bouncing import bouncing, exact_bouncing
from packtwin.scenarios.inspection import describe_file
from packtwin.twin.errors import ScenarioError, StepError
from tests.fakes import Accumulator, Clock, Fake, Troubled

ROOT = Path(__file__).parents[2]


def charging() -> System:
    source = Fake("source", lambda t, u: [3600.0])
    meter = Accumulator("meter")
    return System([source, meter], [Connection("source.output_A", "meter.input_A")])


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("stop_s", [0.5, 1000.0])
@pytest.mark.fmu
def test_the_file_holds_what_memory_would(
    tmp_path: Path, is_compiled: bool, stop_s: float
) -> None:
    options = {
        "stop_s": stop_s,
        "step_s": 0.5,
        "record": ("meter.*",),
        "master": GaussSeidel(is_compiled=is_compiled),
    }
    kept = simulate(charging(), **options)
    sink = ParquetSink(tmp_path / "run.parquet", flush_s=0.0)
    result = simulate(charging(), **options, sink=sink)
    back = read_parquet(tmp_path / "run.parquet")
    np.testing.assert_array_equal(back.values, kept.values)
    np.testing.assert_array_equal(back.time_s, kept.time_s)
    assert (back.names, back.units) == (kept.names, ("Ah",))
    assert back.status == result.status == kept.status
    assert back.stats == result.stats
    assert back.provenance == result.provenance
    assert result.time_s.tolist() == [stop_s]
    assert result["meter.charge_Ah"][-1] == kept["meter.charge_Ah"][-1]
    assert not journal_path(tmp_path / "run.parquet").exists()


def test_columns_say_their_unit_and_meaning(tmp_path: Path) -> None:
    system = charging()
    path = tmp_path / "run.parquet"
    bond = PowerBond("line", effort="source.output_A", flow="meter.charge_Ah")
    ring = System(
        [
            Fake("source", lambda t, u: [u[0]], inputs=("back_Ah",)),
            Accumulator("meter"),
        ],
        [
            Connection("source.output_A", "meter.input_A"),
            Connection("meter.charge_Ah", "source.back_Ah"),
        ],
    )
    simulate(ring, stop_s=2.0, step_s=1.0, bonds=[bond], sink=ParquetSink(path))
    schema = pq.read_schema(path)
    assert schema.names == [
        "time_s",
        "source.output_A",
        "meter.charge_Ah",
        "line.energy_J",
        "line.residual_J",
    ]
    assert [field.metadata[b"unit"] for field in schema] == [
        b"s",
        b"A",
        b"Ah",
        b"J",
        b"J",
    ]
    assert b"gives the effort" in schema.field("line.energy_J").metadata[b"description"]
    simulate(system, stop_s=2.0, step_s=1.0, record=(), sink=ParquetSink(path))
    assert read_parquet(path).values.shape == (3, 0)


@pytest.mark.parametrize("master", [Iterated(), Adaptive(tolerance=1e-4)])
def test_events_are_in_the_file_at_their_times(
    tmp_path: Path, master: AbstractMaster
) -> None:
    path = tmp_path / "run.parquet"
    options = {"stop_s": 1.0, "step_s": 0.1, "master": master}
    kept = simulate(bouncing(), **options)
    assert {event.component for event in kept.events} == {"ball"}
    _, impacts = exact_bouncing(np.array([0.0, 1.0]))
    found = [event.time_s for event in kept.events]
    np.testing.assert_allclose(found, impacts, atol=1e-3)
    simulate(bouncing(), **options, sink=ParquetSink(path, flush_s=0.0))
    back = read_parquet(path)
    assert back.events == kept.events
    counts = [len(row) for row in pq.read_table(path)["events"].to_pylist()]
    ends = np.searchsorted(kept.time_s, [event.time_s for event in kept.events])
    assert np.flatnonzero(counts).tolist() == sorted(set(ends.tolist()))
    kept.write_parquet(path)
    assert read_parquet(path).events == kept.events


def test_rows_with_events_are_never_thinned_out(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    sink = ParquetSink(path, thinning=EveryNth(100))
    result = simulate(bouncing(), stop_s=2.0, step_s=0.1, master=Iterated(), sink=sink)
    back = read_parquet(path)
    assert len(back.events) >= 1
    for event in back.events:
        assert 0.0 <= (back.time_s - event.time_s)[back.time_s >= event.time_s][0] < 0.1
    assert back.time_s[0] == 0.0
    assert back.time_s[-1] == result.time_s[-1] == 2.0


@pytest.mark.parametrize("flush_s", [0.0, 60.0])
def test_every_nth_row_and_the_last_are_kept(tmp_path: Path, flush_s: float) -> None:
    path = tmp_path / "run.parquet"
    sink = ParquetSink(path, thinning=EveryNth(7), flush_s=flush_s)
    simulate(System([Clock()]), stop_s=100.0, step_s=1.0, sink=sink)
    assert read_parquet(path)["clock.time_s"].tolist() == [*range(0, 99, 7), 100]


@pytest.mark.parametrize("flush_s", [0.0, 60.0])
def test_rows_left_out_are_within_the_tolerance_of_the_one_before(
    tmp_path: Path, flush_s: float
) -> None:
    draw = np.random.default_rng(1).normal(size=3001).cumsum()
    walk = Fake("walk", lambda t, u: [draw[round(t)], t], outputs=("way_m", "time_s"))
    path, tolerance = tmp_path / "run.parquet", 4.0
    sink = ParquetSink(
        path, thinning=OnChange({"walk.way_m": tolerance}), flush_s=flush_s
    )
    simulate(System([walk]), stop_s=3000.0, step_s=1.0, sink=sink)
    back = read_parquet(path)
    rows = np.searchsorted(back.time_s, np.arange(3001.0), side="right") - 1
    gaps = np.abs(back["walk.way_m"][rows] - draw)
    assert gaps.max() <= tolerance
    steps = np.abs(np.diff(back["walk.way_m"]))[:-1]  # the last row is kept anyway
    assert steps.min() > tolerance
    assert 30 < len(back.time_s) < 1500


def test_what_cannot_be_recorded_is_refused_before_the_run(tmp_path: Path) -> None:
    system = charging()
    sink = ParquetSink(tmp_path / "none" / "run.parquet")
    with pytest.raises(ScenarioError, match="cannot be written"):
        simulate(system, stop_s=1.0, step_s=1.0, sink=sink)
    thinning = OnChange({"meter.*": -1.0})
    sink = ParquetSink(tmp_path / "run.parquet", thinning=thinning)
    with pytest.raises(ScenarioError, match=r"tolerance of `meter\.\*` is -1"):
        simulate(system, stop_s=1.0, step_s=1.0, sink=sink)
    with pytest.raises(ScenarioError, match="1 or more"):
        EveryNth(0)
    assert not any(call == "step" for call, _ in system.component("source").log)


def test_a_failed_run_is_in_the_file_as_failed(tmp_path: Path) -> None:
    system = System([Troubled("nan", 4)], constants={"troubled.input_A": 1.0})
    path = tmp_path / "run.parquet"
    with pytest.raises(StepError):
        simulate(system, stop_s=9.0, step_s=1.0, sink=ParquetSink(path))
    back = read_parquet(path)
    assert (back.status.kind, back.status.component) == ("failed", "troubled")
    assert back["troubled.count"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_a_run_broken_off_leaves_its_rows(tmp_path: Path) -> None:
    def interrupt(fraction: float) -> None:
        if fraction >= 0.5:
            raise KeyboardInterrupt

    path = tmp_path / "run.parquet"
    with pytest.raises(KeyboardInterrupt):
        simulate(
            System([Clock()]),
            stop_s=100.0,
            step_s=1.0,
            progress=interrupt,
            sink=ParquetSink(path),
        )
    back = read_parquet(path)
    assert (back.status.kind, back.status.time_s) == ("interrupted", 50.0)
    assert back["clock.time_s"].tolist() == [float(t) for t in range(51)]
    assert back.provenance["master"] == "GaussSeidel"
    simulate(System([Clock()]), stop_s=3.0, step_s=1.0).write_parquet(path)
    assert read_parquet(path).status.kind == "completed"


@pytest.mark.parametrize("cut", [1, 100, 2000])
def test_a_piece_that_was_cut_off_is_the_end(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "run.parquet"
    recording = _journal(path)
    size = journal_path(path).stat().st_size
    recording.write(np.arange(500.0, 800.0), np.zeros((300, 1)), ())
    recording.abandon()
    os.truncate(journal_path(path), size + cut)
    assert read_parquet(path).time_s.tolist() == [float(t) for t in range(500)]


def _journal(path: Path):
    from packtwin.cosim.result_table import Series

    series = Series(names=("a.b_m",), units=("m",), descriptions=("",))
    recording = ParquetSink(path).open(series, {"provenance": {}})
    recording.write(np.arange(500.0), np.zeros((500, 1)), ())
    return recording


@pytest.mark.fmu
@pytest.mark.parametrize("loop", ["Python", "C"])
def test_a_killed_run_leaves_a_readable_file(tmp_path: Path, loop: str) -> None:
    path = tmp_path / "run.parquet"
    command = [sys.executable, "-m", "tests.cosim.killed_run", str(path), loop]
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline = time.monotonic() + 60.0
        while not (
            journal_path(path).exists() and journal_path(path).stat().st_size > 20_000
        ):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not path.exists()
    back = read_parquet(path)
    assert back.status.kind == "interrupted"
    assert len(back.time_s) > 1000
    assert (back["clock.time_s"] == np.arange(len(back.time_s))).all()
    assert (back.time_s == back["clock.time_s"]).all()
    facts = dict(row for row in describe_file(path)[0].rows)
    assert facts["status"].startswith("interrupted the run was broken off")
    assert facts["samples"] == str(len(back.time_s))


def _growth_mb(path: Path, steps: str) -> float:
    call = f"main({str(path)!r}, {steps})"
    code = f"from {bench_cosim_memory.__name__} import main; print({call})"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True
    )
    return float(shown.stdout)


@pytest.mark.slow
def test_memory_does_not_grow_over_a_million_steps(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    # The rows alone are 168 MB.
    assert _growth_mb(path, "(100_000, 1_000_000)") < 15.0
    assert pq.ParquetFile(path).metadata.num_rows == 1_000_001


def test_memory_does_not_grow_over_many_steps(tmp_path: Path) -> None:
    # The rows alone are 42 MB.
    assert _growth_mb(tmp_path / "run.parquet", "(100_000, 250_000)") < 12.0
