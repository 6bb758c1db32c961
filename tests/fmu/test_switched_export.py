"""A switched step map is exported like any other: its FMU takes the same steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import casadi as ca
import numpy as np
import pytest

from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import compile_source, export_fmu
from packtwin.fmu.inspection import validate
from packtwin.fmu.source import render_source
from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.step_map import StepStatus
from tests.fmu.raw_fmu import RawFmu, made
from tests.twin.switched_models import two_stores

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def path(fmu_folder: Path) -> Path:
    return export_fmu(two_stores(), fmu_folder / "stores.fmu")


def test_fmu_equals_compiled_steps_bit_by_bit_and_rewinds(path: Path) -> None:
    ours, fmu = StepMapComponent(CompiledSwitched(two_stores())), FmuComponent(path)
    rng, u = np.random.default_rng(5), np.array([0.1, 0.2])
    np.testing.assert_array_equal(fmu.initialize(0, u), ours.initialize(0, u))
    tick, sides = 0, []
    for _ in range(200):
        u = rng.uniform([-1.0, 0.0], [1.0, 1.15])
        end = tick + ticks(float(10.0 ** rng.uniform(-1.0, 0.7)))
        saved = fmu.save()
        first = fmu.step(tick, end, u).outputs
        fmu.restore(saved)
        got, want = fmu.step(tick, end, u).outputs, ours.step(tick, end, u).outputs
        np.testing.assert_array_equal(got, first)
        np.testing.assert_array_equal(got, want)
        sides.append(got[-1])
        tick = end
    assert np.count_nonzero(np.diff(sides) > 0) > 3
    report = fmu.step(tick, tick + ticks(1.0), np.array([6.0, 2.0]))
    assert report.status is StepStatus.REFUSED
    fmu.close()


def test_fmu_is_valid_and_its_source_compiles_strictly(path: Path) -> None:
    validate(path)
    source = render_source(two_stores())
    compiler = find_compiler()
    strict = Compiler(command=compiler.command, extra_flags=STRICT_FLAGS)
    assert compile_source(source, strict)


@pytest.fixture(scope="module")
def both(fmu_folder: Path) -> Path:
    """A guard that trips where the first output passes 1."""
    switched = two_stores(name="guarded")
    y, u, p = (ca.SX.sym(k, n) for k, n in (("y", 3), ("u", 2), ("p", 1)))
    guard = replace(switched.guard, distance=ca.Function("distance", [y, u, p], [y[0]]))
    return export_fmu(
        replace(switched, guard=guard), fmu_folder / "both.fmu", kinds=("cs", "me")
    )


def test_the_fast_part_is_exchanged_and_says_where_it_is_trusted(both: Path) -> None:
    """The inflow of 0.1 raises the first output, 0.8 at the start, past 1."""
    validate(both)
    u = np.array([0.1, 0.0])
    steps = FmuComponent(both, kind="co-simulation")
    exchanged = FmuComponent(both, kind="model-exchange", relative_tolerance=1e-9)
    np.testing.assert_array_equal(exchanged.initialize(0, u), steps.initialize(0, u))
    a, b = [
        np.array(
            [c.step(ticks(t), ticks(t + 0.5), u).outputs for t in np.arange(9) / 2]
        )
        for c in (steps, exchanged)
    ]
    at = (np.arange(9) + 1) / 2
    level = 0.8 + 0.05 * at + 0.05 * (1.0 - np.exp(-0.02 * at)) / 0.02
    inside = level < 1.0
    np.testing.assert_allclose(b[:, 0], level, atol=1e-7)
    np.testing.assert_array_equal(b[:, 3], level <= 1.0)
    assert 0 < inside.sum() < 9
    np.testing.assert_array_equal(b[:, 4], np.zeros(9))
    np.testing.assert_allclose(a[inside], b[inside], atol=1e-7)
    np.testing.assert_array_equal(a[:, 3], b[:, 3])
    assert a[-1, 4] == 1.0
    assert exchanged.event_count >= 1
    for component in (steps, exchanged):
        component.close()


def test_the_flag_changes_at_events_only(tmp_path: Path) -> None:
    library = made(two_stores(), tmp_path, "3.0", ("cs", "me"))
    fmu = RawFmu(*library, kind="me").start({"u": [0.1, 0.5]}).exit()
    assert fmu.settle() == np.inf
    assert fmu.call("EnterContinuousTimeMode") == 0
    assert fmu.get("is_in_domain") == 1.0
    assert fmu.set("u", [0.1, 1.5]) == 0
    assert fmu.get("is_in_domain") == 1.0
    assert fmu.get("indicator.domain_left") == -0.5 + 1e-6
    assert fmu.call("EnterEventMode") == 0
    assert fmu.settle() == np.inf
    assert fmu.call("EnterContinuousTimeMode") == 0
    assert fmu.get("is_in_domain") == 0.0
    fmu.free()
