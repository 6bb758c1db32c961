"""Compiled programs over rows: any layout of the rows, any number of threads."""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.batch_program import BatchProgram
from packtwin.twin.scalar_tape import record_tape
from packtwin.twin.vector_program import vectorise

pytestmark = pytest.mark.fmu

RNG = np.random.default_rng(0)
A, B = RNG.uniform(0.1, 3.0, (200, 3)), RNG.uniform(0.1, 3.0, (200, 2))


@pytest.fixture(scope="module")
def program() -> BatchProgram:
    a, b = ca.SX.sym("a", 3), ca.SX.sym("b", 2)
    outputs: list[Any] = [a * b[0] + b[1], ca.sum1(a) - b]
    return BatchProgram(vectorise(record_tape([a, b], outputs)), "rows")


def wanted(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return a * b[:, :1] + b[:, 1:], a.sum(axis=1, keepdims=True) - b


def check(program: BatchProgram, a: np.ndarray, b: np.ndarray, n_thread: int) -> None:
    for got, want in zip(program((a, b), n_thread), wanted(a, b), strict=True):
        assert got.shape == want.shape
        assert np.abs(got - want).max(initial=0.0) <= 4e-15


@pytest.mark.parametrize("n_thread", [1, 2, 5, 300])
def test_every_row_is_computed_once(program: BatchProgram, n_thread: int) -> None:
    check(program, A, B, n_thread)


def test_threads_do_not_change_a_bit(program: BatchProgram) -> None:
    one, four = program((A, B), 1), program((A, B), 4)
    assert all((x == y).all() for x, y in zip(one, four, strict=True))


@pytest.mark.parametrize(
    "a",
    [
        np.broadcast_to(A[0], A.shape),
        A[::-1],
        np.asfortranarray(A),
        np.hstack([A, A])[:, 1:4],
        np.repeat(A, 2, axis=1)[:, ::2],
    ],
    ids=["repeated", "reversed", "columns", "part", "every second"],
)
def test_rows_may_lie_anyhow(program: BatchProgram, a: np.ndarray) -> None:
    check(program, a, B, 2)


def test_no_rows_give_no_rows(program: BatchProgram) -> None:
    check(program, A[:0], B[:0], 2)
