"""A switched step map is exported like any other: its FMU takes the same steps."""

from __future__ import annotations

from pathlib import Path

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
