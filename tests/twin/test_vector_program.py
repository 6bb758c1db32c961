"""Repeated formulas become few vector operations."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.scalar_tape import record_tape
from packtwin.twin.vector_program import (
    Operand,
    Program,
    vectorise,
    vectorise_sorted,
)

N = 50


def program(symbols: list[ca.SX], *expressions: ca.SX, blocks=None) -> Program:
    return vectorise(record_tape(symbols, expressions), blocks)


_NUMPY = {
    ca.OP_ADD: np.add,
    ca.OP_SUB: np.subtract,
    ca.OP_MUL: np.multiply,
    ca.OP_DIV: np.divide,
    ca.OP_SIN: np.sin,
    ca.OP_COS: np.cos,
    ca.OP_EXP: np.exp,
    ca.OP_SQ: np.square,
    ca.OP_NEG: np.negative,
    ca.OP_TWICE: lambda v: 2.0 * v,
    ca.OP_INV: lambda v: 1.0 / v,
}


def evaluate(made: Program, *arguments: np.ndarray) -> list[np.ndarray]:
    """Run a program group by group, in order."""
    values: list[np.ndarray] = []

    def read(operand: Operand) -> np.ndarray:
        if operand.source is None:
            return operand.values
        of = arguments if operand.source.kind == "argument" else values
        return of[operand.source.number][operand.indices]

    for group in made.groups:
        result = _NUMPY[group.operation](*(read(o) for o in group.operands))
        assert result.shape == (group.size,)
        values.append(result)
    outputs = [np.full(n, np.nan) for n in made.output_sizes]
    for output, runs in zip(outputs, made.outputs, strict=True):
        for first, operand in runs:
            part = read(operand)
            output[first : first + len(part)] = part
    return outputs


def diffusion(x: ca.SX, rates: np.ndarray) -> ca.SX:
    """Fluxes between neighbours, each with its own coefficient, and a reaction."""
    flux = ca.vertcat(*(rates[k] * (x[k + 1] - x[k]) for k in range(N - 1)))
    return ca.vertcat(flux, 0) - ca.vertcat(0, flux) + ca.sin(x) * ca.exp(x)


RATES = np.random.default_rng(1).uniform(1.0, 2.0, N - 1)


def test_vectorised_equals_scalar_operations() -> None:
    x, y = ca.SX.sym("x", N), ca.SX.sym("y", 3)
    f = diffusion(x, RATES) / (y[0] + y[1])
    jacobian = ca.jacobian(f, x)
    entries = ca.vertcat(*jacobian.nonzeros())
    rng = np.random.default_rng(2)
    at = rng.normal(size=N), rng.uniform(1.0, 2.0, 3)
    exact = ca.Function("f", [x, y], [f, entries])(*at)
    for got, want in zip(
        evaluate(program([x, y], f, entries), *at), exact, strict=True
    ):
        np.testing.assert_allclose(got, np.asarray(want).ravel(), rtol=1e-13)


def test_the_number_of_groups_does_not_grow_with_the_mesh() -> None:
    counts = []
    for n in (20, 40):
        x = ca.SX.sym("x", n)
        counts.append(len(program([x], ca.sin(x) * x + ca.exp(x) / 3.0).groups))
    assert counts[0] == counts[1] == 5


def test_constants_may_differ_within_a_group() -> None:
    x = ca.SX.sym("x", N - 1)
    (group,) = program([x], RATES * x).groups
    assert group.size == N - 1
    (constants,) = [o.values for o in group.operands if o.source is None]
    np.testing.assert_array_equal(np.sort(constants), np.sort(RATES))


def test_powers_with_different_exponents_stay_apart() -> None:
    x = ca.SX.sym("x", 4)
    made = program([x], ca.vertcat(x[0] ** 0.3, x[1] ** 0.3, x[2] ** 0.7, x[3] ** 0.7))
    assert sorted(group.size for group in made.groups) == [2, 2]


def test_blocks_keep_quantities_apart() -> None:
    x = ca.SX.sym("x", 4)
    assert len(program([x], ca.sin(x)).groups) == 1
    made = program([x], ca.sin(x), blocks=[[0, 0, 1, 1]])
    assert [group.size for group in made.groups] == [2, 2]


def test_groups_read_only_earlier_loops_or_their_own_element() -> None:
    x = ca.SX.sym("x", N)
    made = program([x], diffusion(ca.sin(x), RATES))
    for number, group in enumerate(made.groups):
        for operand in group.operands:
            if operand.source is None or operand.source.kind == "argument":
                continue
            other = made.groups[operand.source.number]
            assert operand.source.number < number
            assert other.loop <= group.loop
            if other.loop == group.loop:
                np.testing.assert_array_equal(operand.indices, np.arange(group.size))


def test_a_sorted_output_is_filled_by_one_run_per_formula() -> None:
    x, y = ca.SX.sym("x", N), ca.SX.sym("y", N)
    mixed = ca.vertcat(*(v for k in range(N) for v in (ca.sin(x[k]), ca.exp(y[k]))))
    tape = record_tape([x, y], [x, mixed])
    assert len(vectorise(tape).outputs[1]) == 2 * N
    made, order = vectorise_sorted(tape, 1)
    assert len(made.outputs[1]) == 2
    at = np.linspace(0.0, 1.0, N), np.linspace(1.0, 2.0, N)
    kept, moved = evaluate(made, *at)
    (unmoved,) = evaluate(program([x, y], mixed), *at)
    np.testing.assert_array_equal(kept, at[0])
    np.testing.assert_array_equal(moved, unmoved[order])
    assert sorted(order) == list(range(2 * N))


def test_constants_arguments_and_groups_are_sorted_in_this_order() -> None:
    x = ca.SX.sym("x", 3)
    mixed = ca.vertcat(ca.sin(x[1]), x[2], 4.0, ca.sin(x[0]), x[0], 5.0)
    _, order = vectorise_sorted(record_tape([x], [mixed]), 0)
    assert order == [2, 5, 4, 1, 3, 0]


def test_vectorising_leaves_the_tape_as_it_was() -> None:
    x, y = ca.SX.sym("x", N), ca.SX.sym("y", N)
    tape = record_tape([x, y], [ca.sin(y) * x + x * ca.cos(y)])
    first, second = tape.first.copy(), tape.second.copy()
    vectorise(tape)
    np.testing.assert_array_equal(tape.first, first)
    np.testing.assert_array_equal(tape.second, second)


@pytest.mark.parametrize("size", [0, 3])
def test_results_without_operations_are_copied(size) -> None:
    x = ca.SX.sym("x", size)
    made = program([x], x, ca.SX([1.5, 2.5]))
    at = np.arange(float(size))
    copied, constants = evaluate(made, at)
    np.testing.assert_array_equal(copied, at)
    np.testing.assert_array_equal(constants, [1.5, 2.5])
