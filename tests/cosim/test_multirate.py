"""Components at a rate of their own: what flows is conserved, and orders are kept."""

from __future__ import annotations

import math

import casadi as ca
import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import GaussSeidel, Iterated, Jacobi
from packtwin.cosim.multirate import MultirateComponent
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_linear import (
    exact_displacements,
    two_masses,
)
from packtwin.twin.component import Component, StepMapComponent, ticks
from packtwin.twin.errors import StepError, WiringError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface, Variable
from tests.fakes import Fake


def lump(name: str, capacity_J_per_K: float, start_K: float) -> StepMapComponent:
    """A heat capacity that says its temperature and the mean of the heat it took."""
    ports = Interface(
        inputs=(Variable(name="heat_W"),),
        outputs=(
            Variable(name="temperature_K"),
            Variable(name="taken_W", sampling="mean"),
        ),
    )
    states = (Variable(name="lump_K"),)
    x, own = names_to_symbols(states, "x")
    u, given = names_to_symbols(ports.inputs, "u")
    p, _ = names_to_symbols((), "p")
    model = model_from_expressions(
        name,
        ports,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"lump_K": given["heat_W"] / capacity_J_per_K},
        outputs={"temperature_K": own["lump_K"], "taken_W": given["heat_W"]},
        initial={"lump_K": ca.SX(start_K)},
    )
    return StepMapComponent(integrate(model), name=name)


def ramp(name: str = "source") -> Fake:
    """The mean over the step of a power of 3 t."""
    last = [0.0]

    def law(time_s, u):
        mean = 1.5 * (time_s + last[0])
        last[0] = time_s
        return [mean]

    return Fake(name, law, outputs=("power_W",), mean=("power_W",))


@pytest.mark.parametrize("own_s", [0.25, 1.0, 5.0])
def test_a_lump_at_any_rate_takes_all_the_heat_it_is_given(own_s: float) -> None:
    slow = MultirateComponent(lump("slow", 10.0, 300.0), step_s=own_s)
    system = System([ramp(), slow], [Connection("source.power_W", "slow.heat_W")])
    result = simulate(system, stop_s=20.0, step_s=1.0)
    rise_K = result["slow.temperature_K"] - 300.0
    ends = np.isclose(np.mod(result.time_s, max(own_s, 1.0)), 0.0)
    wanted = 1.5 * result.time_s**2 / 10.0
    np.testing.assert_allclose(rise_K[ends], wanted[ends], atol=1e-12)


def test_means_of_a_slow_component_arrive_whole_one_own_step_late() -> None:
    slow = MultirateComponent(lump("slow", 10.0, 300.0), step_s=4.0)
    sink = lump("sink", 1.0, 0.0)
    system = System(
        [ramp(), slow, sink],
        [
            Connection("source.power_W", "slow.heat_W"),
            Connection("slow.taken_W", "sink.heat_W"),
        ],
    )
    result = simulate(system, stop_s=12.0, step_s=1.0)
    sent = 1.5 * result.time_s**2
    arrived = result["sink.temperature_K"]
    for k in (1, 2):
        assert arrived[4 * (k + 1)] == pytest.approx(sent[4 * k], rel=1e-13)


def decaying(own_s: float, step_s: float, *, continues: bool) -> float:
    """Error of a fast lump that cools towards a slow one, against the closed form."""

    def cooling(name, rate):
        ports = Interface(
            inputs=(Variable(name="other_K"),),
            outputs=(Variable(name="temperature_K"),),
        )
        states = (Variable(name="lump_K"),)
        x, own = names_to_symbols(states, "x")
        u, given = names_to_symbols(ports.inputs, "u")
        p, _ = names_to_symbols((), "p")
        model = model_from_expressions(
            name,
            ports,
            states,
            symbols=(ca.SX.sym("t"), x, u, p),
            rhs={"lump_K": rate * (given["other_K"] - own["lump_K"])},
            outputs={"temperature_K": own["lump_K"]},
            initial={"lump_K": ca.SX(1.0 if name == "fast" else 0.0)},
        )
        return StepMapComponent(integrate(model), name=name)

    slow = MultirateComponent(cooling("slow", 0.02), step_s=own_s, continues=continues)
    system = System(
        [cooling("fast", 0.5), slow],
        [
            Connection("fast.temperature_K", "slow.other_K"),
            Connection("slow.temperature_K", "fast.other_K"),
        ],
    )
    result = simulate(system, stop_s=16.0, step_s=step_s, master=Jacobi())
    gap = math.exp(-0.52 * 16.0)
    final = (0.02 + 0.5 * gap) / 0.52
    return abs(result["fast.temperature_K"][-1] - final)


def test_slow_outputs_in_a_line_leave_less_error_than_held_ones() -> None:
    step_s = 0.01
    held = [decaying(own_s, step_s, continues=False) for own_s in (2.0, 1.0)]
    lines = [decaying(own_s, step_s, continues=True) for own_s in (2.0, 1.0)]
    assert held[0] / held[1] > 1.7  # of first order
    assert lines[0] < 0.4 * held[0]
    assert lines[1] < 0.4 * held[1]


@pytest.mark.parametrize("n", [1, 4])
def test_own_steps_inside_one_of_the_system_keep_the_fourth_order(n: int) -> None:
    errors = []
    for step_s in (0.4, 0.2):
        plain = two_masses()
        parts: list[Component] = [
            MultirateComponent(c, step_s=step_s / n) for c in plain.components
        ]
        system = System(parts, plain.connections)
        result = simulate(system, stop_s=20.0, step_s=step_s, master=Iterated())
        wanted = exact_displacements(result.time_s)
        errors.append(np.sqrt(((result.values - wanted) ** 2).mean()))
    assert errors[0] < 3e-4
    assert math.log2(errors[0] / errors[1]) > 3.7


def test_steps_that_do_not_meet_are_refused_with_both_lengths() -> None:
    system = System(
        [MultirateComponent(lump("slow", 1.0, 0.0), step_s=0.7)],
        constants={"slow.heat_W": 0.0},
    )
    with pytest.raises(StepError, match=r"steps of 0\.7 s and a step of 1 s from 0 s"):
        simulate(system, stop_s=2.0, step_s=1.0)
    with pytest.raises(StepError, match=r"0\.7 s and a step of 0\.5 s from 0\.5 s"):
        simulate(system, stop_s=2.0, step_s=0.5)


def test_a_step_must_be_positive_and_events_must_stay_inside() -> None:
    with pytest.raises(WiringError, match=r"`slow` .* a step of 0\.0 s"):
        MultirateComponent(lump("slow", 1.0, 0.0), step_s=0.0)


def test_a_saved_state_remembers_what_was_received() -> None:
    slow = MultirateComponent(lump("slow", 10.0, 300.0), step_s=2.0, continues=True)
    heat = np.array([5.0])
    slow.initialize(0, heat)
    slow.step(0, ticks(1.0), heat)
    saved = slow.save()
    for _ in range(2):
        slow.restore(saved)
        report = slow.step(ticks(1.0), ticks(2.0), np.array([15.0]))
        assert report.status is StepStatus.OK
        assert report.outputs[0] == pytest.approx(302.0, rel=1e-14)
        report = slow.step(ticks(2.0), ticks(3.0), heat)
        assert report.outputs[0] == pytest.approx(303.0, rel=1e-14)


def test_gauss_seidel_in_c_calls_it_with_the_same_bits() -> None:
    runs = []
    for is_compiled in (False, True):
        slow = MultirateComponent(lump("slow", 10.0, 300.0), step_s=5.0)
        system = System([ramp(), slow], [Connection("source.power_W", "slow.heat_W")])
        master = GaussSeidel(is_compiled=is_compiled)
        result = simulate(system, stop_s=20.0, step_s=1.0, master=master)
        assert result.provenance["loop"].startswith("C") is is_compiled
        runs.append(result.values)
    assert np.array_equal(*runs)
