"""The loop in C does what the loop in Python does, to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import AbstractMaster, GaussSeidel, Jacobi
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.errors import StepError
from tests.fakes import Accumulator, Clock, Fake, Troubled

pytestmark = pytest.mark.fmu


def coupled() -> System:
    """Two oscillating signals that see each other late or at once, and units."""
    swing = Fake(
        "swing",
        lambda t, u: [math.sin(t) + 0.1 * u[0], math.cos(3.0 * t)],
        inputs=("charge_Ah",),
        outputs=("output_A", "other_A"),
    )
    meter = Accumulator("meter")
    relay = Fake(
        "relay",
        lambda t, u: [u[0] * 1.1 + u[1]],
        inputs=("temperature_K", "free_A"),
        outputs=("relay_temperature_K",),
    )
    warm = Fake("warm", lambda t, u: [20.0 + t], outputs=("air_degC",))
    return System(
        [meter, swing, relay, warm],
        [
            Connection("swing.output_A", "meter.input_A"),
            Connection("meter.charge_Ah", "swing.charge_Ah"),
            Connection("warm.air_degC", "relay.temperature_K"),
        ],
        constants={"relay.free_A": 0.3},
    )


def both(system: System, master: type, **options) -> tuple[Result, Result]:
    return tuple(
        simulate(system, master=master(is_compiled=flag), throw=False, **options)
        for flag in (False, True)
    )


@pytest.mark.parametrize("master", [Jacobi, GaussSeidel])
def test_results_are_bit_identical(master: type[AbstractMaster]) -> None:
    slow, fast = both(coupled(), master, stop_s=20.0, step_s=0.07)
    assert fast.provenance["loop"] == "C, which calls without Python: no component"
    assert slow.provenance["loop"] == "Python"
    assert fast.names == slow.names
    np.testing.assert_array_equal(fast.values, slow.values)
    np.testing.assert_array_equal(fast.time_s, slow.time_s)


def test_only_what_is_asked_for_is_recorded() -> None:
    slow, fast = both(
        coupled(), GaussSeidel, stop_s=2.0, step_s=0.1, record=("meter.*", "warm.*")
    )
    assert fast.names == slow.names == ("meter.charge_Ah", "warm.air_degC")
    np.testing.assert_array_equal(fast.values, slow.values)


@pytest.mark.parametrize(
    "condition",
    ["warm.air_degC >= 25.5", "swing.other_A < -0.5", "warm.air_degC > 1e9"],
)
def test_stop_conditions_end_at_the_same_step(condition: str) -> None:
    slow, fast = both(
        coupled(), GaussSeidel, stop_s=10.0, step_s=0.01, stop_when=condition
    )
    assert fast.status == slow.status
    np.testing.assert_array_equal(fast.values, slow.values)


@pytest.mark.parametrize("how", ["refuse", "early", "raise", "nan", "inf"])
@pytest.mark.parametrize("failing_step", [1, 7, 230])
def test_failures_say_the_same_and_keep_the_same(how: str, failing_step: int) -> None:
    troubled = Troubled(how, failing_step)
    system = System([troubled, Clock()], constants={"troubled.input_A": 1.0})
    slow, fast = both(system, Jacobi, stop_s=300.0, step_s=1.0)
    assert slow.status.kind == "failed"
    assert fast.status == slow.status
    np.testing.assert_array_equal(fast.values, slow.values)
    with pytest.raises(StepError) as caught:
        simulate(system, stop_s=300.0, step_s=1.0, master=Jacobi(is_compiled=True))
    assert len(caught.value.result.time_s) == failing_step


def test_an_asked_for_end_is_the_same() -> None:
    system = System([Troubled("end", 7), Clock()], constants={"troubled.input_A": 1.0})
    slow, fast = both(system, Jacobi, stop_s=300.0, step_s=1.0)
    assert slow.status.kind == "stopped"
    assert fast.status == slow.status
    np.testing.assert_array_equal(fast.values, slow.values)


def test_interrupts_reach_the_caller_and_components_are_closed() -> None:
    def interrupt(t: float, u: np.ndarray) -> list[float]:
        if t > 0.5:
            raise KeyboardInterrupt
        return [0.0]

    system = System([Fake("slow", interrupt)])
    with pytest.raises(KeyboardInterrupt):
        simulate(system, stop_s=1.0, step_s=0.1, master=Jacobi(is_compiled=True))
    assert system.component("slow").log[-1][0] == "close"


def test_what_needs_python_is_done_there_and_said() -> None:
    result = simulate(
        coupled(),
        stop_s=1.0,
        step_s=0.1,
        master=GaussSeidel(is_compiled=True),
        stop_when=lambda signals: signals["warm.air_degC"] > 20.5,
    )
    assert result.status.time_s == pytest.approx(0.6)
    assert result.provenance["loop"].startswith("Python, which bonds and functions")


def test_progress_is_told_about_a_hundred_times() -> None:
    seen: list[float] = []
    simulate(
        System([Clock()]),
        stop_s=100.0,
        step_s=0.1,
        master=Jacobi(is_compiled=True),
        progress=seen.append,
    )
    assert seen == sorted(seen)
    assert (len(seen), seen[-1]) == (100, 1.0)


def test_a_run_lands_exactly_on_its_end() -> None:
    result = simulate(
        System([Clock()]),
        stop_s=10.0,
        step_s=1.0 / 3.0,
        master=Jacobi(is_compiled=True),
    )
    assert result.time_s[-1] == result["clock.time_s"][-1] == 10.0
