"""Tapes record CasADi's operations once each and no more than needed."""

from __future__ import annotations

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.scalar_tape import (
    CONSTANT,
    INPUT,
    LOOKUP,
    CutCalls,
    Recorder,
    ScalarTape,
    record_tape,
)


def operations(tape: ScalarTape) -> list[int]:
    return sorted(op for op in tape.operation.tolist() if op >= 0)


def test_equal_operations_are_recorded_once_whatever_the_order_of_operands() -> None:
    x = ca.SX.sym("x", 2)
    tape = record_tape([x], [ca.vertcat(x[0] * x[1] + 1.0, x[1] * x[0] + 2.0)])
    assert operations(tape) == sorted([ca.OP_MUL, ca.OP_ADD, ca.OP_ADD])


def test_subtraction_and_division_are_not_commuted() -> None:
    x = ca.SX.sym("x", 2)
    tape = record_tape(
        [x], [ca.vertcat(x[0] - x[1], x[1] - x[0], x[0] / x[1], x[1] / x[0])]
    )
    assert len(operations(tape)) == 4


def test_operands_come_before_their_operation() -> None:
    x = ca.SX.sym("x", 3)
    tape = record_tape([x], [ca.exp(x[0] * x[1]) / (x[2] + ca.sin(x[0]))])
    here = np.arange(len(tape.operation))
    is_operation = tape.operation >= 0
    assert (tape.first < here)[is_operation].all()
    assert (tape.second < here)[is_operation].all()


def test_elements_of_arguments_are_inputs_and_numbers_constants() -> None:
    x, y = ca.SX.sym("x", 2), ca.SX.sym("y", 3)
    tape = record_tape([x, y], [y[2] + 4.5])
    kinds = tape.operation.tolist()
    at = kinds.index(INPUT)
    assert (tape.first[at], tape.second[at]) == (1, 2)
    assert tape.value[kinds.index(CONSTANT)] == 4.5
    assert tape.argument_sizes == (2, 3)


def test_what_no_output_needs_is_left_out() -> None:
    recorder = Recorder()
    x = recorder.argument(0, 0)
    recorder.node(ca.OP_EXP, x)
    wanted = recorder.node(ca.OP_SIN, x)
    tape = recorder.tape([[wanted]], (1,))
    assert operations(tape) == [ca.OP_SIN]
    assert tape.operation[tape.outputs[0][0]] == ca.OP_SIN


def test_a_difference_with_itself_a_product_and_a_sum_with_zero_are_folded() -> None:
    recorder = Recorder()
    x, zero = recorder.argument(0, 0), recorder.constant(0.0)
    assert recorder.node(ca.OP_SUB, x, x) == zero
    assert recorder.node(ca.OP_MUL, zero, x) == zero
    assert recorder.node(ca.OP_MUL, x, zero) == zero
    assert recorder.node(ca.OP_ADD, x, zero) == x
    assert recorder.node(ca.OP_ADD, zero, x) == x


def test_empty_outputs_make_an_empty_tape() -> None:
    tape = record_tape([ca.SX.sym("x", 2)], [ca.SX(0, 1)])
    assert len(tape.operation) == 0
    assert [len(nodes) for nodes in tape.outputs] == [0]


def cut_call(argument: ca.SX) -> CutCalls:
    """One call of lookup 3 at `argument`."""
    placeholders = tuple(ca.SX.sym(label) for label in "vdc")
    return CutCalls(arguments=argument, placeholders=placeholders, lookups=(3,))


def test_placeholders_of_a_cut_call_become_its_lookup() -> None:
    x = ca.SX.sym("x", 2)
    cut = cut_call(ca.sin(x[1]))
    tape = record_tape([x], [ca.exp(cut.placeholders[0])], cut)
    assert operations(tape) == sorted([ca.OP_SIN, ca.OP_EXP, LOOKUP])
    at = tape.operation.tolist().index(LOOKUP)
    assert tape.operation[tape.first[at]] == ca.OP_SIN
    assert tape.payload[at] == 3
    assert tape.argument_sizes == (2,)


def test_a_call_that_needs_its_own_value_is_refused() -> None:
    cut = cut_call(ca.SX(1, 1))
    circular = CutCalls(
        arguments=ca.sin(cut.placeholders[0]),
        placeholders=cut.placeholders,
        lookups=(3,),
    )
    with pytest.raises(InterfaceError, match="lookup call 0 is not known in time"):
        record_tape([], [cut.placeholders[0]], circular)
