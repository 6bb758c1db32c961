"""A sampled law acts at its instants, whatever the steps are."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import InterfaceError
from packtwin.twin.sampled import Sampled
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Variable
from tests.twin.sampled_models import adder

U, P = np.array([4.0, 1.0]), np.array([2.0])


def run(subject: Sampled, times: list[float], u: np.ndarray = U) -> list[np.ndarray]:
    memory, y = subject.start(u, P)
    rows = [y]
    for t, end in pairwise(times):
        memory, y, status = subject.advance(memory, t, end - t, u, P)
        assert status is StepStatus.OK
        rows.append(y)
    return rows


def test_outputs_are_idle_at_the_start_whatever_the_inputs_are() -> None:
    subject = adder()
    assert subject.start(U, P)[1].tolist() == [0.0, -1.0, 0.0]
    assert subject.feedthrough == frozenset()
    assert subject.sample_dependencies().on_inputs == ((0,), (), (0, 1))


@pytest.mark.parametrize("step_s", [0.001, 0.1, 0.5, 0.7, 2.0, 60.0])
def test_any_step_takes_the_samples_that_begin_in_it(step_s: float) -> None:
    times = [k * step_s for k in range(40)]
    for t, y in zip(times[1:], run(adder(), times)[1:], strict=True):
        count = math.ceil(round(t / 0.5, 6))
        assert y.tolist() == [8.0 * count, 0.5 * (count - 1), 3.0]


def test_the_cutting_of_time_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    cuts = np.cumsum(10.0 ** rng.uniform(-3, math.log10(60.0), 300))
    fine = run(adder(), [0.0, *cuts.tolist()])
    coarse = run(adder(), [0.0, *cuts[2::3].tolist()])
    np.testing.assert_array_equal(fine[3::3], coarse[1:])


def test_polynomial_inputs_are_read_at_the_instants() -> None:
    subject = adder(period_s=0.25)
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [6.0, 0.0], [12.0, 0.0]])
    memory, _ = subject.start(rows[0], P)
    _, y, _ = subject.advance(memory, 3.0, 1.0, rows, P)
    at = [0.0, 0.25, 0.5, 0.75]
    assert y[0] == 2.0 * sum(1 + 2 * s + 3 * s**2 + 2 * s**3 for s in at)


def test_instants_do_not_drift_and_rounding_of_the_times_shifts_none() -> None:
    subject = adder(period_s=0.1)
    memory, _ = subject.start(U, P)
    t = 7.0
    for k in range(1000):
        memory, y, _ = subject.advance(memory, t, 0.1, U, P)
        t += 0.1  # adds up rounding errors
        assert y[1] == 7.0 + k * 0.1
    assert t != 7.0 + 1000 * 0.1
    assert subject.next_sample_s(memory, t) == 7.0 + 1000 * 0.1


def test_memory_has_the_published_layout_and_says_when_the_next_sample_is() -> None:
    subject = adder()
    names = [v.name for v in subject.memory]
    assert len(names) == subject.n_memory
    memory, _ = subject.start(U, P)
    assert subject.next_sample_s(memory, 3.0) == 3.0
    memory, _, _ = subject.advance(memory, 3.0, 0.6, U, P)
    held = dict(zip(names, memory.tolist(), strict=True))
    assert held == {
        "sum_K": 16.0,
        "held_total_K": 16.0,
        "held_when_s": 3.5,
        "held_shown_K": 3.0,
        "first_sample_s": 3.0,
        "sample_count": 2.0,
    }
    assert subject.next_sample_s(memory, 3.6) == 4.0


def test_a_step_of_length_zero_shows_the_held_outputs() -> None:
    subject = adder()
    memory, _ = subject.start(U, P)
    after, y, _ = subject.advance(memory, 0.0, 0.0, U, P)
    assert y.tolist() == [0.0, -1.0, 0.0]
    np.testing.assert_array_equal(after, memory)


def test_a_refused_sample_changes_nothing() -> None:
    subject = adder()
    memory, _ = subject.start(U, P)
    memory, _, _ = subject.advance(memory, 0.0, 0.6, U, P)
    falling = np.array([[0.5, 0.0], [-1.0, 0.0]])  # no root from 1.1 s on
    after, _, status = subject.advance(memory, 0.6, 1.0, falling, P)
    assert status is StepStatus.REFUSED
    np.testing.assert_array_equal(after, memory)


def test_a_component_takes_the_same_steps_and_rewinds() -> None:
    component = StepMapComponent(adder())
    component.initialize(0, U)
    saved = component.save()
    first = component.step(0, ticks(1.2), U).outputs
    component.restore(saved)
    np.testing.assert_array_equal(component.step(0, ticks(1.2), U).outputs, first)
    assert first.tolist() == [24.0, 1.0, 3.0]
    assert {v.variability for v in component.interface.outputs} == {"discrete"}


def test_laws_that_cannot_be_sampled_are_refused() -> None:
    good = adder()
    for period_s in (0.0, math.inf, math.nan):
        with pytest.raises(InterfaceError, match=r"`period_s` of `adder`"):
            replace(good, period_s=period_s)
    with pytest.raises(InterfaceError, match="different names"):
        replace(good, name="adder_law")
    own = good.law.interface
    mean = (Variable(name="flow_W", sampling="mean"), *own.outputs[1:])
    law = replace(good.law, interface=replace(own, outputs=mean))
    with pytest.raises(InterfaceError, match=r"mean outputs \['flow_W'\]"):
        replace(good, law=law)
    m, t, h, p = (ca.SX.sym(k) for k in "mthp")
    u = ca.SX.sym("u", 4)
    wide = ca.Function("s", [m, t, h, u, p], [m, ca.vertcat(m, t, h)])
    with pytest.raises(InterfaceError, match="order 1"):
        replace(good, law=replace(good.law, step=wide, input_order=1))
