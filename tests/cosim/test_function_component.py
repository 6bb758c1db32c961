from __future__ import annotations

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.function_component import PeriodicComponent
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.component import ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.variable import Interface, Variable
from tests.fakes import Clock, Fake

INTERFACE = Interface(
    inputs=(Variable(name="measured_s"),),
    outputs=(
        Variable(name="called_s"),
        Variable(name="seen_s"),
        Variable(name="count"),
    ),
)


def law(time_s, u, memory):
    return [time_s, u[0], memory + 1.0], memory + 1


def sampler(period_s: float, function=law, memory=0) -> PeriodicComponent:
    return PeriodicComponent("sampler", INTERFACE, period_s, function, memory=memory)


def test_outputs_are_held_between_calls_and_calls_see_the_start_of_the_step():
    system = System(
        [sampler(0.5), Clock()],
        [Connection("clock.time_s", "sampler.measured_s", is_delayed=True)],
    )
    result = simulate(system, stop_s=1.25, step_s=0.25)
    assert list(result["sampler.called_s"]) == [0.0, 0.0, 0.0, 0.5, 0.5, 1.0]
    assert (result["sampler.seen_s"] == result["sampler.called_s"]).all()
    assert list(result["sampler.count"]) == [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]


def test_a_sampled_law_acts_from_the_moment_it_measures():
    # Deadbeat: the law subtracts the measured level, the plant adds what it is told.
    level = [8.0]

    def add(t, u):
        level[0] += u[0]
        return [level[0]]

    plant = Fake("plant", add, inputs=("input_A",))
    plant.initialize = lambda tick, u: np.array(level)
    interface = Interface(
        inputs=(Variable(name="measured_A"),), outputs=(Variable(name="order_A"),)
    )
    controller = PeriodicComponent(
        "controller", interface, 1.0, lambda t, u, memory: ([-u[0]], memory)
    )
    system = System(
        [controller, plant],
        [
            Connection("controller.order_A", "plant.input_A"),
            Connection("plant.output_A", "controller.measured_A", is_delayed=True),
        ],
    )
    result = simulate(system, stop_s=3.0, step_s=1.0)
    assert list(result["plant.output_A"]) == [8.0, 0.0, 0.0, 0.0]


def test_a_step_longer_than_the_period_makes_every_call():
    component = sampler(0.1)
    component.initialize(0, np.zeros(1))
    report = component.step(0, ticks(1.0), np.array([5.0]))
    assert report.outputs == pytest.approx([0.9, 5.0, 10.0])


def test_a_million_periods_stay_in_step():
    component = sampler(0.1)
    component.initialize(0, np.zeros(1))
    component.restore((0, np.zeros(3), 999_999 * ticks(0.1)))
    before = component.step(ticks(99_999.8), ticks(99_999.9), np.zeros(1)).outputs
    assert before[2] == 0.0
    after = component.step(ticks(99_999.9), ticks(100_000.0), np.zeros(1)).outputs
    assert after[0] == 99_999.9


def test_memory_changed_in_place_is_fresh_after_a_start_and_a_rewind():
    def count(time_s, u, memory):
        memory.append(time_s)
        return [time_s, 0.0, float(len(memory))], memory

    first: list[float] = []
    component = sampler(1.0, count, memory=first)
    u = np.zeros(1)
    for _ in range(2):
        assert component.initialize(0, u)[2] == 1.0
        assert component.step(0, ticks(1.0), u).outputs[2] == 1.0
    state = component.save()
    for _ in range(2):
        component.restore(state)
        assert component.step(ticks(1.0), ticks(3.0), u).outputs[2] == 3.0
    assert first == []


def test_every_pair_is_feedthrough_unless_told_otherwise():
    assert len(sampler(1.0).feedthrough) == 3
    told = PeriodicComponent("s", INTERFACE, 1.0, law, feedthrough=frozenset())
    assert told.feedthrough == frozenset()


def test_the_wrong_number_of_outputs_is_named():
    component = sampler(1.0, lambda t, u, memory: ([1.0], memory))
    with pytest.raises(StepError, match=r"shape \(1,\), expected \(3,\): one for each"):
        component.initialize(0, np.zeros(1))


@pytest.mark.parametrize("period_s", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_period_is_refused(period_s):
    with pytest.raises(InterfaceError, match="`period_s` of `sampler`"):
        sampler(period_s)
