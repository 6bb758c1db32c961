from __future__ import annotations

import random

import pytest

from packtwin.cosim.graph import find_cycle, sort_groups, strongly_connected_groups

RING = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": []}


def test_nodes_that_reach_each_other_form_one_group_and_successors_come_first():
    groups = strongly_connected_groups(RING)
    assert [set(group) for group in groups] == [{"d"}, {"a", "b", "c"}]


@pytest.mark.parametrize("seed", range(20))
def test_groups_equal_mutual_reachability_on_random_graphs(seed):
    draw = random.Random(seed)
    nodes = [str(i) for i in range(12)]
    graph = {n: [m for m in nodes if draw.random() < 0.12] for n in nodes}

    def reach(node: str) -> set[str]:
        seen, todo = {node}, [node]
        while todo:
            for successor in graph[todo.pop()]:
                if successor not in seen:
                    seen.add(successor)
                    todo.append(successor)
        return seen

    reached = {n: reach(n) for n in nodes}
    wanted = {frozenset(m for m in reached[n] if n in reached[m]) for n in nodes}
    assert {frozenset(group) for group in strongly_connected_groups(graph)} == wanted
    order = [node for group in sort_groups(graph) for node in group]
    rank = {node: i for i, node in enumerate(order)}
    for node in nodes:
        for target in graph[node]:
            assert rank[node] < rank[target] or node in reached[target]


def test_a_shortest_cycle_is_found_in_the_direction_of_its_edges():
    assert find_cycle({"z": ["a"], **RING, "d": ["b"]}) == ("a", "b", "c")


def test_a_node_that_feeds_itself_is_a_cycle():
    assert find_cycle({"a": ["b"], "b": ["b"]}) == ("b",)


def test_a_graph_without_cycle_gives_none():
    assert find_cycle({"a": ["b", "c"], "b": ["c"], "c": []}) == ()


def test_order_keeps_the_declared_one_where_edges_leave_a_choice():
    graph = {"late": [], "sink": [], "source": ["sink"], "free": []}
    assert sort_groups(graph) == [("late",), ("source",), ("sink",), ("free",)]


def test_a_cycle_keeps_its_declared_order_between_its_neighbours():
    graph = {"after": [], "c": ["a", "after"], "a": ["b"], "b": ["c"], "in": ["b"]}
    assert sort_groups(graph) == [("in",), ("c", "a", "b"), ("after",)]


def test_a_chain_longer_than_the_recursion_limit_is_sorted():
    n = 5000
    graph = {str(i): [str(i + 1)] if i + 1 < n else [] for i in range(n)}
    assert len(sort_groups(graph)) == n
