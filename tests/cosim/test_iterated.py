from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Iterated
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_linear import (
    CUBIC,
    DURATION_S,
    LinearComponent,
    exact_displacements,
    two_masses,
)
from packtwin.twin.component import Capabilities
from packtwin.twin.errors import StepError
from packtwin.twin.variable import Variable
from tests.fakes import Fake, Gain

CONSTANT = replace(CUBIC, input_order=0)
NO_SLOPES = replace(CUBIC, has_output_derivatives=False)
NO_REWIND = replace(CUBIC, can_rewind=False)
PLAIN = Capabilities()


def run(system: System, step_s: float = 0.1, **options) -> Result:
    master = Iterated(**options)
    return simulate(system, stop_s=DURATION_S, step_s=step_s, master=master)


def rms_m(result: Result) -> float:
    error = result.values - exact_displacements(result.time_s)
    return float(np.sqrt(np.mean(error**2)))


def order(capabilities: Capabilities, **options) -> float:
    errors = [
        rms_m(run(two_masses(capabilities, capabilities), step_s, **options))
        for step_s in (0.2, 0.1)
    ]
    return math.log2(errors[0] / errors[1])


def steps(result: Result) -> int:
    counts = result.stats.counts
    return sum(n for name, n in counts.items() if name.startswith("steps of"))


def test_components_that_take_cubics_are_coupled_to_fourth_order():
    assert rms_m(run(two_masses())) <= 8e-7
    assert order(CUBIC) >= 3.9


def test_without_output_derivatives_differences_keep_the_order():
    assert rms_m(run(two_masses(NO_SLOPES, NO_SLOPES))) <= 2e-6
    assert order(NO_SLOPES) >= 3.9


def test_components_that_take_lines_are_coupled_to_fourth_order():
    linear = replace(CUBIC, input_order=1)
    assert rms_m(run(two_masses(linear, linear))) <= 2e-6
    assert order(linear) >= 3.9


@pytest.mark.parametrize(("substep_count", "bound_m"), [(1, 1.7e-3), (4, 1.1e-4)])
def test_constant_inputs_carry_means_over_the_substeps(substep_count, bound_m):
    system = two_masses(CONSTANT, CONSTANT)
    assert rms_m(run(system, substep_count=substep_count)) <= bound_m
    assert order(CONSTANT, substep_count=substep_count) >= 1.9


def test_a_hundred_times_fewer_steps_than_zero_order_hold_at_equal_error():
    result = run(two_masses(), 0.4)
    assert rms_m(result) <= 2e-4
    # Zero-order hold is of first order with 7.4e-2 at 0.1 s, 2 steps each.
    assert 100 * steps(result) <= 2 * DURATION_S / 0.1 * 7.4e-2 / 2e-4


@pytest.mark.parametrize(
    ("left", "right", "bound_m"),
    [
        (NO_REWIND, CUBIC, 8e-7),
        (CUBIC, NO_REWIND, 8e-7),
        (NO_REWIND, NO_REWIND, 8e-5),
        (PLAIN, PLAIN, 2e-3),
        (PLAIN, CUBIC, 1.5e-3),
    ],
)
def test_without_rollback_each_component_gets_the_best_it_can_take(
    left, right, bound_m
):
    system = two_masses(left, right)
    result = run(system)
    assert rms_m(result) <= bound_m
    for component, able in zip(system.components, (left, right), strict=True):
        if not able.can_rewind:  # four substeps for the first slope by differences
            fresh = 0 if able.has_output_derivatives else 3
            assert component.step_count == 200 + fresh


def test_a_component_that_cannot_go_back_as_it_says_is_found_before_the_first_step():
    result = run(two_masses(lies=True))
    assert rms_m(result) <= 8e-7
    assert "left: it does not repeat" in result.provenance["not rewound"]
    assert "no way back for left" in result.provenance["order"]
    assert run(two_masses()).provenance.get("not rewound") is None


def test_the_order_follows_the_signals_and_only_groups_are_iterated():
    source = SignalSource("road", [0.0, 20.0], {"height_m": [0.0, 1.0]})
    pair = two_masses()
    tail = LinearComponent(
        "tail",
        (-1.0, 1.0, 1.0, 0.0),
        [0.0],
        (Variable(name="input_m"),),
        (Variable(name="output_m"),),
    )
    system = System(
        [tail, *pair.components, source],
        [*pair.connections, Connection("right.displacement_m", "tail.input_m")],
    )
    result = run(system)
    assert result.provenance["order"].replace(" (once)", "") == (
        "left + right (iterated, Anderson) > tail > road"
    )
    assert tail.step_count == 204  # four of them to probe
    exact = np.linspace(0.0, 1.0, 201)
    np.testing.assert_allclose(result["road.height_m"], exact, atol=1e-12)


def test_a_delayed_connection_carries_the_start_of_the_step():
    ramp = Fake("ramp", lambda t, u: [t], outputs=("x_s",))
    hold = Fake("hold", lambda t, u: list(u), inputs=("u_s",), outputs=("y_s",))
    back = Connection("ramp.x_s", "hold.u_s", is_delayed=True)
    result = simulate(System([ramp, hold], [back]), stop_s=1.0, step_s=0.5)
    smooth = simulate(
        System([ramp, hold], [back]), stop_s=1.0, step_s=0.5, master=Iterated()
    )
    np.testing.assert_array_equal(result.values, smooth.values)


def test_a_mean_flow_arrives_as_it_left():
    flow = Fake("flow", lambda t, u: [t * t], outputs=("x_A",), mean=("x_A",))
    meter = Gain("meter")
    system = System([flow, meter], [Connection("flow.x_A", "meter.input_A")])
    result = simulate(system, stop_s=1.0, step_s=0.25, master=Iterated())
    np.testing.assert_array_equal(result["flow.x_A"][1:], result["meter.output_A"][1:])


class Switch(Fake):
    """Steps to 1 where its input is below 1/2, else to 0; it starts at 0."""

    def __init__(self, name: str, is_inverse: bool) -> None:
        able = Capabilities(can_rewind=True)
        law = (lambda t, u: [float(u[0] < 0.5)]) if is_inverse else lambda t, u: [u[0]]
        super().__init__(
            name, law, inputs=("u_m",), outputs=("y_m",), capabilities=able
        )

    def initialize(self, tick, u):
        return np.zeros(1)

    def save(self):
        return None

    def restore(self, state):
        assert state is None


def test_signals_that_do_not_settle_name_their_connection():
    parts = [Switch("a", is_inverse=True), Switch("b", is_inverse=False)]
    system = System(parts, [Connection("a.y_m", "b.u_m"), Connection("b.y_m", "a.u_m")])
    with pytest.raises(StepError, match=r"`b\.y_m -> a\.u_m` does not settle") as info:
        simulate(system, stop_s=1.0, step_s=0.1, master=Iterated())
    assert info.value.component == "a"
    assert info.value.result.time_s.tolist() == [0.0]
