"""Checkpoints are whole or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.errors import ScenarioError
from tests.fakes import savable


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.npz"
    simulate(
        System([savable()]), stop_s=4.0, step_s=1.0, checkpoint=Checkpoint(path, 2)
    )
    return path


def test_files_that_are_none_are_refused(saved: Path, tmp_path: Path) -> None:
    def go_on(path: Path) -> None:
        simulate(System([savable()]), stop_s=4.0, step_s=1.0, resume_from=path)

    with pytest.raises(ScenarioError, match="There is no checkpoint"):
        go_on(tmp_path / "none.npz")
    content = saved.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 30):
        saved.write_bytes(content[:size])
        with pytest.raises(ScenarioError, match="cut off, damaged"):
            go_on(saved)
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    saved.write_bytes(damaged)
    with pytest.raises(ScenarioError):
        go_on(saved)
    np.savez(saved, document=np.array([object()]))
    with pytest.raises(ScenarioError, match="cut off, damaged"):
        go_on(saved)
    later = json.dumps({"format": "packtwin.checkpoint", "version": 2})
    np.savez(saved, document=np.frombuffer(later.encode(), dtype=np.uint8))
    with pytest.raises(ScenarioError, match="version 2, expected"):
        go_on(saved)


def test_a_failed_write_leaves_the_last_checkpoint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = saved.read_bytes()

    def fail(*args: object, **named: object) -> None:
        msg = "no space"
        raise OSError(msg)

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(ScenarioError, match="cannot be written: no space"):
        write_checkpoint(saved, {}, None)
    assert saved.read_bytes() == content
    assert [p.name for p in saved.parent.iterdir()] == ["run.npz"]


def test_reading_back_gives_the_state(tmp_path: Path) -> None:
    state = {"x": (1, 0.1, float("nan"), None, True, "text", [b"\x00\xff"])}
    write_checkpoint(tmp_path / "a.npz", {"k": [1]}, state)
    back = read_checkpoint(tmp_path / "a.npz", {"k": [1]})
    assert repr(back) == repr(state)
