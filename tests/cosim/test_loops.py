"""Algebraic loops: closed at the start and in every step, or refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import GaussSeidel, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.smooth_stepper import SmoothStepper
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_linear import CUBIC, LinearComponent
from packtwin.twin.component import Capabilities, StepReport, seconds
from packtwin.twin.errors import StepError, WiringError
from packtwin.twin.variable import Interface, Variable

ABLE = replace(CUBIC, can_differentiate=True)


class Law:
    """One output, a function of one input and the time, at once."""

    def __init__(self, name, function, variable, output, *, slope=None):
        self.name, self._function, self._slope = name, function, slope
        self.interface = Interface(inputs=(variable,), outputs=(Variable(name=output),))
        self.feedthrough = frozenset({(variable.name, output)})
        self.capabilities = Capabilities(
            can_rewind=True, can_differentiate=slope is not None
        )
        self.count = 0

    def initialize(self, tick, u):
        self._u = u.copy()
        return np.array([self._function(u[0], seconds(tick))])

    def step(self, tick, end_tick, u):
        self._u, self.count = u.copy(), self.count + 1
        y = np.array([self._function(u[0], seconds(end_tick))])
        return StepReport(outputs=y, end_tick=end_tick)

    def directional_derivative(self, du):
        return np.array([self._slope(self._u[0]) * du[0]])

    def save(self):
        return self._u.copy()

    def restore(self, state):
        self._u = state.copy()

    def close(self):
        pass


def ring(first, second, **options) -> System:
    """Two components of one input and one output each, in a ring."""
    ports = [
        (c.name, c.interface.inputs[0].name, c.interface.outputs[0].name)
        for c in (first, second)
    ]
    (a, into_a, from_a), (b, into_b, from_b) = ports
    return System(
        [first, second],
        [
            Connection(f"{a}.{from_a}", f"{b}.{into_b}"),
            Connection(f"{b}.{from_b}", f"{a}.{into_a}"),
        ],
        has_loops=True,
        **options,
    )


def gains(gain: float, offset: float, *, knows_slope: bool) -> System:
    first = Law(
        "first",
        lambda u, t: gain * u + offset + t,
        Variable(name="u_A"),
        "y_A",
        slope=(lambda u: gain) if knows_slope else None,
    )
    second = Law(
        "second",
        lambda u, t: u,
        Variable(name="v_A"),
        "z_A",
        slope=(lambda u: 1.0) if knows_slope else None,
    )
    return ring(first, second)


@pytest.mark.parametrize("knows_slope", [True, False])
@pytest.mark.parametrize("gain", [10.0, -10.0])
def test_a_linear_loop_of_gain_ten_closes_in_two_iterations(gain, knows_slope):
    system = gains(gain, 1.0, knows_slope=knows_slope)
    stepper = Iterated(tolerance=1e-10, iteration_limit=2).prepare(system)
    assert isinstance(stepper, SmoothStepper)
    stepper.initialize(0)
    assert stepper.counts["iterations at the start"] <= 2
    np.testing.assert_allclose(stepper.values, 1.0 / (1.0 - gain), rtol=1e-10)
    for k in range(5):
        stepper.advance(k * 10**9, (k + 1) * 10**9)
        exact = (2.0 + k) / (1.0 - gain)
        np.testing.assert_allclose(stepper.values, exact, rtol=1e-10)


def test_a_loop_through_a_state_follows_its_exponential():
    # x' = u - x, y = x + 5 u and u = 1 - 2 y: a loop of gain -10 at once.
    lag = LinearComponent(
        "lag",
        (-1.0, 1.0, 1.0, 5.0),
        [1.0],
        (Variable(name="u_A"),),
        (Variable(name="y_A"),),
        ABLE,
    )
    law = Law(
        "law",
        lambda u, t: 1.0 - 2.0 * u,
        Variable(name="v_A"),
        "z_A",
        slope=lambda u: -2.0,
    )
    errors = []
    for step_s in (0.2, 0.1):
        result = simulate(ring(lag, law), stop_s=5.0, step_s=step_s, master=Iterated())
        x = 1.0 / 13.0 + 12.0 / 13.0 * np.exp(-13.0 / 11.0 * result.time_s)
        errors.append(np.abs(result["lag.y_A"] - (x + 5.0) / 11.0).max())
    assert errors[1] < 2e-6
    assert errors[0] / errors[1] > 7.0


def load_system(start_V: float) -> System:
    """A source of 400 V and 1 Ohm feeds a load of 30 kW: 300 V or 100 V."""
    source = Law(
        "source", lambda i, t: 400.0 - i, Variable(name="current_A"), "voltage_V"
    )
    load = Law(
        "load",
        lambda v, t: 30e3 / v,
        Variable(name="supply_V", start=start_V),
        "draw_A",
    )
    return ring(load, source)


@pytest.mark.parametrize(("start_V", "root_V"), [(380.0, 300.0), (60.0, 100.0)])
def test_a_constant_power_load_finds_the_root_nearest_its_start(start_V, root_V):
    result = simulate(
        load_system(start_V), stop_s=3.0, step_s=1.0, master=Iterated(tolerance=1e-10)
    )
    np.testing.assert_allclose(result["source.voltage_V"], root_V, rtol=1e-9)


@pytest.mark.parametrize("knows_slope", [True, False])
def test_a_loop_without_a_unique_solution_is_refused_by_name(knows_slope):
    with pytest.raises(StepError, match="no unique solution") as info:
        simulate(
            gains(1.0, 1.0, knows_slope=knows_slope),
            stop_s=1.0,
            step_s=1.0,
            master=Iterated(),
        )
    assert "`second.z_A -> first.u_A`" in str(info.value)


@pytest.mark.parametrize("master", [Jacobi(), GaussSeidel()])
def test_masters_that_do_not_iterate_refuse_a_loop(master):
    system = gains(10.0, 1.0, knows_slope=True)
    with pytest.raises(
        WiringError, match=r"cannot solve .*`second\.z_A -> first\.u_A`"
    ):
        simulate(system, stop_s=1.0, step_s=1.0, master=master)


def test_disturbed_loops_that_do_not_meet_are_run_together():
    # Four loops in one pair: without colours five sweeps, with them two.
    n = 4
    matrix = np.diag([2.0, 3.0, -4.0, 10.0])

    def part(name, d, u, y):
        return LinearComponent(
            name,
            (np.zeros((1, 1)), np.zeros((1, n)), np.zeros((n, 1)), d),
            [0.0],
            tuple(Variable(name=f"{u}{i}_A", start=1.0) for i in range(n)),
            tuple(Variable(name=f"{y}{i}_A") for i in range(n)),
            replace(CUBIC, has_output_derivatives=True),
        )

    parts = [part("a", matrix, "u", "y"), part("b", np.eye(n), "v", "z")]
    system = System(
        parts,
        [
            *(Connection(f"a.y{i}_A", f"b.v{i}_A") for i in range(n)),
            *(Connection(f"b.z{i}_A", f"a.u{i}_A") for i in range(n)),
        ],
        has_loops=True,
    )
    stepper = Iterated().prepare(system)
    stepper.initialize(0)
    np.testing.assert_allclose(stepper.values, 0.0, atol=1e-9)
    stepper.advance(0, 10**9)
    # 4 to probe; one sweep, two disturbed ones (values, slopes), two of Newton.
    assert parts[0].step_count <= 4 + 5
