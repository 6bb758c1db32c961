"""The parts of the memory fill it, and C and Python agree where they are."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from packtwin.twin.compiled import CompiledStepMap
from packtwin.twin.memory_layout import COUNTS, memory_layout
from packtwin.twin.model import Model
from tests.twin.implicit_models import begin, circuit, compiled, falling, make_model

MODELS = [make_model("nothing"), circuit(), falling(0.0, 2.0)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_parts_fill_the_memory_in_their_order(model: Model) -> None:
    layout = memory_layout(model)
    parts = [getattr(layout, field.name) for field in fields(layout)]
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == layout.size
    assert layout.count.stop - layout.count.start == len(COUNTS)


def test_macros_are_the_same_numbers() -> None:
    macros = memory_layout(circuit()).macros()
    assert macros["PTI_AT_STATE"] == 0
    assert macros["PTI_AT_INPUT"] == 4
    assert macros["PTI_AT_PARAMETER"] == 5
    assert macros["PTI_AT_ARM"] == macros["PTI_AT_PROPOSAL"] == 6
    assert macros["PTI_AT_TOLERANCE"] == 8
    assert macros["PTI_AT_COUNT"] == 10
    assert macros["PTI_NM"] == 16
    assert [macros[f"PTI_{name.upper()}"] for name in COUNTS] == list(range(6))


def stepped(model: Model) -> tuple[CompiledStepMap, np.ndarray]:
    step_map = compiled(model)
    memory, u, p = begin(step_map, (2e-5, 3e-6))
    return step_map, step_map.step_until_event(memory, 0.0, 1.0, u, p).memory


@pytest.mark.fmu
def test_c_writes_each_part_where_the_layout_says() -> None:
    step_map, memory = stepped(circuit())
    layout = step_map.source.layout
    assert len(memory) == step_map.n_memory == layout.size
    np.testing.assert_array_equal(memory[layout.input], [0.5])
    np.testing.assert_array_equal(memory[layout.parameter], [2.0])
    np.testing.assert_array_equal(memory[layout.tolerance], [2e-5, 3e-6])
    assert (memory[layout.proposal] > 0.0).all()
    assert (memory[layout.count] == np.round(memory[layout.count])).all()


@pytest.mark.fmu
def test_c_arms_the_events_whose_indicator_is_positive() -> None:
    step_map, memory = stepped(falling(0.0, 0.5))
    layout = step_map.source.layout
    np.testing.assert_array_equal(memory[layout.arm], [1.0, 0.0])
    assert memory[layout.state] == pytest.approx([0.5], abs=1e-9)
