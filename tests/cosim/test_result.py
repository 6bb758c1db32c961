from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtwin.cosim.result import Result, RunStats, RunStatus, read_parquet
from packtwin.twin.errors import ScenarioError


@pytest.fixture
def result() -> Result:
    time_s = np.linspace(0.0, 1.0, 2001)
    draw = np.random.default_rng(0)
    return Result(
        time_s=time_s,
        names=("pack.current_A", "cooling.conductance_W_per_m2K"),
        units=("A", "W/(m2.K)"),
        values=draw.normal(size=(2001, 2)),
        status=RunStatus(kind="stopped", time_s=1.0, reason="pack.soc >= 0.8"),
        stats=RunStats(
            wall_s=0.1,
            step_count=2000,
            real_time_factor=10.0,
            component_seconds={"pack": 0.05},
        ),
        provenance={"packtwin": "0.1.0", "order": "cycle > pack"},
    )


def test_series_are_found_by_name_with_their_unit(result):
    assert result.unit("cooling.conductance_W_per_m2K") == "W/(m2.K)"
    assert (result["pack.current_A"] == result.values[:, 0]).all()
    assert tuple(result.series) == result.names
    assert "pack.current_A" in result


def test_an_unknown_series_offers_the_nearest(result):
    with pytest.raises(ScenarioError, match=r"nearest: `pack\.current_A`"):
        result["pack.curent_A"]


def test_results_cannot_be_changed(result):
    with pytest.raises(ValueError, match="read-only"):
        result["pack.current_A"][0] = 1.0


def test_parquet_keeps_every_bit_unit_and_record(result, tmp_path):
    path = tmp_path / "run=1.parquet"
    result.write_parquet(path)
    back = read_parquet(path)
    assert (back.time_s == result.time_s).all()
    assert (back.values == result.values).all()
    assert (back.names, back.units) == (result.names, result.units)
    assert back.status == result.status
    assert back.stats == result.stats
    assert back.provenance == result.provenance


def test_parquet_shows_units_to_any_reader(result, tmp_path):
    result.write_parquet(tmp_path / "run.parquet")
    schema = pq.read_schema(tmp_path / "run.parquet")
    assert schema.names == ["time_s", *result.names]
    assert [field.metadata[b"unit"].decode() for field in schema] == [
        "s",
        *result.units,
    ]


def test_a_run_without_rows_can_be_kept(result, tmp_path):
    empty = Result(
        time_s=np.empty(0),
        names=(),
        units=(),
        values=np.empty((0, 0)),
        status=RunStatus(kind="failed", time_s=0.0, component="pack"),
        stats=result.stats,
        provenance={},
    )
    empty.write_parquet(tmp_path / "run.parquet")
    assert read_parquet(tmp_path / "run.parquet").status.component == "pack"


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(result, tmp_path, kept):
    path = tmp_path / "run.parquet"
    result.write_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ScenarioError, match="cut off, damaged"):
        read_parquet(path)


def test_a_parquet_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"time_s": [0.0]}), path)
    with pytest.raises(ScenarioError, match="not a packtwin result"):
        read_parquet(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"no result file `.*none\.parquet`"):
        read_parquet(tmp_path / "none.parquet")


def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(
    result, tmp_path, monkeypatch
):
    path = tmp_path / "run.parquet"
    result.write_parquet(path)
    before = path.read_bytes()

    def fill_the_disk(table, where, **options):
        where.write_bytes(b"half")
        raise OSError(where)

    monkeypatch.setattr(pq, "write_table", fill_the_disk)
    with pytest.raises(OSError, match="part"):
        result.write_parquet(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
