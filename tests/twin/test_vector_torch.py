"""Programs in torch equal CasADi in value and gradient, operation by operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.lookup import Lookup
from packtwin.twin.scalar_tape import (
    LOOKUP,
    LOOKUP_SLOPE,
    Recorder,
    record_tape,
)
from packtwin.twin.vector_program import Program, vectorise

torch = pytest.importorskip("torch")

from packtwin.twin.vector_torch import TorchProgram  # noqa: E402

RNG = np.random.default_rng(3)
ANY = RNG.uniform(-3.0, 3.0, (40, 5))
POSITIVE = RNG.uniform(0.1, 3.0, (40, 5))
UNIT = RNG.uniform(-0.9, 0.9, (40, 5))
FLAGS = RNG.integers(0, 2, (40, 5)).astype(float)
OTHER = RNG.uniform(-3.0, 3.0, (40, 5))

UNARY: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    "neg": (lambda a: -a, ANY),
    "exp": (ca.exp, ANY),
    "log": (ca.log, POSITIVE),
    "sqrt": (ca.sqrt, POSITIVE),
    "sq": (lambda a: a**2, ANY),
    "twice": (lambda a: 2.0 * a, ANY),
    "inv": (lambda a: 1.0 / a, POSITIVE),
    "sin": (ca.sin, ANY),
    "cos": (ca.cos, ANY),
    "tan": (ca.tan, UNIT),
    "asin": (ca.asin, UNIT),
    "acos": (ca.acos, UNIT),
    "atan": (ca.atan, ANY),
    "floor": (ca.floor, ANY),
    "ceil": (ca.ceil, ANY),
    "fabs": (ca.fabs, ANY),
    "sign": (ca.sign, ANY),
    "not": (ca.logic_not, FLAGS),
    "erf": (ca.erf, ANY),
    "sinh": (ca.sinh, ANY),
    "cosh": (ca.cosh, ANY),
    "tanh": (ca.tanh, ANY),
    "asinh": (ca.asinh, ANY),
    "acosh": (ca.acosh, 1.0 + POSITIVE),
    "atanh": (ca.atanh, UNIT),
    "log1p": (ca.log1p, POSITIVE),
    "expm1": (ca.expm1, ANY),
    "constpow": (lambda a: a**1.7, POSITIVE),
    "minus power": (lambda a: a**-1.5, POSITIVE),
}
BINARY: dict[str, tuple[Callable[[Any, Any], Any], np.ndarray]] = {
    "add": (lambda a, b: a + b, ANY),
    "sub": (lambda a, b: a - b, ANY),
    "mul": (lambda a, b: a * b, ANY),
    "div": (lambda a, b: b / a, POSITIVE),
    "lt": (lambda a, b: a < b, ANY),
    "le": (lambda a, b: a <= b, ANY),
    "eq": (lambda a, b: a == b, FLAGS),
    "ne": (lambda a, b: a != b, FLAGS),
    "and": (ca.logic_and, FLAGS),
    "or": (ca.logic_or, FLAGS),
    "if_else_zero": (lambda a, b: ca.if_else(a, b, 0.0), FLAGS),
    "fmin": (ca.fmin, ANY),
    "fmax": (ca.fmax, ANY),
    "fmod": (ca.fmod, ANY),
    # CasADi's derivative of `copysign` misses the sign of its first operand.
    "copysign": (ca.copysign, POSITIVE),
    "atan2": (ca.atan2, ANY),
    "hypot": (ca.hypot, ANY),
    "pow": (lambda a, b: a**b, POSITIVE),
}


def program_of(*expressions: Any, of: list[Any]) -> Program:
    """Vectorise SX expressions without lookups."""
    return vectorise(record_tape(of, expressions))


def check(expression: Any, symbols: list[Any], points: list[np.ndarray]) -> None:
    """Compare value and gradient of the sum with CasADi's, relative to the largest."""
    tensors = [torch.tensor(p, requires_grad=True) for p in points]
    program = TorchProgram(program_of(ca.densify(expression), of=symbols))
    (value,) = program(*tensors)
    function = ca.Function("f", symbols, [expression])
    wanted = function(*(p.T for p in points)).full().T
    assert np.abs(value.detach().numpy() - wanted).max() <= 4e-16 * max(
        1.0, np.abs(wanted).max()
    )
    if not value.requires_grad:
        return
    slopes = ca.jtimes(expression, ca.vertcat(*symbols), ca.SX.ones(5), True)
    gradient = ca.Function("g", symbols, [slopes])(*(p.T for p in points)).full().T
    got = torch.autograd.grad(
        value.sum(), tensors, allow_unused=True, materialize_grads=True
    )
    found = torch.cat(got, dim=1).numpy()
    assert np.abs(found - gradient).max() <= 1e-14 * max(1.0, np.abs(gradient).max())


@pytest.mark.parametrize("name", UNARY)
def test_operation_of_one_vector_equals_casadi(name: str) -> None:
    form, points = UNARY[name]
    a = ca.SX.sym("a", 5)
    check(form(a), [a], [points])


@pytest.mark.parametrize("name", BINARY)
def test_operation_of_two_vectors_equals_casadi(name: str) -> None:
    form, points = BINARY[name]
    a, b = ca.SX.sym("a", 5), ca.SX.sym("b", 5)
    second = (
        FLAGS[:, ::-1].copy() if points is FLAGS and name != "if_else_zero" else OTHER
    )
    check(form(a, b), [a, b], [points, second])


@pytest.mark.parametrize("name", BINARY)
def test_a_number_may_stand_on_either_side(name: str) -> None:
    form, points = BINARY[name]
    a = ca.SX.sym("a", 5)
    check(form(a, ca.SX(1.25)), [a], [points])
    check(form(ca.SX(1.25), a), [a], [np.abs(points) + 0.5])


def test_gradient_of_a_tie_is_shared_as_in_casadi() -> None:
    a, b = ca.SX.sym("a", 5), ca.SX.sym("b", 5)
    check(ca.fmin(a, b) + 3.0 * ca.fmax(a, b), [a, b], [ANY, ANY.copy()])


def test_power_zero_of_base_zero_has_a_finite_gradient() -> None:
    a = ca.SX.sym("a", 5)
    check(a**1.5, [a], [np.zeros((3, 5))])


def test_gathers_slices_broadcasts_and_constants_land_in_place() -> None:
    a, b = ca.SX.sym("a", 5), ca.SX.sym("b", 5)
    mixed = a[[4, 0, 2, 2, 1]] * b[[1, 1, 3, 0, 2]]  # gathers
    ends = ca.vertcat(a[1:4] * b[0], 7.0, a[3])  # a run, a broadcast, a constant
    weights = ca.DM([1.0, -2.0, 0.5, 3.0, 4.0])
    check(mixed * weights + ca.sin(ends), [a, b], [ANY, OTHER])


def test_outputs_of_numbers_only_need_no_argument() -> None:
    a = ca.SX.sym("a", 2)
    program = TorchProgram(program_of(ca.SX([1.0, 2.0, 2.0]), ca.SX(0, 1), of=[a]))
    numbers, empty = program(torch.zeros(3, 2, dtype=torch.float64))
    assert numbers.tolist() == [[1.0, 2.0, 2.0]] * 3
    assert empty.shape == (3, 0)


def test_operation_without_a_torch_form_is_named() -> None:
    a = ca.SX.sym("a", 2)
    with pytest.raises(InterfaceError, match=r"`OP_ERFINV` has no torch form"):
        TorchProgram(program_of(ca.erfinv(a), of=[a]))


@pytest.mark.parametrize(
    "breakpoints", [np.linspace(-1.0, 2.0, 7), np.array([-1.0, -0.2, 0.7, 0.9, 2.0])]
)
def test_lookup_is_exact_to_its_second_derivative(breakpoints: np.ndarray) -> None:
    coefficients = RNG.normal(size=(len(breakpoints) - 1, 4))
    table = Lookup(name="t", breakpoints=breakpoints, coefficients=coefficients)
    recorder = Recorder()
    nodes = [recorder.argument(0, i) for i in range(40)]
    values = [recorder.node(LOOKUP, i) for i in nodes]
    slopes = [recorder.node(LOOKUP_SLOPE, i) for i in nodes]
    program = TorchProgram(
        vectorise(recorder.tape([values, slopes], (40,)), lookups=(table,))
    )
    points = np.concatenate([breakpoints, RNG.uniform(-2.0, 3.0, 40)])[-40:]
    points[: len(breakpoints)] = breakpoints
    x = torch.tensor(points[None], requires_grad=True)
    value, slope = program(x)
    piece = np.clip(np.searchsorted(breakpoints, points, "right") - 1, 0, None)
    piece = np.minimum(piece, len(coefficients) - 1)
    c, d = coefficients[piece], points - breakpoints[piece]
    assert value[0].tolist() == table.value(points).tolist()
    assert slope[0].tolist() == table.slope(points).tolist()
    (first,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert np.abs(first.detach().numpy()[0] - table.slope(points)).max() <= 1e-14 * (
        np.abs(table.slope(points)).max()
    )
    wanted = 2.0 * c[:, 2] + 6.0 * d * c[:, 3]
    assert np.abs(second.numpy()[0] - wanted).max() <= 1e-14 * np.abs(wanted).max()
    (other,) = torch.autograd.grad(slope.sum(), x)
    assert np.abs(other.numpy()[0] - wanted).max() <= 1e-14 * np.abs(wanted).max()
