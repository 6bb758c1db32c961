"""Physics residuals in torch = CasADi on random physical states, to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pybamm")

from packtwin.pybamm_models.physics import Physics, physics_model  # noqa: E402
from packtwin.scenarios.bench_physics_torch import physical_points  # noqa: E402
from packtwin.twin.model import Model  # noqa: E402
from packtwin.twin.residual import torch_residual  # noqa: E402

CHOSEN = {
    "SPMe": "Negative electrode active material volume fraction",
    "DFN": "Positive particle radius [m]",
}
CASES = [
    ("SPMe", "Chen2020"),
    ("SPMe", "ORegan2022"),
    ("SPMe", "OKane2022"),  # tables
    ("DFN", "Chen2020"),
    pytest.param("DFN", "ORegan2022", marks=pytest.mark.slow),
]
ENGINES = [
    "torch",
    pytest.param("c", marks=[pytest.mark.fmu, pytest.mark.slow]),
]
STEP_S, LIMIT = 1.0, 1e-11


@pytest.fixture(autouse=True)
def library_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep compiled programs of the tests out of the user's cache."""
    monkeypatch.setenv("PACKTWIN_CACHE", str(tmp_path))


def model_of(family: Any, parameter_set: str) -> Model:
    chosen = (CHOSEN[family],)
    return physics_model(
        Physics(family=family, parameter_set=parameter_set, parameters=chosen)
    )


def wanted_gradients(model: Model, scale: np.ndarray, points: Any, seed: Any) -> Any:
    """Return CasADi's gradients of `seed . residual` in x1, z1, u1 and p."""
    symbols = [ca.MX.sym(f"s{k}", model.rhs.numel_in(k)) for k in range(5)]
    n_x = len(model.states)
    rows = symbols[1] - STEP_S * model.rhs(*symbols)  # x0 adds no slope
    if model.algebraic is not None:
        rows = ca.vertcat(rows, model.algebraic(*symbols))
    weight = ca.MX.sym("weight", rows.numel())
    gradient = ca.jtimes(rows / scale, ca.vertcat(*symbols[1:]), weight, True)
    function = ca.Function("gradient", [*symbols, weight], [gradient])
    columns = [a.T for a in (points.x1, points.z1, points.u1, points.p)]
    found = function(0.0, *columns, seed.T).full().T
    sizes = np.cumsum([n_x, *(a.shape[1] for a in (points.z1, points.u1))])
    return np.split(found, sizes, axis=1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("family", "parameter_set"), CASES)
def test_residual_and_gradients_equal_casadi(
    family: str, parameter_set: str, engine: Any
) -> None:
    """Rows are relative to the largest of their sample, gradients to their argument."""
    model = model_of(family, parameter_set)
    physics = torch_residual(model, engine=engine)
    points = physical_points(model, 12)
    want = points.wanted_residual(model, physics.scale, STEP_S)
    assert np.isfinite(want).all()
    tensors = points.tensors(requires_grad=True)
    got = physics.residual(*tensors, h_s=STEP_S)
    error = np.abs(got.detach().numpy() - want).max(axis=1)
    assert (error / np.maximum(1.0, np.abs(want).max(axis=1))).max() <= LIMIT
    seed = np.random.default_rng(1).standard_normal(want.shape)
    found = torch.autograd.grad(
        got, tensors[1:], torch.tensor(seed), materialize_grads=True
    )
    wanted = wanted_gradients(model, physics.scale, points, seed)
    for mine, gradient in zip(found, wanted, strict=True):
        assert np.isfinite(gradient).all()
        largest = np.abs(gradient).max(axis=0, initial=1e-300)
        error = np.abs(mine.numpy() - gradient).max(axis=0, initial=0.0)
        assert (error / largest).max(initial=0.0) <= LIMIT


@pytest.mark.parametrize("family", ["SPMe", "DFN"])
def test_chosen_parameter_has_a_gradient(family: str) -> None:
    model = model_of(family, "Chen2020")
    physics = torch_residual(model, engine="torch")
    tensors = physical_points(model, 4).tensors(requires_grad=True)
    physics.residual(*tensors, h_s=STEP_S).square().sum().backward()
    assert (tensors[4].grad[:, -1].abs() > 0.0).all()
    assert (tensors[4].grad[:, :2] == 0.0).all()  # start values are no dynamics
