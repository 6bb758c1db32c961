"""Directed graphs: strongly connected groups, a shortest cycle, a stable order."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

__all__ = ["Graph", "find_cycle", "sort_groups", "strongly_connected_groups"]

Graph: TypeAlias = Mapping[
    str, Sequence[str]
]  # node -> its successors, all of them keys


def strongly_connected_groups(graph: Graph) -> list[tuple[str, ...]]:
    """Return the groups of nodes that reach each other, successors first.

    R. Tarjan, SIAM J. Comput. 1 (1972) 146-160, doi:10.1137/0201010; with an explicit
    stack, so that long chains do not meet the recursion limit.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    groups: list[tuple[str, ...]] = []

    def open_node(node: str) -> tuple[str, Iterator[str]]:
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        return node, iter(graph[node])

    def close_node(node: str) -> None:
        if low[node] == index[node]:
            start = stack.index(node)
            groups.append(tuple(stack[start:]))
            on_stack.difference_update(stack[start:])
            del stack[start:]

    for root in graph:
        path = [] if root in index else [open_node(root)]
        while path:
            node, successors = path[-1]
            for successor in successors:
                if successor not in index:
                    path.append(open_node(successor))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                path.pop()
                close_node(node)
                if path:
                    parent = path[-1][0]
                    low[parent] = min(low[parent], low[node])
    return groups


def find_cycle(graph: Graph) -> tuple[str, ...]:
    """Return the nodes of a shortest cycle through the first node on one, or `()`."""
    looped = {
        node
        for group in strongly_connected_groups(graph)
        for node in group
        if len(group) > 1 or node in graph[node]
    }
    start = next((node for node in graph if node in looped), None)
    if start is None:
        return ()
    parents: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for successor in graph[node]:
            if successor == start:
                cycle = [node]
                while cycle[-1] != start:
                    cycle.append(parents[cycle[-1]])
                return tuple(reversed(cycle))
            if successor not in parents:
                parents[successor] = node
                queue.append(successor)
    return ()


def sort_groups(graph: Graph) -> list[tuple[str, ...]]:
    """Return the strongly connected groups, predecessors first.

    Where the edges leave a choice, the order of the graph's keys decides; it also
    orders the nodes inside a group.
    """
    rank = {node: i for i, node in enumerate(graph)}
    groups = [
        tuple(sorted(group, key=rank.__getitem__))
        for group in strongly_connected_groups(graph)
    ]
    group_of = {node: i for i, group in enumerate(groups) for node in group}
    followers = [
        {group_of[target] for node in group for target in graph[node]} - {i}
        for i, group in enumerate(groups)
    ]
    n_open = [0] * len(groups)
    for follower in (item for items in followers for item in items):
        n_open[follower] += 1
    ready = [(rank[g[0]], i) for i, g in enumerate(groups) if n_open[i] == 0]
    heapq.heapify(ready)
    result = []
    while ready:
        _, i = heapq.heappop(ready)
        result.append(groups[i])
        for follower in followers[i]:
            n_open[follower] -= 1
            if n_open[follower] == 0:
                heapq.heappush(ready, (rank[groups[follower][0]], follower))
    return result
