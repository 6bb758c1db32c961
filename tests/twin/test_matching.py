"""Rows are matched with columns wherever that is possible."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import structural_rank

from packtwin.twin.matching import match_rows


def test_a_full_diagonal_is_kept() -> None:
    rows, columns = np.nonzero(np.ones((5, 5)))
    assert match_rows(5, rows.tolist(), columns.tolist()) == ([0, 1, 2, 3, 4], [])


def test_a_cycle_without_diagonal_is_turned() -> None:
    assert match_rows(3, [1, 2, 0], [0, 1, 2]) == ([1, 2, 0], [])


def test_a_long_chain_is_moved_to_make_room() -> None:
    """Column k has rows k and k + 1, the last one row 0 only: all must move."""
    n = 2000
    rows = [r for k in range(n - 1) for r in (k, k + 1)] + [0]
    columns = [k for k in range(n - 1) for _ in range(2)] + [n - 1]
    row_of, unmatched = match_rows(n, rows, columns)
    assert unmatched == []
    assert row_of == [*range(1, n), 0]


def test_columns_without_a_row_are_named() -> None:
    row_of, unmatched = match_rows(3, [0, 0, 2], [0, 1, 2])
    assert (row_of, unmatched) == ([0, -1, 2], [1])


@given(st.integers(1, 12), st.floats(0.05, 0.5), st.integers(0, 10**6))
def test_matching_is_as_large_as_the_structural_rank(n, density, seed) -> None:
    pattern = np.random.default_rng(seed).random((n, n)) < density
    rows, columns = np.nonzero(pattern)
    row_of, unmatched = match_rows(n, rows.tolist(), columns.tolist())
    matched = [(i, j) for j, i in enumerate(row_of) if i >= 0]
    assert all(pattern[i, j] for i, j in matched)
    assert len({i for i, _ in matched}) == len(matched) == n - len(unmatched)
    assert len(matched) == structural_rank(csr_matrix(pattern.astype(float)))
