"""A step map looped in C: equal to CasADi, conserving, refusing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.scenarios.bench_surrogate_loop import CLoop
from packtwin.twin.errors import StepError
from packtwin.twin.implicit import implicit_source
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec
from tests.twin.implicit_models import circuit, compiled

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def loop(
    synthetic_spec: SurrogateSpec, tmp_path_factory: pytest.TempPathFactory
) -> CLoop:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTWIN_CACHE", str(tmp_path_factory.mktemp("libraries")))
        return CLoop(cell_step_map(synthetic_spec))


def test_the_loop_takes_the_steps_of_casadi(loop: CLoop) -> None:
    step_map = loop.step_map
    p = np.array([v.start for v in step_map.interface.parameters])
    u = np.column_stack([np.linspace(-5.0, 5.0, 30), *np.full((2, 30), 290.0)])
    memory, y = step_map.start(u[0], p)
    got, got_y = loop.start(u[0], p)
    np.testing.assert_array_equal(got, memory)
    np.testing.assert_array_equal(got_y, y)
    got, got_y = loop.run(got, u, p, h=2.0)
    for row in u:
        memory, y, _ = step_map.advance(memory, 0.0, 2.0, row, p)
    np.testing.assert_allclose(got, memory, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got_y, y, rtol=1e-12, atol=1e-12)


def test_a_refused_step_is_counted(loop: CLoop) -> None:
    p = np.array([v.start for v in loop.step_map.interface.parameters])
    u = np.tile([1.0, 298.15, 10.0], (5, 1))
    u[3, 0] = np.nan
    memory, _ = loop.start(u[0], p)
    with pytest.raises(StepError, match="refused step 3 of 5"):
        loop.run(memory, u, p)
    with pytest.raises(StepError, match="refused its start"):
        loop.start(u[3], p)


def test_a_step_takes_time(loop: CLoop) -> None:
    p = np.array([v.start for v in loop.step_map.interface.parameters])
    u = np.tile([1.0, 298.15, 10.0], (2000, 1))
    assert 1e-8 < loop.step_time_s(u, p, 3) < 1e-3


def test_lithium_and_charge_are_conserved(
    loop: CLoop, synthetic_spec: SurrogateSpec
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pybamm")
    from packtwin.scenarios.bench_surrogate_runtimes import lithium_rows

    rows = list(lithium_rows(loop, synthetic_spec, 10))
    assert [row.id for row in rows] == ["lithium.total", "lithium.charge"]
    assert all(row.met for row in rows)


def test_torch_casadi_and_c_agree(loop: CLoop, synthetic_spec: SurrogateSpec) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pybamm")
    from packtwin.scenarios.bench_surrogate_runtimes import runtime_gaps

    gaps = runtime_gaps(loop, synthetic_spec, 200)
    assert set(gaps) == {"torch_casadi", "c_casadi"}
    assert max(gaps.values()) <= 1e-12


def test_inputs_of_an_implicit_step_map_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKTWIN_CACHE", str(tmp_path))
    model = circuit()
    loop, reference = CLoop(implicit_source(model)), compiled(model)
    _, p = model.start_vectors()
    n_u = len(model.interface.inputs)
    u = np.random.default_rng(0).uniform(0.5, 1.5, (40, n_u))
    memory, y = loop.start(u[0], p)
    got, got_y, _ = loop.trace(memory, u, p)
    for k, row in enumerate(u):
        memory, y, _ = reference.advance(memory, float(k), 1.0, row, p)
        np.testing.assert_array_equal(got_y[k], y)
    np.testing.assert_array_equal(got, memory)
