from __future__ import annotations

import math

import pytest

from packtwin.cosim.connection import Connection, LinearMap, Port
from packtwin.cosim.masters import GaussSeidel, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.twin.errors import WiringError
from tests.fakes import Clock, Fake


def test_ports_and_their_names_make_the_same_connection():
    named = Connection("pack.current_A", "meter.current_A", is_delayed=True)
    assert named == Connection(
        Port("pack", "current_A"), Port("meter", "current_A"), is_delayed=True
    )
    assert str(named) == "pack.current_A -> meter.current_A"


@pytest.mark.parametrize("text", ["pack", "pack.", ".current_A", ""])
def test_a_name_that_is_no_port_is_refused_with_an_example(text):
    with pytest.raises(WiringError, match=r"write `component\.variable`, for example"):
        Connection(text, "pack.current_A")


def test_connections_are_frozen():
    connection = Connection("a.x_A", "b.y_A")
    with pytest.raises(AttributeError):
        connection.is_delayed = True


@pytest.mark.parametrize(
    "master", [Jacobi(), GaussSeidel(), GaussSeidel(is_compiled=True), Iterated()]
)
def test_linear_map_acts_on_the_numbers_whatever_the_units(master):
    def heard(source: Fake, linear: LinearMap | None) -> list[float]:
        (name,) = source.interface.output_names
        echo = Fake("echo", lambda t, u: [*u], inputs=("input_K",), outputs=("seen_K",))
        line = Connection(f"{source.name}.{name}", "echo.input_K", linear=linear)
        system = System([source, echo], [line])
        result = simulate(system, stop_s=1.0, step_s=0.25, master=master)
        return result["echo.seen_K"].tolist()

    mapped = Fake("clock", lambda t, u: [2.0 * t - 3.0], outputs=("time_K",))
    assert heard(Clock(), LinearMap(2.0, -3.0)) == pytest.approx(
        heard(mapped, None), abs=1e-14
    )


@pytest.mark.parametrize("numbers", [(0.0, 1.0), (math.nan, 0.0), (1.0, math.inf)])
def test_linear_map_without_a_way_back_is_refused(numbers):
    with pytest.raises(WiringError, match="expected finite numbers, the factor not 0"):
        LinearMap(*numbers)
