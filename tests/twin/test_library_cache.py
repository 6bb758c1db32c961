"""Libraries are compiled once."""

from __future__ import annotations

import pytest

from packtwin.twin.compiled import compile_step_map
from packtwin.twin.implicit import implicit_source
from tests.twin.implicit_models import (
    falling,
)

pytestmark = pytest.mark.fmu


def test_a_library_is_compiled_once(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PACKTWIN_CACHE", str(tmp_path))
    source = implicit_source(falling(0.0))
    compile_step_map(source)
    (library,) = tmp_path.iterdir()
    written = library.stat().st_mtime_ns
    compile_step_map(source)
    assert [item.stat().st_mtime_ns for item in tmp_path.iterdir()] == [written]
    compile_step_map(implicit_source(falling(0.1)))
    assert len(list(tmp_path.iterdir())) == 2
