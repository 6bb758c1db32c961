"""Factors, shifts and splines change a parameter set only by their values."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pybamm")

import casadi as ca

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.identification_entries import (
    START_SHIFT,
    log_factor_name,
    ocp_correction_name,
)
from packtwin.pybamm_models.physics import Physics, physics_model
from packtwin.pybamm_models.physics_names import name_of
from packtwin.twin.errors import ModelError
from packtwin.twin.model import Model

COARSE = Mesh(x_n=4, x_s=3, x_p=4, r_n=5, r_p=5)
KINETICS = "Positive electrode exchange-current density"


def build(*names: str) -> Model:
    return physics_model(
        Physics(
            family="SPMe",
            parameter_set="Chen2020",
            options={"thermal": "isothermal"},
            mesh=COARSE,
            parameters=names,
        )
    )


def start_outputs(model: Model, current_A: float, **changes: float) -> dict[str, float]:
    u = np.array([current_A, 298.15])
    p = np.array(
        [changes.get(v.name, v.start) for v in model.interface.parameters], float
    )
    x, _ = model.initial(u, p)
    y = model.outputs(0.0, x, ca.DM(0, 1), u, p).full().ravel()
    return dict(zip(model.interface.output_names, y.tolist(), strict=True))


def test_a_straight_correction_moves_the_voltage_by_its_value() -> None:
    names = [ocp_correction_name("Positive", s) for s in (0.3, 0.6, 0.9)]
    model = build(*names)
    before = start_outputs(model, 0.0)
    after = start_outputs(model, 0.0, **dict.fromkeys(map(name_of, names), 0.01))
    assert after["voltage_V"] - before["voltage_V"] == pytest.approx(0.01, abs=1e-12)
    negative = [ocp_correction_name("Negative", s) for s in (0.1, 0.9)]
    model = build(*negative)
    after = start_outputs(model, 0.0, **dict.fromkeys(map(name_of, negative), 0.01))
    assert after["voltage_V"] - before["voltage_V"] == pytest.approx(-0.01, abs=1e-12)


def test_without_a_value_nothing_changes() -> None:
    names = (
        f"{KINETICS} factor",
        ocp_correction_name("Negative", 0.2),
        ocp_correction_name("Negative", 0.8),
        *START_SHIFT.values(),
    )
    assert start_outputs(build(*names), 5.0)["voltage_V"] == pytest.approx(
        start_outputs(build(), 5.0)["voltage_V"], abs=1e-13
    )


def test_a_level_log_factor_is_a_factor() -> None:
    nodes = [log_factor_name(KINETICS, s) for s in (0.3, 0.6, 0.9)]
    split = start_outputs(
        build(*nodes), 5.0, **dict.fromkeys(map(name_of, nodes), np.log(2.0))
    )
    whole = f"{KINETICS} factor"
    scaled = start_outputs(build(whole), 5.0, **{name_of(whole): 2.0})
    assert split["voltage_V"] == pytest.approx(scaled["voltage_V"], abs=1e-13)
    assert scaled["voltage_V"] > start_outputs(build(), 5.0)["voltage_V"] + 1e-4


@pytest.mark.parametrize("side", ["negative", "positive"])
def test_a_shift_is_the_difference_of_the_start_stoichiometry(side: str) -> None:
    name = START_SHIFT[side]
    model = build(name)
    output = f"stoichiometry_{side}_mean"
    moved = start_outputs(model, 0.0, **{name_of(name): 0.01})[output]
    assert moved - start_outputs(model, 0.0)[output] == pytest.approx(0.01, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Negative particle diffusivity factor", "`Negative particle diffusivity ["),
        ("Negative particle difusivity factor", "nearest: "),
        (ocp_correction_name("Positive", 0.5), "expected two or more different ones"),
        ("Positive electrode OCP correction at stoichiometry 0.5", "is not in"),
    ],
)
def test_what_cannot_be_corrected_is_refused(name: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(name)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
