from __future__ import annotations

import numpy as np
import torch

from packtwin.cosim.differentiable_run import DifferentiableRun
from packtwin.twin.torch_run import follow_run
from tests.cosim.coupled_lumps import OUTPUTS, PARAMETERS, coupled


def lumps(**options) -> DifferentiableRun:
    given = {
        "parameters": PARAMETERS,
        "outputs": OUTPUTS,
        "stop_s": 3.0,
        "step_s": 0.5,
    }
    return DifferentiableRun(coupled(), **given | options)


def test_gradcheck_of_torch_agrees() -> None:
    run = lumps(stop_s=1.5)
    scale = torch.tensor(run.start)
    parameters = torch.ones(len(run.start), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p: follow_run(run, p * scale), (parameters,), rtol=1e-5, atol=1e-7
    )


def test_the_dtype_of_the_parameters_is_kept() -> None:
    run = lumps()
    parameters = torch.tensor(run.start, dtype=torch.float32, requires_grad=True)
    values = follow_run(run, parameters)
    values.sum().backward()
    assert values.dtype == torch.float32
    assert parameters.grad.dtype == torch.float32


def test_two_parameters_are_found_again_from_a_trace() -> None:
    run = lumps(
        parameters=["cell.resistance_Ohm", "cooler.conductance_W_per_K"],
        outputs=["cell.temperature_K"],
        stop_s=8.0,
        step_s=1.0,
    )
    truth = np.array([0.08, 2.5])
    trace = torch.tensor(run.values(truth))
    logs = torch.log(torch.tensor(run.start)).requires_grad_()
    descent = torch.optim.LBFGS(
        [logs],
        max_iter=60,
        line_search_fn="strong_wolfe",
        tolerance_change=0.0,
        tolerance_grad=0.0,
    )

    def loss() -> torch.Tensor:
        descent.zero_grad()
        error = ((follow_run(run, torch.exp(logs)) - trace) ** 2).mean()
        error.backward()
        return error

    descent.step(loss)
    np.testing.assert_allclose(torch.exp(logs).detach().numpy(), truth, rtol=1e-4)
