from __future__ import annotations

import pytest

from packtwin.cosim.connection import Connection, Port
from packtwin.twin.errors import WiringError


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
