from __future__ import annotations

import math

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import AbstractMaster, GaussSeidel, Jacobi
from packtwin.cosim.stepper import Stepper
from packtwin.cosim.system import System
from packtwin.twin.errors import StepError
from packtwin.twin.units import convert
from tests.fakes import Clock, Fake, Gain, Troubled

MASTERS = [Jacobi(), GaussSeidel()]


def start(system: System, master: AbstractMaster, tick: int = 0) -> Stepper:
    stepper = Stepper(system, master.order(system))
    stepper.initialize(tick)
    return stepper


def chain(n: int) -> System:
    names = [f"g{i}" for i in range(n)]
    pairs = zip(["clock.time_s", *[f"{m}.x_s" for m in names]], names, strict=False)
    gains = [
        Fake(
            name,
            lambda t, u: [2.0 * u[0]],
            inputs=("input_s",),
            outputs=("x_s",),
            feedthrough=(("input_s", "x_s"),),
        )
        for name in names
    ]
    # Declared backwards, so that order and propagation have work to do.
    connections = [Connection(source, f"{name}.input_s") for source, name in pairs]
    return System([*reversed(gains), Clock()], connections)


@pytest.mark.parametrize("master", MASTERS)
def test_start_values_pass_through_a_chain_of_feedthrough(master):
    stepper = start(chain(4), master, tick=3 * 10**9)
    assert list(stepper.values) == [48.0, 24.0, 12.0, 6.0, 3.0]


def test_gauss_seidel_initializes_a_chain_once_per_component():
    system = chain(4)
    start(system, GaussSeidel())
    logs = [c.log for c in system.components]
    assert [len(log) for log in logs] == [1] * 5


def test_gauss_seidel_carries_values_along_the_chain_within_the_step():
    stepper = start(chain(3), GaussSeidel())
    stepper.advance(0, 10**9)
    assert list(stepper.values) == [8.0, 4.0, 2.0, 1.0]


def test_jacobi_carries_values_one_component_a_step():
    stepper = start(chain(2), Jacobi(), tick=10**9)
    assert list(stepper.values) == [4.0, 2.0, 1.0]
    stepper.advance(10**9, 2 * 10**9)
    assert list(stepper.values) == [4.0, 2.0, 2.0]
    stepper.advance(2 * 10**9, 3 * 10**9)
    assert list(stepper.values) == [4.0, 4.0, 3.0]


@pytest.mark.parametrize("master", MASTERS)
def test_each_component_is_set_and_stepped_once_a_step(master):
    system = chain(2)
    stepper = start(system, master)
    for k in range(3):
        stepper.advance(k, k + 1)
    for component in system.components:
        steps = [args[:2] for call, args in component.log if call == "step"]
        assert steps == [(0, 1), (1, 2), (2, 3)]


def test_a_delayed_connection_carries_the_start_of_the_step():
    system = System(
        [
            Clock(),
            Fake("hold", lambda t, u: list(u), inputs=("x_s",), outputs=("y_s",)),
        ],
        [Connection("clock.time_s", "hold.x_s", is_delayed=True)],
    )
    stepper = start(system, GaussSeidel(), tick=5 * 10**9)
    for k in range(5, 8):
        stepper.advance(k * 10**9, (k + 1) * 10**9)
        assert list(stepper.values) == [k + 1.0, float(k)]


def test_a_delayed_input_starts_from_the_value_its_output_has_there():
    plant = Fake("plant", lambda t, u: [7.0 + 0.0 * u[0]], inputs=("input_A",))
    system = System(
        [Gain("law", 2.0), plant],
        [
            Connection("plant.output_A", "law.input_A", is_delayed=True),
            Connection("law.output_A", "plant.input_A"),
        ],
    )
    assert list(start(system, GaussSeidel()).values) == [14.0, 7.0]


@pytest.mark.parametrize("master", MASTERS)
def test_units_are_converted_with_their_offset(master):
    sensor = Fake("sensor", lambda t, u: [25.0], outputs=("temperature_degC",))
    sink = Fake(
        "sink",
        lambda t, u: [u[0], u[1]],
        inputs=("temperature_K", "energy_J"),
        outputs=("seen_K", "seen_J"),
    )
    meter = Fake("meter", lambda t, u: [2.0], outputs=("energy_Wh",))
    system = System(
        [sensor, meter, sink],
        [
            Connection("sensor.temperature_degC", "sink.temperature_K"),
            Connection("meter.energy_Wh", "sink.energy_J"),
        ],
    )
    stepper = start(system, master)
    wanted = [25.0, 2.0, convert(25.0, "degC", "K"), 7200.0]
    assert list(stepper.values) == wanted
    stepper.advance(0, 1)
    assert list(stepper.values) == wanted
    assert wanted[2] == 298.15


def test_constants_reach_their_inputs():
    system = System([Gain("g", 3.0)], constants={"g.input_A": 2.0})
    stepper = start(system, GaussSeidel())
    stepper.advance(0, 1)
    assert list(stepper.values) == [6.0, 2.0]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("refuse", "it refused the step: the voltage is too low"),
        ("nan", "not finite: `count` = nan"),
        ("inf", "not finite: `count` = -inf"),
        ("early", "it returned early, at 2.5 s"),
        ("raise", "ZeroDivisionError: raise"),
    ],
)
@pytest.mark.parametrize("master", MASTERS)
def test_a_failed_step_names_component_time_reason_and_inputs(master, how, reason):
    system = System([Troubled(how)], constants={"troubled.input_A": 4.0})
    stepper = start(system, master)
    for k in range(2):
        stepper.advance(k * 10**9, (k + 1) * 10**9)
    with pytest.raises(StepError) as caught:
        stepper.advance(2 * 10**9, 3 * 10**9)
    error = caught.value
    assert (error.component, error.time_s, error.reason) == ("troubled", 2.0, reason)
    message = (
        f"`troubled` failed in the step from 2 s to 3 s: {reason}; its inputs were"
    )
    assert message in str(error)
    assert "`input_A` = 4 A" in str(error)
    assert str(error).endswith(".")


def test_what_a_component_raised_is_the_cause():
    system = System([Troubled("raise", 1)], constants={"troubled.input_A": 4.0})
    with pytest.raises(StepError) as caught:
        start(system, GaussSeidel()).advance(0, 1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_huge_finite_outputs_are_not_mistaken():
    huge = Fake("huge", lambda t, u: [1.5e308, 1.5e308], outputs=("x_A", "y_A"))
    stepper = start(System([huge]), GaussSeidel())
    stepper.advance(0, 1)
    assert list(stepper.values) == [1.5e308, 1.5e308]


def test_infinities_that_cancel_are_found():
    law = lambda t, u: [math.inf, -math.inf] if t else [0.0, 0.0]  # noqa: E731
    fake = Fake("fake", law, outputs=("x_A", "y_A"))
    stepper = start(System([fake]), GaussSeidel())
    with pytest.raises(StepError, match="`x_A` = inf A, `y_A` = -inf A"):
        stepper.advance(0, 10**9)


def test_a_start_that_is_not_finite_names_component_and_output():
    system = System([Troubled("nan", 0)], constants={"troubled.input_A": 4.0})
    with pytest.raises(StepError, match=r"`troubled` could not start at 0 s") as caught:
        start(system, GaussSeidel())
    assert "`count` = nan" in str(caught.value)


def test_outputs_of_the_wrong_length_are_refused_at_the_start():
    with pytest.raises(StepError, match=r"shape \(2,\), expected \(1,\)"):
        start(System([Fake("f", lambda t, u: [1.0, 2.0])]), GaussSeidel())


def test_feedthrough_that_was_not_declared_is_found_at_the_start():
    def component(name: str) -> Fake:
        return Fake(name, lambda t, u: [u[0] + 1.0], inputs=("input_A",))

    system = System(
        [component("a"), component("b")],
        [
            Connection("a.output_A", "b.input_A"),
            Connection("b.output_A", "a.input_A"),
        ],
    )
    with pytest.raises(StepError, match="`feedthrough` is not complete"):
        start(system, GaussSeidel())


def test_a_component_that_cannot_close_does_not_keep_the_others_open(caplog):
    class Stuck(Clock):
        def close(self) -> None:
            raise OSError(self.name)

    other = Clock("other")
    start(System([Stuck("stuck"), other]), GaussSeidel()).close()
    assert other.log[-1][0] == "close"
    assert "`stuck` could not be closed" in caplog.text


def test_values_are_what_components_returned_not_their_buffers():
    buffer = np.zeros(1)

    class Reusing(Clock):
        def initialize(self, tick, u):
            return buffer

    stepper = start(System([Reusing("r")]), GaussSeidel())
    buffer[0] = 9.0
    assert stepper.values[0] == 0.0
