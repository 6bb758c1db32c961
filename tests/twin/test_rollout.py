"""A rolled cell answers the same bits compiled and interpreted."""

from pathlib import Path

import numpy as np
import pytest

from packtwin.twin.rollout import Roller
from tests.twin.made_runs import made_run


@pytest.mark.fmu
def test_the_compiled_roll_gives_the_same_bits(synthetic_spec, tmp_path, monkeypatch):
    monkeypatch.setenv("PACKTWIN_CACHE", str(tmp_path))
    run = made_run(synthetic_spec, 0, n=45)
    want = Roller(synthetic_spec, 20).follow(run)
    got = Roller(synthetic_spec, 20, is_compiled=True).follow(run)
    assert len(list(tmp_path.glob("rolled-*.so"))) == 1
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_without_a_compiler_the_roll_is_interpreted(
    synthetic_spec, tmp_path: Path, monkeypatch
):
    run = made_run(synthetic_spec, 0, n=45)
    want = Roller(synthetic_spec, 20).follow(run)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PACKTWIN_CACHE", str(tmp_path))
    got = Roller(synthetic_spec, 20, is_compiled=True).follow(run)
    np.testing.assert_array_equal(got["voltage_V"], want["voltage_V"])
