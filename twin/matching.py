"""Pair equations with unknowns by a sparsity pattern."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["match_rows"]


def match_rows(
    n: int, rows: Sequence[int], columns: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Give every column a row of its own in which it has an entry.

    The diagonal is kept where it has an entry, so far as that is possible. Augmenting
    paths, breadth first; after H. W. Kuhn, Naval Research Logistics Quarterly 2 (1955)
    83-97, doi:10.1002/nav.3800020109.

    Args:
        n: Size of the square pattern.
        rows: Row of every entry.
        columns: Column of every entry.

    Returns:
        The row of each column, and the columns that no row is left for (whose row is
        -1). A matrix of this pattern can only be regular if there are none.
    """
    entries: list[list[int]] = [[] for _ in range(n)]
    for i, j in sorted(zip(rows, columns, strict=True)):
        entries[j].append(i)
    row_of = [j if j in entries[j] else -1 for j in range(n)]
    column_of = list(row_of)
    unmatched = []
    for j in range(n):
        if row_of[j] < 0 and not _augment(j, entries, row_of, column_of):
            unmatched.append(j)
    return row_of, unmatched


def _augment(
    start: int, entries: list[list[int]], row_of: list[int], column_of: list[int]
) -> bool:
    """Match one more column, moving others to other rows along a shortest path."""
    reached_from: dict[int, int] = {}
    columns = [start]
    for j in columns:
        for i in entries[j]:
            if i in reached_from:
                continue
            reached_from[i] = j
            if column_of[i] >= 0:
                columns.append(column_of[i])
                continue
            while True:
                j = reached_from[i]
                column_of[i], row_of[j], i = j, i, row_of[j]
                if j == start:
                    return True
    return False
