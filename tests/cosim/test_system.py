from __future__ import annotations

import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.system import System
from packtwin.twin.errors import WiringError
from tests.fakes import Accumulator, Clock, Fake, Gain


def pack(name: str = "pack") -> Fake:
    return Fake(name, lambda t, u: [1.0, 2.0], outputs=("current_A", "voltage_V"))


def refusal(*args, **kwargs) -> str:
    with pytest.raises(WiringError) as caught:
        System(*args, **kwargs)
    message = str(caught.value)
    assert message.endswith(".")
    return message


def test_a_good_system_keeps_what_it_was_given():
    system = System([pack(), Gain("g")], [Connection("pack.current_A", "g.input_A")])
    assert system.component_names == ("pack", "g")
    assert system.output_names == ("pack.current_A", "pack.voltage_V", "g.output_A")
    with pytest.raises(AttributeError):
        system.components = ()
    with pytest.raises(TypeError):
        system.constants["g.input_A"] = 1.0


def test_unknown_component_offers_the_nearest():
    message = refusal([pack(), Gain("g")], [Connection("pak.current_A", "g.input_A")])
    assert "`pak.current_A -> g.input_A`" in message
    assert "no component `pak`; nearest: `pack`" in message


def test_unknown_output_offers_the_nearest():
    message = refusal([pack(), Gain("g")], [Connection("pack.curent_A", "g.input_A")])
    assert "`pack` has no output `curent_A`; nearest outputs: `current_A`" in message


def test_unknown_input_offers_the_nearest():
    message = refusal([pack(), Gain("g")], [Connection("pack.current_A", "g.inptu_A")])
    assert "`g` has no input `inptu_A`; nearest inputs: `input_A`" in message


def test_a_component_without_inputs_says_so():
    message = refusal([pack(), Clock()], [Connection("pack.current_A", "clock.x_A")])
    assert "`clock` has no input `x_A`; it has no inputs" in message


def test_an_output_wired_into_an_output_is_refused():
    connection = Connection("pack.current_A", "g.output_A")
    message = refusal([pack(), Gain("g")], [connection])
    assert "`g.output_A` is an output, where an input is needed" in message


def test_an_input_as_source_is_refused():
    message = refusal([Gain("f"), Gain("g")], [Connection("f.input_A", "g.input_A")])
    assert "`f.input_A` is an input, where an output is needed" in message


def test_unit_mismatch_names_both_ports_and_units():
    message = refusal([pack(), Gain("g")], [Connection("pack.voltage_V", "g.input_A")])
    assert "`pack.voltage_V` in `V` to `g.input_A` in `A`" in message


def test_units_of_one_quantity_connect():
    sensor = Fake("sensor", outputs=("temperature_degC",))
    sink = Fake("sink", inputs=("temperature_K",), outputs=("x_A",))
    System(
        [sensor, sink], [Connection("sensor.temperature_degC", "sink.temperature_K")]
    )


def test_an_input_driven_twice_names_both_drivers():
    twice = [
        Connection("pack.current_A", "g.input_A"),
        Connection("other.current_A", "g.input_A"),
    ]
    message = refusal([pack(), pack("other"), Gain("g")], twice)
    assert "`g.input_A` is driven twice" in message
    assert "`pack.current_A`" in message
    assert "`other.current_A`" in message


def test_a_constant_for_a_connected_input_is_driven_twice():
    connection = Connection("pack.current_A", "g.input_A")
    constants = {"g.input_A": 1.0}
    message = refusal([pack(), Gain("g")], [connection], constants=constants)
    assert "driven twice, by a constant and by `pack.current_A`" in message


def test_undriven_inputs_are_all_named_with_their_units():
    message = refusal([Gain("f"), Gain("g")])
    assert "Nothing drives `f.input_A` [A], `g.input_A` [A]" in message
    assert "`constants`" in message


def test_a_constant_drives_an_input():
    assert System([Gain("g")], constants={"g.input_A": 2.0}).constants == {
        "g.input_A": 2.0
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("f.input_A", "no component `f`; nearest: `g`"),
        ("g.inpt_A", "nearest inputs: `input_A`"),
        ("g.output_A", "is an output"),
        ("input_A", "is not a port"),
    ],
)
def test_a_constant_for_an_unknown_input_is_refused(name, words):
    message = refusal([Gain("g")], constants={name: 1.0})
    assert f"constant `{name}`" in message
    assert words in message


def test_a_constant_that_is_not_finite_is_refused():
    message = refusal([Gain("g")], constants={"g.input_A": float("nan")})
    assert "expected a finite value" in message


def test_two_components_of_one_name_are_refused():
    assert "Two components are called `g`" in refusal([Gain("g"), Gain("g")])


@pytest.mark.parametrize("name", ["", "a.b"])
def test_a_name_that_ports_could_not_use_is_refused(name):
    assert "cannot name a component" in refusal([Clock(name)])


def test_an_empty_system_is_refused():
    assert "at least one component" in refusal([])


def ring(*delayed: str) -> list[Connection]:
    pairs = [("a", "b"), ("b", "c"), ("c", "a")]
    return [
        Connection(f"{s}.output_A", f"{t}.input_A", is_delayed=t in delayed)
        for s, t in pairs
    ]


def test_an_algebraic_loop_names_every_port_around_it_and_the_remedy():
    message = refusal([Gain("a"), Gain("b"), Gain("c")], ring())
    for port in ("a.input_A", "a.output_A", "b.input_A", "b.output_A", "c.input_A"):
        assert f"`{port}`" in message
    assert 'Connection("c.output_A", "a.input_A", is_delayed=True)' in message


def test_one_delayed_connection_opens_the_loop():
    for target in "abc":
        System([Gain("a"), Gain("b"), Gain("c")], ring(target))


def test_a_component_without_direct_feedthrough_opens_the_loop():
    a, b = Gain("a"), Accumulator("b")
    System(
        [a, b, Fake("c", inputs=("charge_Ah",))],
        [
            Connection("a.output_A", "b.input_A"),
            Connection("b.charge_Ah", "c.charge_Ah"),
            Connection("c.output_A", "a.input_A"),
        ],
    )


def test_a_gain_on_itself_is_a_loop():
    message = refusal([Gain("a")], [Connection("a.output_A", "a.input_A")])
    assert "`a.input_A` -> `a.output_A` -> `a.input_A`" in message


def test_feedthrough_of_unknown_ports_is_refused():
    fake = Fake("f", inputs=("x_A",), feedthrough=(("x_A", "y_A"),))
    assert "feedthrough from `x_A` to `y_A`" in refusal(
        [fake], constants={"f.x_A": 1.0}
    )
