"""Chosen parameters, and what is refused before anything is built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.physics import physics_model, simulation_of
from packtwin.twin.errors import InterfaceError, ModelError
from packtwin.twin.model import Model
from tests.pybamm_models.physics_cases import flat, physics


def values_at(model: Model, x: Any, z: Any, p: Any) -> tuple[Any, dict[str, float]]:
    u, _ = model.start_vectors()
    u[0] = 3.0
    outputs = flat(model.outputs(0, x, z, u, p))
    names = model.interface.output_names
    return flat(model.rhs(0, x, z, u, p)), dict(zip(names, outputs, strict=True))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (
            "Negative electrode active material volume fraction",
            "negative_electrode_active_material_volume_fraction",
        ),
        (
            "Positive particle diffusivity [m2.s-1]",
            "positive_particle_diffusivity_m2_per_s",
        ),
        ("Positive particle radius [m]", "positive_particle_radius_m"),
        ("Electrode width [m]", "electrode_width_m"),
        (
            "Maximum concentration in negative electrode [mol.m-3]",
            "maximum_concentration_in_negative_electrode_mol_per_m3",
        ),
    ],
)
def test_chosen_parameter_acts_as_an_override(name: str, ours: str) -> None:
    """The same physical state has the same rates, whichever way the value came in."""
    check_chosen("DFN", name, ours)


def test_chosen_thickness_acts_as_an_override_in_the_spm() -> None:
    name = "Negative electrode thickness [m]"
    check_chosen("SPM", name, "negative_electrode_thickness_m")


def check_chosen(family: str, name: str, ours: str) -> None:
    chosen = physics_model(physics(family=family, parameters=(name,)))
    assert chosen.interface.parameter_names[-1] == ours
    start = chosen.interface.parameters[-1].start
    fixed = physics_model(physics(family=family, overrides={name: 1.1 * start}))
    u, p = fixed.start_vectors()
    x, z = (flat(part) for part in fixed.initial(u, p))
    x = x * (1.0 + 0.01 * np.sin(np.arange(len(x))))
    z = z + 0.01 * np.sin(np.arange(len(z)))
    rates, outputs = values_at(fixed, x, z, p)
    mine, mine_outputs = values_at(chosen, x, z, np.append(p, 1.1 * start))
    assert np.abs(mine - rates).max() <= 1e-10 * np.abs(rates).max()
    for output in ("voltage_V", "heat_total_W", "stoichiometry_negative_mean"):
        assert mine_outputs[output] == pytest.approx(outputs[output], rel=1e-10)
    default, _ = values_at(chosen, x, z, np.append(p, start))
    assert np.abs(default - rates).max() > 1e-6 * np.abs(rates).max()


def test_chosen_maximum_concentration_keeps_the_start_stoichiometry() -> None:
    name = "Maximum concentration in negative electrode [mol.m-3]"
    model = physics_model(physics(parameters=(name,)))
    u, p = model.start_vectors()
    i = model.interface.output_names.index("stoichiometry_negative_mean")
    found = []
    for factor in (1.0, 1.2):
        changed = p * np.array([1.0, 1.0, factor])
        x, z = model.initial(u, changed)
        found.append(flat(model.outputs(0, x, z, u, changed))[i])
    assert found[0] == pytest.approx(found[1], rel=1e-14)


def test_thermal_data_may_come_as_overrides() -> None:
    domains = ("Negative electrode", "Separator", "Positive electrode")
    collectors = ("Negative current collector", "Positive current collector")
    overrides = {
        "Cell volume [m3]": 3.4e-5,
        "Cell cooling surface area [m2]": 5e-3,
        "Total heat transfer coefficient [W.m-2.K-1]": 10.0,
    }
    for domain in (*domains, *collectors):
        overrides[f"{domain} density [kg.m-3]"] = 2000.0
        overrides[f"{domain} specific heat capacity [J.kg-1.K-1]"] = 800.0
    for domain in collectors:
        overrides[f"{domain} thickness [m]"] = 1e-5
        overrides[f"{domain} conductivity [S.m-1]"] = 4e7
    case = physics(parameter_set="Prada2013", overrides=overrides)
    model = physics_model(case)
    u, p = model.start_vectors()
    u[:3] = 0.0, 300.0, 10.0
    p[1] = 298.15
    x, z = model.initial(u, p)
    names = [v.name for v in model.states]
    rate = flat(model.rhs(0, x, z, u, p))[
        names.index("volume_averaged_cell_temperature_K")
    ]
    heat_W = 10.0 * 5e-3 * (300.0 - 298.15)
    assert rate == pytest.approx(heat_W / (2000.0 * 800.0 * 3.4e-5), rel=1e-12)


@pytest.mark.parametrize(
    ("further", "text"),
    [
        (
            {"parameter_set": "Chen2O20"},
            r"Parameter set `Chen2O20` is unknown; nearest: `Chen2020`",
        ),
        (
            {"options": {"thermals": "lumped"}},
            r"no option `thermals`; nearest: `thermal`",
        ),
        (
            {"options": {"SEI": "solvent diffusion limited"}},
            r"`SEI` is `solvent diffusion limited`.*`solvent-diffusion limited`",
        ),
        (
            {"options": {"thermal": "x-full"}},
            r"`thermal` is `x-full`, expected one of `isothermal`, `lumped`",
        ),
        (
            {"options": {"operating mode": "voltage"}},
            r"`operating mode` is `voltage`, expected one of `current`",
        ),
        (
            {"parameters": ("Negative particle difusivity [m2.s-1]",)},
            r"`Negative particle difusivity \[m2.s-1\]` is not in `Chen2020`; "
            r"nearest: `Negative particle diffusivity \[m2.s-1\]`",
        ),
        (
            {"overrides": {"Negative electrode porosty": 0.3}},
            r"`Negative electrode porosty` is not in .*`Negative electrode porosity`",
        ),
        (
            {"variables": ("Voltag [V]",)},
            r"SPMe has no variable `Voltag \[V\]`; nearest: `Voltage \[V\]`",
        ),
        (
            {"variables": ("Electrolyte concentration [mol.m-3]",)},
            r"is a field over negative electrode, separator, positive electrode",
        ),
        (
            {"overrides": {"Negative particle diffusivity [m2.s-1]": -3.3e-14}},
            r"`Negative particle diffusivity \[m2.s-1\]` is -3.3e-14, expected a "
            r"positive value",
        ),
        (
            {"overrides": {"Separator porosity": 1.2}},
            r"`Separator porosity` is 1.2, expected a fraction",
        ),
        (
            {"overrides": {"Separator porosity": float("nan")}},
            r"`Separator porosity` is overridden by nan, expected a finite number",
        ),
        (
            {"parameters": ("Positive electrode OCP [V]",)},
            r"`Positive electrode OCP \[V\]` is a function of the state",
        ),
        (
            {"parameters": ("SEI kinetic rate constant [m.s-1]",)},
            r"`SEI kinetic rate constant \[m.s-1\]` has no effect in SPMe",
        ),
        (
            {"parameters": ("Ambient temperature [K]",)},
            r"`Ambient temperature \[K\]` cannot be chosen in `parameters`",
        ),
        (
            {
                "parameters": ("Negative particle radius [m]",),
                "mesh": Mesh(r_n_stretch=3.0),
            },
            r"`Negative particle radius \[m\]` is a parameter on a mesh graded by 3",
        ),
        (
            {"parameters": ("Separator thickness [m]",)},
            r"`Separator thickness \[m\]` cannot be a parameter of SPMe",
        ),
        (
            {"parameter_set": "Prada2013"},
            r"`Prada2013` lacks .*`Cell volume \[m3\]`.*"
            r"choose `options=\{\"thermal\": \"isothermal\"\}`",
        ),
        (
            {"options": {"open-circuit potential": "current sigmoid"}},
            r"lacks `Negative electrode delithiation OCP \[V\]`",
        ),
        (
            {"is_flux_integrated": True},
            r"`is_flux_integrated` needs the family `DFN`, got `SPMe`",
        ),
        (
            {"chemistry": "sodium_ion", "parameter_set": "Chayambuka2022"},
            r"`sodium_ion` is PyBaMM's basic DFN at one temperature, got family `SPMe`",
        ),
        (
            {"overrides": {"Open-circuit voltage at 100% SOC [V]": 7.0}},
            r"open-circuit window of `Chen2020` needs stoichiometries",
        ),
    ],
)
def test_bad_input_is_refused_with_the_remedy(
    further: dict[str, Any], text: str
) -> None:
    with pytest.raises(ModelError, match=text) as caught:
        physics_model(physics(**further))
    assert str(caught.value).endswith(".")


def test_start_outside_the_window_is_refused() -> None:
    with pytest.raises(ModelError, match=r"`soc_start` starts at 1.2 1, outside"):
        simulation_of(physics(), 1.0, {"soc_start": 1.2})
    interface = physics_model(physics()).interface
    with pytest.raises(InterfaceError, match=r"outside its range \[0.0, 1.0\]"):
        interface.with_starts({"soc_start": -0.1})


def test_unknown_start_names_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"`soc` *; nearest: `soc_start`"):
        simulation_of(physics(), 1.0, {"soc": 0.5})


def test_negative_function_is_found_where_it_is_negative() -> None:
    import pybamm

    from packtwin.pybamm_models.physics_parameters import refuse_unphysical

    def diffusivity(sto: Any, T: Any) -> Any:
        return 1e-14 * (0.8 - sto)

    values = pybamm.ParameterValues("Chen2020")
    values.update({"Negative particle diffusivity [m2.s-1]": diffusivity})
    with pytest.raises(ModelError, match=r"diffusivity.* at stoichiometry `0\.9"):
        refuse_unphysical(values)
