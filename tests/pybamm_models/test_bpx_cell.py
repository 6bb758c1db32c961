"""BPX files become physics, and say what they support."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packtwin.pybamm_models.bpx_cell import read_bpx
from packtwin.pybamm_models.physics import Physics, physics_model, simulation_of
from packtwin.twin.errors import ModelError
from tests.pybamm_models.physics_cases import COARSE

TABLE_X = [0.0, 0.1, 0.3, 0.6, 1.0]
TABLE_V = [0.9, 0.25, 0.15, 0.1, 0.01]


def content() -> dict[str, Any]:
    """An invented cell: a table for graphite, formulas for the positive electrode."""
    electrode = {
        "Porosity": 0.3,
        "Transport efficiency": 0.16,
        "Reaction rate constant [mol.m-2.s-1]": 1e-5,
    }
    return {
        "Header": {"BPX": "1.1.0", "Title": "invented", "Model": "DFN"},
        "Parameterisation": {
            "Cell": {
                "Electrode area [m2]": 0.1,
                "External surface area [m2]": 0.005,
                "Volume [m3]": 2e-5,
                "Number of electrode pairs connected in parallel to make a cell": 1,
                "Lower voltage cut-off [V]": 2.8,
                "Upper voltage cut-off [V]": 4.1,
                "Nominal cell capacity [A.h]": 3.0,
                "Reference temperature [K]": 298.15,
                "Density [kg.m-3]": 2000.0,
                "Specific heat capacity [J.K-1.kg-1]": 900.0,
            },
            "Electrolyte": {
                "Cation transference number": 0.26,
                "Diffusivity [m2.s-1]": "8.8e-10 * exp(-x/1500)",
                "Conductivity [S.m-1]": "0.1 + 0.9*(x/1000)",
                "Conductivity activation energy [J.mol-1]": 17100.0,
            },
            "Negative electrode": electrode
            | {
                "Thickness [m]": 8e-5,
                "Conductivity [S.m-1]": 10.0,
                "Minimum stoichiometry": 0.03,
                "Maximum stoichiometry": 0.9,
                "Maximum concentration [mol.m-3]": 30000.0,
                "Particle radius [m]": 5e-6,
                "Surface area per unit volume [m-1]": 3e5,
                "Diffusivity [m2.s-1]": 3e-14,
                "OCP [V]": {"x": TABLE_X, "y": TABLE_V},
                "Entropic change coefficient [V.K-1]": -1e-4,
            },
            "Positive electrode": electrode
            | {
                "Thickness [m]": 7e-5,
                "Conductivity [S.m-1]": 1.0,
                "Minimum stoichiometry": 0.27,
                "Maximum stoichiometry": 0.95,
                "Maximum concentration [mol.m-3]": 50000.0,
                "Particle radius [m]": 4e-6,
                "Surface area per unit volume [m-1]": 4e5,
                "Diffusivity [m2.s-1]": "1e-14 * exp(-x)",
                "OCP [V]": "4.6 - 1.2*x - 0.3*exp(20*(x - 1))",
            },
            "Separator": {
                "Thickness [m]": 2e-5,
                "Porosity": 0.5,
                "Transport efficiency": 0.35,
            },
            "User-defined": {"Initial SEI thickness [m]": 5e-9, "Shelf number": 3.0},
        },
        "State": {
            "Initial conditions": {"Initial state-of-charge": 0.7},
            "Thermal environment": {"Heat transfer coefficient [W.m-2.K-1]": 12.0},
            "Degradation": {
                "LLI": 0.05,
                "LAM: Positive electrode": 0.0,
                "LAM: Negative electrode": 0.0,
            },
        },
    }


def written(folder: Path, **sections: Any) -> Path:
    path = folder / "invented_cell.json"
    path.write_text(json.dumps(content() | sections), encoding="utf-8")
    return path


def test_report_says_what_is_supported_and_what_was_not_read(tmp_path: Path) -> None:
    report = read_bpx(written(tmp_path), mesh=COARSE).report
    assert (report.title, report.version, report.family) == ("invented", "1.1.0", "DFN")
    assert report.is_thermal
    assert report.missing_thermal == ()
    assert report.has_cooling
    assert report.has_entropy
    assert report.has_activation_energy
    assert not report.has_hysteresis
    assert report.ageing == ("Initial SEI thickness [m]",)
    assert report.soc_start == pytest.approx(0.7, abs=1e-9)
    for text in ("User-defined: Shelf number", "Degradation: LLI", "SEI thickness"):
        assert any(text in entry for entry in report.not_read)
    assert any("Positive electrode has no `Entropic" in n for n in report.notes)
    assert any("Initial temperature [K] = 298.15" in n for n in report.notes)


def test_model_of_the_file_has_its_open_circuit_voltage(tmp_path: Path) -> None:
    cell = read_bpx(written(tmp_path), mesh=COARSE)
    model = physics_model(cell.physics)
    assert model.name == "dfn_invented_cell"
    assert [lookup.name for lookup in model.lookups] == ["table_0_ocp"]
    u, p = model.start_vectors()
    p[0] = 0.35
    x, z = model.initial(u, p)
    got = dict(
        zip(
            model.interface.output_names,
            np.ravel(model.outputs(0, x, z, u, p).full()),
            strict=True,
        )
    )
    negative = got["stoichiometry_negative_mean"]
    positive = got["stoichiometry_positive_mean"]
    wanted_V = 4.6 - 1.2 * positive - 0.3 * np.exp(20.0 * (positive - 1.0))
    wanted_V -= np.interp(negative, TABLE_X, TABLE_V)
    # PyBaMM adds a barrier of some microvolts near stoichiometry 0 and 1.
    assert got["ocv_V"] == pytest.approx(wanted_V, abs=1e-4)
    assert model.interface.inputs[2].start == 12.0


def test_simulation_of_the_file_solves(tmp_path: Path) -> None:
    case = read_bpx(written(tmp_path), family="SPMe", mesh=COARSE).physics
    solution = simulation_of(case, 3.0, {"soc_start": 0.8}).solve([0.0, 100.0])
    soc = solution["soc"].entries
    assert soc[0] == pytest.approx(0.8, abs=1e-9)
    assert soc[-1] < 0.8


def test_file_without_thermal_data_is_isothermal(tmp_path: Path) -> None:
    parameters = content()["Parameterisation"]
    del parameters["Cell"]["Density [kg.m-3]"]
    cell = read_bpx(written(tmp_path, Parameterisation=parameters), mesh=COARSE)
    assert not cell.report.is_thermal
    assert cell.report.missing_thermal == ("Density [kg.m-3]",)
    assert "heat_total_W" not in physics_model(cell.physics).interface.output_names


def test_hysteresis_is_reported_as_not_read(tmp_path: Path) -> None:
    parameters = content()["Parameterisation"]
    parameters["Positive electrode"] |= {
        "OCP (delithiation) [V]": "4.65 - 1.2*x - 0.3*exp(20*(x - 1))",
        "OCP (lithiation) [V]": "4.55 - 1.2*x - 0.3*exp(20*(x - 1))",
    }
    report = read_bpx(written(tmp_path, Parameterisation=parameters)).report
    assert report.has_hysteresis
    assert any("(lithiation)" in entry for entry in report.not_read)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", r"cannot be read: Expecting property name"),
        ("{}", r"cannot become a cell: .*Header"),
        (
            json.dumps(
                content() | {"Header": {"BPX": "1.1.0", "Title": "x", "Model": "2D"}}
            ),
            r"cannot become a cell: .*Model",
        ),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=reason):
        read_bpx(path)


def test_missing_file_and_wrong_ending_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.json` cannot be read"):
        read_bpx(tmp_path / "nowhere.json")
    with pytest.raises(ModelError, match=r"must end in `.json`"):
        read_bpx(tmp_path / "cell.yaml")


def test_non_physical_file_is_refused(tmp_path: Path) -> None:
    parameters = content()["Parameterisation"]
    parameters["Negative electrode"]["Diffusivity [m2.s-1]"] = -3e-14
    path = written(tmp_path, Parameterisation=parameters)
    with pytest.raises(ModelError, match=r"Negative particle diffusivity .* -3e-14"):
        physics_model(Physics(family="DFN", parameter_set=str(path)))
