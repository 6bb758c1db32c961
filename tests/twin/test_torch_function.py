"""A compiled function is one node of the graph with exact gradients."""

from __future__ import annotations

from typing import Any

import casadi as ca
import pytest

from packtwin.twin.compiler import find_compiler
from packtwin.twin.differentiable_program import DifferentiableProgram
from packtwin.twin.expand import expand

torch = pytest.importorskip("torch")

from packtwin.twin.torch_function import TorchFunction  # noqa: E402

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def product() -> TorchFunction:
    """a^2 sin(b) of three elements each."""
    a, b = ca.SX.sym("a", 3), ca.SX.sym("b", 3)
    expansion = expand([ca.Function("f", [a, b], [a**2 * ca.sin(b)])], (), "product")
    differentiable = DifferentiableProgram(
        expansion=expansion,
        lookups=(),
        arguments=expansion.symbols,
        blocks=([0] * 3, [0] * 3),
        expression=expansion.expressions[0],
        rows=[0] * 3,
    )
    return TorchFunction(differentiable, "product", find_compiler())


def sample() -> Any:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(7, 3, dtype=torch.float64, generator=generator).requires_grad_()


def test_graph_has_one_node_and_keeps_the_arguments_only(product: Any) -> None:
    a, b = sample(), sample()
    value = product(a, b)
    assert [
        edge[0].variable is x
        for edge, x in zip(value.grad_fn.next_functions, (a, b), strict=True)
    ] == [True, True]
    assert [
        s is x for s, x in zip(value.grad_fn.saved_tensors, (a, b), strict=True)
    ] == [True, True]


def test_only_wanted_gradients_are_made(product: Any) -> None:
    a, b = sample(), sample().detach()
    product(a, b).sum().backward()
    assert (a.grad - 2.0 * a * torch.sin(b)).abs().max() <= 1e-15
    assert b.grad is None


def test_second_gradient_does_not_count_an_argument_made_from_another(
    product: Any,
) -> None:
    """With b = a^2, the total derivative in a is counted once, in both orders."""
    a = sample()
    found, wanted = (
        two_gradients(a, function)
        for function in (product, lambda a, b: a**2 * torch.sin(b))
    )
    for got, want in zip(found, wanted, strict=True):
        assert (got - want).abs().max() <= 1e-14 * float(want.abs().max())


def two_gradients(a: Any, function: Any) -> tuple[Any, Any]:
    (first,) = torch.autograd.grad(function(a, a**2).sum(), a, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), a)
    return first.detach(), second


def test_without_gradients_no_graph_is_kept(product: Any) -> None:
    with torch.no_grad():
        assert not product(sample(), sample()).requires_grad
