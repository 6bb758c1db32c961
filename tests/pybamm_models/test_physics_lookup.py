"""Tables become lookups that agree with PyBaMM inside, at and beyond their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pybamm
import pytest

from packtwin.pybamm_models.physics_lookup import (
    LookupTable,
    interpolants,
    lookup_of,
)
from packtwin.pybamm_models.physics_names import name_of
from packtwin.twin.errors import ModelError

X = np.array([0.0, 0.1, 0.15, 0.4, 0.55, 0.8, 1.0])
Y = np.array([1.3, 0.9, 0.7, 0.65, 0.3, 0.25, -0.4])
POINTS = np.concatenate([X, np.linspace(-0.3, 1.3, 101)])


def table(interpolator: str, argument: Any = None, y: Any = Y) -> Any:
    child = pybamm.StateVector(slice(0, len(POINTS))) if argument is None else argument
    return pybamm.Interpolant(X, y, child, name="OCP", interpolator=interpolator)


@pytest.mark.parametrize("interpolator", ["linear", "cubic", "pchip"])
def test_lookup_equals_pybamms_table_and_its_extrapolation(interpolator: str) -> None:
    node = table(interpolator)
    wanted = np.ravel(node.evaluate(y=POINTS))
    got = lookup_of(node, "ocp").value(POINTS)
    assert np.abs(got - wanted).max() <= 1e-12 * np.abs(wanted).max()


@pytest.mark.parametrize("interpolator", ["cubic", "pchip"])
def test_derivative_of_a_table_is_a_lookup(interpolator: str) -> None:
    node = table(interpolator)
    slope = node.diff(node.children[0])
    (found,) = interpolants([slope])
    wanted = np.ravel(found.evaluate(y=POINTS))
    got = lookup_of(found, "slope").value(POINTS)
    assert np.abs(got - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert lookup_of(node, "ocp").slope(POINTS) == pytest.approx(wanted, abs=1e-12)


def test_even_table_stays_even() -> None:
    x = np.linspace(0.0, 1.0, 21)
    node = pybamm.Interpolant(x, np.sin(x), pybamm.t, interpolator="cubic")
    assert lookup_of(node, "even").is_uniform


def test_equal_tables_share_one_lookup_and_nested_ones_come_first() -> None:
    import casadi as ca

    state = pybamm.StateVector(slice(0, 1))
    inner = table("linear", state)
    outer = table("cubic", inner)
    assert interpolants([outer + table("linear", state)])[0] == inner
    tables = LookupTable()
    x = ca.MX.sym("x")
    tables.call(inner, x)
    tables.call(table("linear", pybamm.t), x)
    assert [lookup.name for lookup in tables.lookups] == ["table_0_ocp"]
    tables.call(outer, x)
    tables.call(table("linear", state, 2.0 * Y), x)
    assert len(tables.lookups) == 3


def test_table_of_two_arguments_is_refused_with_the_reason() -> None:
    state = pybamm.StateVector(slice(0, 1))
    node = pybamm.Interpolant((X, X), np.outer(Y, Y), (state, state), name="map")
    with pytest.raises(ModelError, match=r"`map` cannot .*: it has 2 arguments"):
        lookup_of(node, "map")


def test_table_with_a_jump_is_refused() -> None:
    x = np.array([0.0, 0.5, 0.5, 1.0])
    node = pybamm.Interpolant(x, x, pybamm.t, name="step")
    with pytest.raises(ModelError, match=r"do not increase strictly"):
        lookup_of(node, "step")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Voltage [V]", "voltage_V"),
        ("X-averaged negative SEI thickness [m]",
         "x_averaged_negative_sei_thickness_m"),
        ("Discharge capacity [A.h]", "discharge_capacity_Ah"),
        ("Electrolyte conductivity [S.m-1]", "electrolyte_conductivity_S_per_m"),
        ("Total heat transfer coefficient [W.m-2.K-1]",
         "total_heat_transfer_coefficient_W_per_m2K"),
        ("Volume-averaged effective heat capacity [J.K-1.m-3]",
         "volume_averaged_effective_heat_capacity_J_per_m3K"),
        ("Loss of lithium inventory [%]", "loss_of_lithium_inventory_percent"),
        ("Positive electrode Paris' law constant m",
         "positive_electrode_paris_law_constant_m_value"),
        ("SEI growth activation energy [J.mol-1]",
         "sei_growth_activation_energy_J_per_mol"),
    ],
)  # fmt: skip
def test_name_ends_in_its_unit(theirs: str, ours: str) -> None:
    assert name_of(theirs) == ours


@pytest.mark.parametrize("unit", ["A.m-2(m3.mol)1.5", "furlong", "Molar"])
def test_unit_without_a_suffix_is_refused(unit: str) -> None:
    with pytest.raises(ModelError, match=r"has the unit"):
        name_of(f"Something odd [{unit}]")
