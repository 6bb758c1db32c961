"""Connections are followed through systems, dictionaries and arrays."""

from __future__ import annotations

from pathlib import Path

import pytest

from packtwin.cosim.ssp_file import MAIN, SspFile
from packtwin.cosim.ssp_graph import Place, SspGraph
from packtwin.cosim.ssp_placing import placed_elements
from packtwin.twin.errors import ScenarioError, WiringError
from tests.cosim.ssp_documents import (
    component,
    connection,
    connector_list,
    description,
)


def package_of(system: str, **members: bytes) -> SspFile:
    files = {MAIN: description(system)} | members
    return SspFile.of_members(Path("made.ssp"), files)


def graph_of(system: str, **members: bytes) -> SspGraph:
    return SspGraph(list(placed_elements(package_of(system, **members))))


def elements(*parts: str) -> str:
    return f"<ssd:Elements>{''.join(parts)}</ssd:Elements>"


def connections(*parts: str) -> str:
    return f"<ssd:Connections>{''.join(parts)}</ssd:Connections>"


def inner(name: str, connectors: str, *parts: str) -> str:
    listed = connector_list(connectors)
    return f'<ssd:System name="{name}">{listed}{"".join(parts)}</ssd:System>'


def sources(graph: SspGraph, place: str) -> list[str]:
    *path, name = place.split(".")
    return [str(trace.source) for trace in graph.traces(Place(tuple(path), name))]


def test_source_is_found_through_two_systems():
    deep = inner(
        "deep",
        "u:input",
        elements(component("sink", "u:input")),
        connections(connection("u", "sink.u")),
    )
    outer = inner(
        "outer", "u:input", elements(deep), connections(connection("u", "deep.u"))
    )
    giver = inner(
        "giver",
        "y:output",
        elements(component("source", "y:output")),
        connections(connection("source.y", "y")),
    )
    graph = graph_of(
        elements(outer, giver) + connections(connection("giver.y", "outer.u"))
    )
    (trace,) = graph.traces(Place(("outer", "deep", "sink"), "u"))
    assert trace.source == Place(("giver", "source"), "y")
    assert [str(hop.source) for hop in trace.hops] == [
        "giver.source.y",
        "giver.y",
        "outer.u",
        "outer.deep.u",
    ]


def test_start_and_end_may_be_written_either_way():
    parts = elements(component("a", "y:output"), component("b", "u:input"))
    for ends in (("a.y", "b.u"), ("b.u", "a.y")):
        graph = graph_of(parts + connections(connection(*ends)))
        assert sources(graph, "b.u") == ["a.y"]
        assert sources(graph, "a.y") == []


def test_input_of_the_root_is_a_source():
    graph = graph_of(
        connector_list("load:input")
        + elements(component("a", "u:input"))
        + connections(connection("load", "a.u"))
    )
    assert sources(graph, "a.u") == ["load"]
    empty = connections(connection("load", "a.u", 'startElement=""'))
    system = connector_list("load:input") + elements(component("a", "u:input")) + empty
    assert sources(graph_of(system), "a.u") == ["load"]


def test_signals_of_a_dictionary_reach_all_who_refer_to_it():
    def reference(name: str, kind: str) -> str:
        return (
            f'<ssd:SignalDictionaryReference name="{name}" dictionary="bus">'
            f"{connector_list(f'v:{kind}')}</ssd:SignalDictionaryReference>"
        )

    for kinds in (("input", "output"), ("inout", "inout")):
        listener = inner(
            "listener",
            "",
            elements(component("b", "u:input"), reference("ear", kinds[1])),
            connections(connection("ear.v", "b.u")),
        )
        graph = graph_of(
            elements(component("a", "y:output"), reference("mouth", kinds[0]), listener)
            + connections(connection("a.y", "mouth.v"))
            + '<ssd:SignalDictionaries><ssd:SignalDictionary name="bus">'
            '<ssb:SignalDictionary version="2.0"><ssb:DictionaryEntry name="v">'
            '<ssc:Real unit="K"/></ssb:DictionaryEntry></ssb:SignalDictionary>'
            "</ssd:SignalDictionary></ssd:SignalDictionaries>"
        )
        assert sources(graph, "listener.b.u") == ["a.y"]


def test_elements_of_arrays_are_followed_through_a_system():
    taker = inner(
        "taker",
        "u:input",
        elements(component("b", "one:input all:input")),
        connections(
            connection("u", "b.one", 'startIndices="2"'), connection("u", "b.all")
        ),
    )
    graph = graph_of(
        elements(component("a", "x:output y:output"), taker)
        + connections(
            connection("a.x", "taker.u", 'endIndices="1"'),
            connection("a.y", "taker.u", 'startIndices="3" endIndices="2"'),
        )
    )
    (one,) = graph.traces(Place(("taker", "b"), "one"))
    assert (one.source.connector, one.source_indices) == ("y", (3,))
    assert one.target_indices == ()
    both = graph.traces(Place(("taker", "b"), "all"))
    assert [(t.source.connector, t.source_indices, t.target_indices) for t in both] == [
        ("x", (), (1,)),
        ("y", (3,), (2,)),
    ]


def test_description_is_used_more_than_once():
    part = description(
        connector_list("y:output")
        + elements(component("a", "y:output"))
        + connections(connection("a.y", "y"))
    )
    use = (
        '<ssd:Component name="{0}" type="application/x-ssp-definition" '
        'source="part.ssd"/>'
    )
    graph = graph_of(
        elements(use.format("p"), use.format("q"), component("b", "u:input v:input"))
        + connections(),
        **{"part.ssd": part},
    )
    assert sources(graph, "b.u") == []
    placed = placed_elements(
        package_of(elements(use.format("p"), use.format("q")), **{"part.ssd": part})
    )
    assert [p.path for p in placed] == [(), ("p",), ("p", "a"), ("q",), ("q", "a")]


def test_description_inside_itself_is_refused():
    loop = description(
        elements(
            '<ssd:Component name="me" type="application/x-ssp-definition" '
            'source="loop.ssd"/>'
        )
    )
    package = SspFile.of_members(Path("made.ssp"), {MAIN: loop, "loop.ssd": loop})
    with pytest.raises(WiringError, match="contains itself"):
        list(placed_elements(package))


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (("a.y", "b.w"), "names the connector `w`, which `b` does not have; near"),
        (("a.y", "bb.u"), "names the element `bb`, which `root` does not .* `b`"),
        (("a.y", "a.z"), "joins two outputs"),
        (("b.u", "b.v"), "joins two inputs"),
    ],
)
def test_wrong_connection_is_named(ends, message):
    parts = elements(
        component("a", "y:output z:output"), component("b", "u:input v:input")
    )
    with pytest.raises(WiringError, match=message):
        graph_of(parts + connections(connection(*ends)))


def test_unknown_dictionary_is_named():
    parts = elements('<ssd:SignalDictionaryReference name="ear" dictionary="bus"/>')
    with pytest.raises(WiringError, match="dictionary `bus`, which there is not"):
        graph_of(parts)


def test_two_elements_of_one_name_are_refused():
    with pytest.raises(WiringError, match="two elements called `a`"):
        graph_of(elements(component("a"), component("a")))


def test_missing_dictionary_file_is_named():
    parts = elements('<ssd:SignalDictionaryReference name="ear" dictionary="bus"/>') + (
        '<ssd:SignalDictionaries><ssd:SignalDictionary name="bus" source="b.ssb"/>'
        "</ssd:SignalDictionaries>"
    )
    with pytest.raises(ScenarioError, match=r"no `b\.ssb`, which the signal dict"):
        graph_of(parts)
