"""Imported FMUs on inputs that change inside a step, and model exchange in steps."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import casadi as ca
import numpy as np
import pytest

from packtwin.fmu import intermediate_update
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import CompilerError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.variable import Interface, Variable

pytestmark = pytest.mark.fmu

H = ticks(0.5)
ROWS = np.array([[0.3], [-0.2], [0.7], [1.1]])


def lag_model() -> Model:
    """dx/dt = u - x, y = x + u."""
    interface = Interface(
        inputs=(Variable(name="drive_K"),), outputs=(Variable(name="warm_K"),)
    )
    states = (Variable(name="lag_K"),)
    x, own = names_to_symbols(states, "x")
    u, given = names_to_symbols(interface.inputs, "u")
    return model_from_expressions(
        "lag",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, ca.SX.sym("p", 0)),
        rhs={"lag_K": given["drive_K"] - own["lag_K"]},
        outputs={"warm_K": own["lag_K"] + given["drive_K"]},
        initial={"lag_K": ca.SX(0.25)},
    )


@pytest.fixture(scope="module")
def lag() -> StepMap:
    step_map = integrate(
        lag_model(), "rk4", substep_s=0.01, input_order=3, symbol=ca.SX
    )
    return replace(step_map, equations=lag_model())


@pytest.fixture(scope="module")
def folder(lag: StepMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lag")
    for version in ("2.0", "3.0"):
        export_fmu(
            lag, made / f"lag{version[0]}.fmu", fmi_version=version, kinds=("cs", "me")
        )
    return made


def exact_outputs(n_step: int) -> list[float]:
    """Return y after each step on the cubic, each step anew from its start values."""
    # With u = sum u_i s^i / i!, x = sum of (-1)^k derivatives of u plus a decay.
    x, h, outputs = 0.25, 0.5, []
    values = [float(row[0]) for row in ROWS]

    def particular(s: float) -> float:
        derivatives = [
            sum(values[i] * s ** (i - k) / math.factorial(i - k) for i in range(k, 4))
            for k in range(4)
        ]
        return sum((-1) ** k * d for k, d in enumerate(derivatives))

    for _ in range(n_step):
        x = particular(h) + (x - particular(0.0)) * math.exp(-h)
        end = sum(v * h**i / math.factorial(i) for i, v in enumerate(values))
        outputs.append(x + end)
    return outputs


def outputs_of(component, rows: np.ndarray, n_step: int = 4) -> list[float]:
    component.initialize(0, rows[0])
    found = []
    for k in range(n_step):
        report = component.step(k * H, (k + 1) * H, rows)
        assert report.status is StepStatus.OK
        found.append(float(report.outputs[0]))
    component.close()
    return found


def test_intermediate_update_carries_cubics(lag: StepMap, folder: Path) -> None:
    component = FmuComponent(folder / "lag3.fmu")
    assert component.capabilities.input_order == 3
    reference = StepMapComponent(lag)
    assert reference.capabilities.input_order == 3
    found = outputs_of(component, ROWS)
    np.testing.assert_allclose(found, outputs_of(reference, ROWS), rtol=1e-12)
    np.testing.assert_allclose(found, exact_outputs(4), rtol=1e-9)


def test_input_derivatives_carry_lines(lag: StepMap, folder: Path) -> None:
    component = FmuComponent(folder / "lag2.fmu")
    assert component.capabilities.input_order == 1
    found = outputs_of(component, ROWS[:2])
    wanted = outputs_of(StepMapComponent(lag), ROWS[:2])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("version", [2, 3])
def test_held_inputs_follow_after_smooth_ones(
    lag: StepMap, folder: Path, version: int
) -> None:
    component, reference = (
        FmuComponent(folder / f"lag{version}.fmu"),
        StepMapComponent(lag),
    )
    for part in (component, reference):
        part.initialize(0, ROWS[0])
        part.step(0, H, ROWS[:2])
    ours, wanted = (p.step(H, 2 * H, ROWS[2]).outputs for p in (component, reference))
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)
    component.close()


@pytest.mark.parametrize("version", [2, 3])
def test_model_exchange_follows_cubics_within_its_tolerance(
    folder: Path, version: int
) -> None:
    component = FmuComponent(folder / f"lag{version}.fmu", kind="model-exchange")
    assert component.capabilities.input_order == 3
    np.testing.assert_allclose(outputs_of(component, ROWS), exact_outputs(4), atol=3e-7)


@pytest.mark.parametrize("version", [2, 3])
def test_model_exchange_rewinds(folder: Path, version: int) -> None:
    component = FmuComponent(folder / f"lag{version}.fmu", kind="model-exchange")
    component.initialize(0, ROWS[0])
    component.step(0, H, ROWS[0])
    saved = component.save()
    first = component.step(H, 2 * H, ROWS[1]).outputs
    component.step(2 * H, 3 * H, ROWS[2])
    component.restore(saved)
    np.testing.assert_array_equal(component.step(H, 2 * H, ROWS[1]).outputs, first)
    component.close()


def test_python_updates_inputs_as_c_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_c = outputs_of(FmuComponent(folder / "lag3.fmu"), ROWS)

    def refuse(name: str) -> int:
        msg = f"No C compiler for `{name}`; install one."
        raise CompilerError(msg)

    monkeypatch.setattr(intermediate_update, "native_function", refuse)
    assert outputs_of(FmuComponent(folder / "lag3.fmu"), ROWS) == in_c
