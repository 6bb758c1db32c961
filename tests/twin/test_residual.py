"""Residuals have closed forms on small models; every engine has their derivatives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import casadi as ca
import numpy as np
import pytest

from packtwin.twin.errors import CompilerError, InterfaceError
from packtwin.twin.lookup import Lookup
from packtwin.twin.model import Model
from tests.twin.implicit_models import circuit, make_model

torch = pytest.importorskip("torch")

from packtwin.twin import residual as residual_module  # noqa: E402
from packtwin.twin.residual import TorchResidual, torch_residual  # noqa: E402

ENGINES = ["torch", pytest.param("c", marks=pytest.mark.fmu)]
TABLE = Lookup(
    name="ocp",
    breakpoints=np.array([0.0, 0.3, 1.0]),
    coefficients=np.array([[1.0, -0.5, 0.2, 0.1], [0.9, -0.3, 0.4, -0.2]]),
)


def decay() -> Model:
    """x' = u - k x with nominal 10."""
    model = make_model(
        "decay",
        x=[1.0, 2.0],
        u=[3.0],
        p=[0.5],
        rhs=lambda t, x, z, u, p: [u[0] - p[0] * x[0], u[0] - p[0] * x[1]],
        outputs=lambda t, x, z, u, p: [x[0] + x[1]],
    )
    return replace(model, states=tuple(replace(v, nominal=10.0) for v in model.states))


def tabulated() -> Model:
    """A table of a table, so that every derivative passes through lookups."""
    call = TABLE.function()
    return make_model(
        "tabulated",
        x=[0.4, 0.6],
        z=[0.2],
        u=[1.0],
        p=[0.7],
        rhs=lambda t, x, z, u, p: [
            -p[0] * call(x[0]) * x[1],
            call(call(x[1]) * z[0]) + u[0] * x[0],
        ],
        algebraic=lambda t, x, z, u, p: [z[0] * call(x[0]) - p[0] * ca.tanh(x[1])],
        outputs=lambda t, x, z, u, p: [z[0]],
        lookups=[TABLE],
        kind=ca.MX,
    )


def samples(physics: TorchResidual, n: int = 5) -> list[Any]:
    """Return x0, x1, z1, u1, p and h that need gradients."""
    generator = torch.Generator().manual_seed(1)
    model = physics.model
    variables = (
        model.states,
        model.states,
        model.algebraic_states,
        model.interface.inputs,
        model.interface.parameters,
    )
    tensors = []
    for part in variables:
        start = torch.tensor([v.start for v in part], dtype=torch.float64)
        noise = torch.rand(n, len(part), dtype=torch.float64, generator=generator)
        tensors.append((start * (0.9 + 0.2 * noise)).requires_grad_())
    h = 0.5 + torch.rand(n, dtype=torch.float64, generator=generator)
    return [*tensors, h.requires_grad_()]


@pytest.mark.parametrize("engine", ENGINES)
def test_residual_is_scaled_implicit_euler_with_its_gradients(engine: Any) -> None:
    physics = torch_residual(decay(), engine=engine)
    x0, x1, z1, u1, p, h = samples(physics)
    got = physics.residual(x0, x1, z1, u1, p, h)
    step = h.unsqueeze(-1)
    want = (x1 - x0 - step * (u1 - p * x1)) / 10.0
    assert (got - want).abs().max() <= 1e-16
    wrt = (x0, x1, u1, p, h)
    weight = torch.linspace(1.0, 2.0, got.numel(), dtype=torch.float64).reshape_as(got)
    found = torch.autograd.grad((got * weight).sum(), wrt)
    wanted = torch.autograd.grad((want * weight).sum(), wrt)
    for a, b in zip(found, wanted, strict=True):
        assert (a - b).abs().max() <= 1e-15 * max(1.0, float(b.abs().max()))


@pytest.mark.parametrize("engine", ENGINES)
def test_rhs_and_outputs_are_the_models(engine: Any) -> None:
    model = circuit()
    physics = torch_residual(model, engine=engine)
    _, x, z, u, p, _ = samples(physics)
    arguments = [a.detach().numpy().T for a in (x, z, u, p)]
    dx, algebraic = physics.rhs(x, z, u, p)
    for got, function in (
        (dx, model.rhs),
        (algebraic, model.algebraic),
        (physics.outputs(x, z, u, p), model.outputs),
    ):
        want = function(0.0, *arguments).full().T
        assert np.abs(got.detach().numpy() - want).max() <= 4e-16


def test_algebraic_rows_are_scaled_by_what_a_nominal_moves() -> None:
    model = circuit()  # d algebraic / d z is the identity
    z = (
        replace(model.algebraic_states[0], nominal=3.0),
        replace(model.algebraic_states[1], nominal=0.2),
    )
    physics = torch_residual(replace(model, algebraic_states=z), engine="torch")
    assert physics.scale.tolist() == [1.0, 1.0, 3.0, 0.2]
    x, _, z1, u1, p, _ = samples(physics)
    rows = physics.residual(x, x, z1, u1, p, 0.0)
    _, algebraic = physics.rhs(x, z1, u1, p)
    assert (rows[:, :2] == 0.0).all()
    wanted = algebraic / torch.tensor([3.0, 0.2], dtype=torch.float64)
    assert (rows[:, 2:] - wanted).abs().max() <= 1e-15


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", [circuit, tabulated])
def test_first_and_second_derivatives_are_exact(make: Any, engine: Any) -> None:
    physics = torch_residual(make(), engine=engine)
    arguments = samples(physics, 3)
    assert torch.autograd.gradcheck(physics.residual, arguments)
    assert torch.autograd.gradgradcheck(physics.residual, arguments)


@pytest.mark.fmu
def test_c_and_torch_agree_through_lookups() -> None:
    compiled = torch_residual(tabulated(), engine="c")
    plain = torch_residual(tabulated(), engine="torch")
    arguments = samples(compiled, 50)
    values = [p.residual(*arguments) for p in (compiled, plain)]
    assert (values[0] - values[1]).abs().max() <= 1e-15
    gradients = [torch.autograd.grad(v.square().sum(), arguments) for v in values]
    for a, b in zip(*gradients, strict=True):
        assert (a - b).abs().max() <= 1e-14


@pytest.mark.parametrize("engine", ENGINES)
def test_parameter_is_identified_from_one_exact_step(engine: Any) -> None:
    """For x1 = (x0 + h u) / (1 + h k) the residual vanishes at the true k only."""
    physics = torch_residual(decay(), engine=engine)
    x0, _, z1, u1, _, h = (a.detach() for a in samples(physics, 20))
    step, true_k = h.unsqueeze(-1), 0.8
    x1 = (x0 + step * u1) / (1.0 + step * true_k)
    k = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    for _ in range(2):  # quadratic in k: Newton's method needs one iteration
        loss = physics.residual(x0, x1, z1, u1, k, h).square().sum()
        (slope,) = torch.autograd.grad(loss, k, create_graph=True)
        (curvature,) = torch.autograd.grad(slope, k)
        k = (k - slope / curvature).detach().requires_grad_()
    assert float(k.detach()) == pytest.approx(true_k, rel=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_leading_axes_broadcast(engine: Any) -> None:
    physics = torch_residual(circuit(), engine=engine)
    x0, x1, z1, u1, p, h = (a.detach() for a in samples(physics, 12))
    flat = physics.residual(x0, x1, z1, u1, p[0], h)
    boxed = [a.reshape(3, 4, *a.shape[1:]) for a in (x0, x1, z1, u1)]
    got = physics.residual(*boxed, p[0], h.reshape(3, 4))
    assert (got.reshape(12, -1) == flat).all()
    single = physics.residual(x0[2], x1[2], z1[2], u1[2], p[0], float(h[2]))
    assert single.shape == flat[2].shape
    assert (single - flat[2]).abs().max() <= 1e-15
    shared = p[0].clone().requires_grad_()
    (total,) = torch.autograd.grad(
        physics.residual(x0, x1, z1, u1, shared, h).sum(), shared
    )
    each = p[:1].expand(12, -1).clone().requires_grad_()
    (parts,) = torch.autograd.grad(
        physics.residual(x0, x1, z1, u1, each, h).sum(), each
    )
    assert (total - parts.sum(0)).abs().max() <= 1e-15


def test_torch_func_sees_through_the_torch_engine() -> None:
    physics = torch_residual(circuit(), engine="torch")
    x0, x1, z1, u1, p, h = (a.detach() for a in samples(physics, 4))

    def row(x: Any, z: Any) -> Any:
        return physics.rhs(x, z, u1[0], p[0])[0]

    slopes = torch.func.vmap(torch.func.jacrev(row))(x1, z1)
    rate = -torch.eye(2, dtype=torch.float64)[1, 1] / (50.0 * p[0, 0])
    assert slopes.shape == (4, 2, 2)
    assert (slopes[:, 0] == 0.0).all()
    assert (slopes[:, 1, 0] == 0.0).all()
    assert (slopes[:, 1, 1] - rate).abs().max() <= 1e-17
    assert x0.shape == x1.shape
    assert h.shape == (4,)


@pytest.mark.parametrize("engine", ENGINES)
def test_single_precision_stays_single(engine: Any) -> None:
    physics = torch_residual(circuit(), engine=engine)
    exact = [a.detach() for a in samples(physics)]
    rough = [a.float().requires_grad_() for a in exact]
    got = physics.residual(*rough)
    assert got.dtype == torch.float32
    assert (got - physics.residual(*exact)).abs().max() <= 3e-6
    got.sum().backward()
    assert all(a.grad.dtype == torch.float32 for a in rough)


def test_empty_batch_gives_an_empty_residual() -> None:
    physics = torch_residual(circuit(), engine="torch")
    arguments = [a.detach()[:0] for a in samples(physics)]
    assert physics.residual(*arguments).shape == (0, 4)


def test_without_a_compiler_torch_operations_do_the_work(monkeypatch: Any) -> None:
    def fail() -> None:
        msg = "No C compiler found."
        raise CompilerError(msg)

    monkeypatch.setattr(residual_module, "find_compiler", fail)
    physics = torch_residual(decay())
    x0, x1, z1, u1, p, h = samples(physics)
    want = (x1 - x0 - h.unsqueeze(-1) * (u1 - p * x1)) / 10.0
    assert (physics.residual(x0, x1, z1, u1, p, h) - want).abs().max() <= 1e-16
    with pytest.raises(CompilerError, match="No C compiler"):
        torch_residual(decay(), engine="c")


def test_explicit_time_is_refused() -> None:
    model = make_model(
        "clock",
        x=[0.0],
        rhs=lambda t, x, z, u, p: [t - x[0]],
        outputs=lambda t, x, z, u, p: [x[0]],
    )
    with pytest.raises(InterfaceError, match="`clock` depends on time explicitly"):
        torch_residual(model, engine="torch")


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (1, lambda a: a[:, :1], r"`x1` of `circuit` has shape \(5, 1\).*\(\.\.\., 2\)"),
        (4, lambda a: a[0, 0], r"`p` of `circuit` has shape \(\)"),
        (3, lambda a: a.to(torch.int64), r"`u1` of `circuit` has type torch.int64"),
        (2, lambda a: a.float(), r"`z1` of `circuit` is torch.float32 on cpu"),
        (0, lambda a: a[:4], r"do not broadcast: `x0` \(4,\), `x1` \(5,\)"),
    ],
)
def test_wrong_arguments_are_named(place: int, change: Any, words: str) -> None:
    physics = torch_residual(circuit(), engine="torch")
    arguments = [a.detach() for a in samples(physics)]
    arguments[place] = change(arguments[place])
    with pytest.raises(InterfaceError, match=words):
        physics.residual(*arguments)


@pytest.mark.fmu
def test_engine_c_refuses_other_devices() -> None:
    physics = torch_residual(circuit(), engine="c")
    arguments = [a.detach().to("meta") for a in samples(physics)]
    with pytest.raises(InterfaceError, match="`x0` of `circuit` is on meta"):
        physics.residual(*arguments)
