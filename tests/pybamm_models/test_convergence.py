"""Two meshes compared by the compiled step map. Needs a C compiler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.pybamm_models.cells import Cell, Mesh
from packtwin.pybamm_models.convergence import (
    Curve,
    Recording,
    compare,
    difference,
    record,
)
from packtwin.pybamm_models.convergence_loads import CHARGES, LOADS, Load, charge
from packtwin.pybamm_models.convergence_subject import find_subject, subject_of_cell
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.simulation import solve_with_pybamm
from packtwin.pybamm_models.verdicts import Limits
from packtwin.twin.errors import ModelError

ONE_C = charge(1.0, 298.15)
SECONDS = 60
LIMITS = Limits(voltage_V=1e-3, plating_potential_V=2e-3, end_time_fraction=0.01)


def made_load(knee_fraction: float = 0.0) -> Load:
    return Load(
        name="made",
        temperature_K=298.15,
        start_soc=0.5,
        time_s=(0.0, float(SECONDS)),
        c_rate=(1.0, 1.0),
        knee_fraction=knee_fraction,
    )


def recording(
    voltage_V: list[float], plating_V: list[float], end_s: float
) -> Recording:
    curve = Curve(
        voltage_V=np.array(voltage_V),
        plating_potential_V=np.array(plating_V),
        end_time_s=end_s,
    )
    return Recording(n_state=1, n_algebraic=0, curves=(curve,))


def test_difference_counts_in_limits_and_is_zero_beyond_the_common_time() -> None:
    coarse = recording([4.0] * 40, [0.010] * 40, 40.0)
    fine = recording([3.998] * 30, [0.012] * 30, 30.0)
    found = difference(coarse, fine, LIMITS, [made_load()])
    n = SECONDS + 1
    assert len(found) == 2 * n + 1
    np.testing.assert_allclose(found[:30], 2.0, rtol=1e-12)
    np.testing.assert_allclose(found[n : n + 30], -1.0, rtol=1e-12)
    assert np.all(found[30:n] == 0.0)
    assert found[-1] == pytest.approx((40.0 / 30.0 - 1.0) / 0.01, rel=1e-12)


def test_differences_of_the_same_loads_add() -> None:
    a, b, c = (
        recording([4.0 + k] * 20, [0.01 * k] * 20, 20.0) for k in (0.0, 0.25, 0.5)
    )
    loads = [made_load()]
    total = difference(a, b, LIMITS, loads) + difference(b, c, LIMITS, loads)
    np.testing.assert_allclose(total, difference(a, c, LIMITS, loads), atol=1e-9)


def test_knee_is_judged_by_the_end_time_alone() -> None:
    knee = [4.0] * 36 + [3.0] * 4
    coarse, fine = recording(knee, [], 40.0), recording([4.0] * 40, [], 40.0)
    assert np.abs(difference(coarse, fine, LIMITS, [made_load()])).max() > 900.0
    assert not difference(coarse, fine, LIMITS, [made_load(0.15)]).any()


def test_figures_are_the_largest_and_the_root_mean_square() -> None:
    coarse = recording([4.0, 4.0, 4.003, 4.0], [0.0, 0.0, 0.0, 0.001], 60.0)
    fine = recording([4.0] * 4, [0.0] * 4, 50.0)
    (figures,) = compare(
        coarse,
        fine,
        [made_load()],
        finer_mesh=Mesh(),
        finer_is_flux_integrated=False,
    ).figures
    assert figures.voltage_max_V == pytest.approx(3e-3, rel=1e-9)
    assert figures.voltage_rms_V == pytest.approx(1.5e-3, rel=1e-9)
    assert figures.plating_potential_max_V == pytest.approx(1e-3, rel=1e-9)
    assert figures.end_time_fraction == pytest.approx(0.2, rel=1e-12)


def test_a_failed_load_is_infinitely_far_off_and_named() -> None:
    good = recording([4.0] * 4, [], 60.0)
    bad = replace(good, curves=(replace(good.curves[0], failure="no step."),))
    assert np.isinf(difference(good, bad, LIMITS, [made_load()])).all()
    with pytest.raises(ModelError, match=r"`made`.*no step\."):
        compare(
            good,
            bad,
            [made_load()],
            finer_mesh=Mesh(),
            finer_is_flux_integrated=False,
        )


def test_loads_hold_charges_a_discharge_and_pulses_both_ways() -> None:
    assert LOADS[: len(CHARGES)] == CHARGES
    assert all(max(load.c_rate) == 0.0 for load in CHARGES)
    discharge, pulses = LOADS[len(CHARGES) :]
    assert discharge.largest_c_rate == 2.0
    assert min(pulses.c_rate) < 0.0 < max(pulses.c_rate)
    assert all(t == int(t) for load in LOADS for t in load.time_s)


def test_unknown_name_error_lists_cells_and_the_nearest_set() -> None:
    with pytest.raises(ModelError, match=r"`Chen2020`.*`lg_m50_oregan2022`.*\.$"):
        find_subject("Chen202")


def test_set_without_thermal_data_is_judged_isothermal() -> None:
    subject = find_subject("Prada2013", "SPM")
    assert not subject.physics.is_lumped
    assert find_subject("Chen2020", "SPM").physics.is_lumped
    assert subject.nominal_capacity_Ah == 2.3


@pytest.mark.fmu
def test_recorded_charge_is_pybamm_s(coarse: Cell) -> None:
    subject = subject_of_cell(coarse)
    (curve,) = record(subject, coarse.mesh, [ONE_C]).curves
    time_s = np.array(ONE_C.time_s)
    run = solve_with_pybamm(
        replace(coarse, stop_voltage_max_V=coarse.voltage_max_V),
        Request(
            name="charge",
            kind="charge",
            time_s=time_s,
            current_A=coarse.nominal_capacity_Ah * np.array(ONE_C.c_rate),
            start_soc=0.1,
            start_temperature_K=298.15,
            coolant_temperature_K=np.full(len(time_s), 298.15),
            heat_transfer_coefficient_W_per_m2_K=1e4,
        ),
    )
    n = min(len(run.voltage_V), len(curve.voltage_V))
    assert np.abs(run.voltage_V[:n] - curve.voltage_V[:n]).max() < 1e-4
    plating_V = run.plating_potential_V[:n] - curve.plating_potential_V[:n]
    assert np.abs(plating_V).max() < 1e-4
    assert curve.end_time_s == pytest.approx(run.end_time_s, rel=1e-4)


@pytest.mark.slow
@pytest.mark.fmu
def test_stock_flux_nears_the_integrated_one(oregan: Cell) -> None:
    """PyBaMM's harmonic mean converges to the integrated flux, slowly."""
    own = record(subject_of_cell(oregan), oregan.mesh, [ONE_C])
    stock = subject_of_cell(replace(oregan, is_flux_integrated=False))
    coarse_V, fine_V = (
        compare(
            record(
                stock, Mesh(x_n=12, x_s=6, x_p=8, r_n=r_n, r_n_stretch=1.5), [ONE_C]
            ),
            own,
            [ONE_C],
            finer_mesh=oregan.mesh,
            finer_is_flux_integrated=True,
        )
        .figures[0]
        .plating_potential_max_V
        or 0.0
        for r_n in (40, 100)
    )
    assert fine_V < 0.4 * coarse_V
    assert fine_V < 5e-3
