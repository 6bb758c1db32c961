"""Parameter sets reach the variables they name, and the outer ones win."""

from __future__ import annotations

from dataclasses import replace

import pytest

from packtwin.cosim.ssp_common import MapEntry, Transformation
from packtwin.cosim.ssp_graph import Place
from packtwin.cosim.ssp_placing import placed_elements
from packtwin.cosim.ssp_values import applied_values
from packtwin.twin.errors import ScenarioError
from packtwin.twin.units import UNITS
from tests.cosim.ssp_documents import binding, component, connector_list
from tests.cosim.test_ssp_graph import elements, inner, package_of


def values_of(system: str, *, ignores_unknown: bool = False):
    placed = list(placed_elements(package_of(system)))
    variables, connectors = applied_values(placed, ignores_unknown=ignores_unknown)
    texts = {str(place): value.elements[0] for place, value in variables.items()}
    return texts, {str(place): v.elements[0] for place, v in connectors.items()}


def entry(source: str, target: str, inside: str = "", more: str = "") -> str:
    return (
        f'<ssm:MappingEntry source="{source}" target="{target}" {more}>{inside}'
        "</ssm:MappingEntry>"
    )


def test_outer_systems_win_over_inner_ones_and_later_bindings_over_earlier():
    part = component("c", "", binding("p=Real:1 q=Real:1 r=Real:1"))
    middle = inner("b", "", binding("c.p=Real:2 c.q=Real:2"), elements(part))
    root = binding("b.c.p=Real:3")
    found, _ = values_of(root + elements(middle))
    assert found == {"b.c.p": "3", "b.c.q": "2", "b.c.r": "1"}


def test_one_name_that_means_two_places_sets_both():
    system = binding("b.c.d=Real:7") + elements(
        component("b.c"), inner("b", "", elements(component("c")))
    )
    found, _ = values_of(system)
    assert found == {"b.c.d": "7"}  # both places are written the same
    placed = list(placed_elements(package_of(system)))
    assert set(applied_values(placed)[0]) == {
        Place(("b.c",), "d"),
        Place(("b", "c"), "d"),
    }


def test_connectors_of_systems_take_values():
    system = connector_list("load:input") + binding("load=Real:4 b.x=Real:5")
    found, connectors = values_of(system + elements(inner("b", "x:parameter")))
    assert (found, connectors) == ({}, {"load": "4", "b.x": "5"})


def test_prefix_is_put_before_the_names():
    bound = binding("p=Real:8", more='prefix="c."')
    assert values_of(bound + elements(component("c")))[0] == {"c.p": "8"}


def test_with_a_mapping_only_what_it_lists_is_applied_under_its_new_name():
    mapping = entry("p", "c.x") + entry("p", "c.y")
    bound = binding("p=Real:9 q=Real:1", mapping)
    assert values_of(bound + elements(component("c")))[0] == {"c.x": "9", "c.y": "9"}


def test_unit_comes_before_the_linear_transformation():
    line = '<ssc:LinearTransformation factor="2" offset="-1"/>'
    for more, expected in (
        ("", 2.0 * 298.15 - 1.0),
        ('suppressUnitConversion="true"', 49.0),
    ):
        bound = binding("p=Real:25:degC", entry("p", "c.T", line, more))
        placed = list(placed_elements(package_of(bound + elements(component("c")))))
        (value,) = applied_values(placed)[0].values()
        assert value.numbers({}, UNITS["K"]) == [expected]


@pytest.mark.parametrize(
    ("kind", "text", "entries", "expected"),
    [
        ("Boolean", "1", {"true": "false", "false": "true"}, [0.0]),
        ("Integer", "3", {"3": "30", "4": "5"}, [30.0]),
        ("Enumeration", "on", {"on": "off"}, [0.0]),
    ],
)
def test_mappings_of_values_are_tables(kind, text, entries, expected):
    lines = "".join(
        f'<ssc:MapEntry source="{a}" target="{b}"/>' for a, b in entries.items()
    )
    name = f"{kind}MappingTransformation"
    mapping = entry("p", "c.x", f"<ssc:{name}>{lines}</ssc:{name}>")
    bound = binding(f"p={kind}:{text}", mapping)
    placed = list(placed_elements(package_of(bound + elements(component("c")))))
    (value,) = applied_values(placed)[0].values()
    assert value.numbers({"off": 0.0, "on": 3.0}, None) == expected


def test_mapping_on_a_connection_is_a_line_or_refused():
    def of(*pairs: tuple[str, str]) -> Transformation:
        entries = tuple(MapEntry(source=a, target=b) for a, b in pairs)
        return Transformation(kind="IntegerMappingTransformation", entries=entries)

    assert of(("1", "5"), ("2", "3")).as_line({}, "it") == (-2.0, 7.0)
    assert of(("on", "1"), ("off", "0")).as_line({"on": 3.0, "off": 1.0}, "it") == (
        0.5,
        -0.5,
    )
    with pytest.raises(ScenarioError, match="not on a straight line"):
        of(("1", "1"), ("2", "4"), ("3", "9")).as_line({}, "it")


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (binding("cc.p=Real:1"), r"`cc\.p`, which is no connector or element of"),
        (binding("p=Real:1", entry("q", "c.x")), r"maps `q`, which .* nearest: `p`"),
        (
            binding("p=Real:1 q=Real:1", entry("p", "c.x") + entry("q", "c.x")),
            r"maps two parameters to `c\.x`",
        ),
        (binding("c.p=Real:1 c.p=Real:2"), r"has `c\.p` twice"),
    ],
)
def test_wrong_names_are_errors_with_the_nearest(bound, message):
    with pytest.raises(ScenarioError, match=message):
        values_of(bound + elements(component("c", "p:parameter")))


def test_unknown_names_can_be_passed_over():
    bound = binding("d.p=Real:1 c.p=Real:2")
    found, _ = values_of(bound + elements(component("c")), ignores_unknown=True)
    assert found == {"c.p": "2"}


def test_quantities_that_differ_and_texts_that_are_no_numbers_are_refused():
    bound = binding("c.T=Real:25:degC c.n=String:abc")
    placed = list(placed_elements(package_of(bound + elements(component("c")))))
    by_name = {p.connector: v for p, v in applied_values(placed)[0].items()}
    with pytest.raises(ScenarioError, match="different quantities"):
        by_name["T"].numbers({}, UNITS["V"])
    odd = binding("c.T=Real:25:[K]")
    placed = list(placed_elements(package_of(odd + elements(component("c")))))
    (value,) = applied_values(placed)[0].values()
    assert value.numbers({}, None) == [25.0]
    assert value.numbers({}, replace(UNITS["K"], name="[K]")) == [25.0]
    with pytest.raises(ScenarioError, match=r"is in `\[K\]`, which its set does not"):
        value.numbers({}, UNITS["K"])
    with pytest.raises(ScenarioError, match="is `abc`, which is no number"):
        by_name["n"].numbers({}, None)
