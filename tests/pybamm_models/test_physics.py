"""The equations of a physics model are PyBaMM's own, scalar by scalar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pybamm
import pytest

from packtwin.pybamm_models.physics import Physics, physics_model, simulation_of
from packtwin.pybamm_models.physics_states import Field, fields_of
from packtwin.twin.errors import ModelError
from packtwin.twin.model import Model
from tests.pybamm_models.physics_cases import AGEING, flat, physics

TOLERANCE = 1e-12
ISOTHERMAL = {"thermal": "isothermal"}


def name_of_case(case: Physics) -> str:
    options = "-".join(str(v) for v in case.options.values()).replace(" ", "_")
    flux = "-flux" if case.is_flux_integrated else ""
    return f"{case.family}-{case.parameter_set}{flux}-{options}"


QUICK = [
    physics("SPM", "Chen2020"),
    physics("SPMe", "Ai2020"),
    physics("SPMe", "Prada2013", options=ISOTHERMAL),
    physics("DFN", "OKane2022", options=AGEING),
    physics("DFN", "ORegan2022", is_flux_integrated=True),
    physics("DFN", "Marquis2019", options=ISOTHERMAL),
    physics("DFN", "Chayambuka2022", chemistry="sodium_ion"),
]
SETS = [
    physics(family, name, options=ISOTHERMAL if name == "Prada2013" else {})
    for family in ("SPM", "SPMe", "DFN")
    for name in (
        "ORegan2022",
        "Chen2020",
        "Marquis2019",
        "Ecker2015",
        "OKane2022",
        "Prada2013",
        "Ai2020",
        "Mohtat2020",
        "NCA_Kim2011",
    )
]
OPTIONS = [
    physics(family, "OKane2022", options=options)
    for family in ("SPM", "SPMe", "DFN")
    for options in (
        AGEING,
        {"SEI": "reaction limited"},
        {"SEI": "ec reaction limited", "SEI film resistance": "distributed"},
        {"SEI": "interstitial-diffusion limited"},
        {"lithium plating": "reversible"},
        {"lithium plating": "irreversible", "lithium plating porosity change": "true"},
        {"particle mechanics": ("swelling and cracking", "swelling only")},
        {"loss of active material": ("stress-driven", "none")},
        {"surface form": "algebraic"},
        {"surface form": "differential"},
        {"particle": "quadratic profile"},
        {"heat of mixing": "true"},
        {"voltage as a state": "true"},
        {
            "thermal": "isothermal",
            "calculate heat source for isothermal models": "true",
        },
    )
]


class Reference:
    """PyBaMM's own evaluation of the same physics, translated state by state."""

    def __init__(self, case: Physics, model: Model, u: Any, p: Any) -> None:
        starts = dict(zip(model.interface.input_names, u, strict=True))
        starts |= dict(zip(model.interface.parameter_names, p, strict=True))
        starts = {name: float(value) for name, value in starts.items()}
        simulation = simulation_of(case, starts["current_A"], starts)
        self.model = simulation.built_model
        self.fields = fields_of(self.model, simulation.mesh)
        self.n = sum(field.size for field in self.fields)

    def scaled(self, physical: Any) -> Any:
        y = np.empty(self.n)
        begin = 0
        for field in self.fields:
            part = np.empty(field.size)
            part[field.order] = physical[begin : begin + field.size]
            scale, reference = self.affine(field)
            y[field.start : field.start + field.size] = (part - reference) / scale
            begin += field.size
        return y

    def ours(self, vector: Any, *, is_algebraic: bool | None = None) -> list[Any]:
        """Return PyBaMM's full-length vector field by field in our order."""
        return [
            vector[field.start : field.start + field.size][field.order]
            for field in self.fields
            if is_algebraic is None or field.is_algebraic == is_algebraic
        ]

    @staticmethod
    def affine(field: Field) -> tuple[float, float]:
        numbers = (field.symbol.scale, field.symbol.reference)
        return tuple(
            float(n.evaluate() if isinstance(n, pybamm.Symbol) else n) for n in numbers
        )  # type: ignore[return-value]

    def evaluate(self, symbol: Any, y: Any) -> Any:
        return np.ravel(symbol.evaluate(t=0.0, y=y))


def random_point(model: Model, seed: int) -> tuple[Any, Any, Any, Any]:
    """Return `x, z, u, p` around the start, every state perturbed."""
    rng = np.random.default_rng(seed)
    u, p = model.start_vectors()
    u[0] = rng.uniform(-4.0, 4.0)
    u[1] = rng.uniform(280.0, 310.0)
    p[0] = rng.uniform(0.2, 0.8)
    x, z = (flat(part) for part in model.initial(u, p))
    nominal = np.array([v.nominal for v in model.states])
    x = x * (1.0 + 0.02 * rng.standard_normal(len(x)))
    x = np.where(x == 0.0, 1e-3 * nominal * rng.uniform(size=len(x)), x)
    return x, z + 0.01 * rng.standard_normal(len(z)), u, p


def worst(got: Any, wanted: list[Any], scale: float = 0.0) -> float:
    """Return the largest difference, relative to the largest entry of its field."""
    sizes = np.cumsum([len(part) for part in wanted])[:-1]
    return max(
        float(np.abs(a - b).max() / max(np.abs(b).max(), scale, 1e-300))
        for a, b in zip(np.split(got, sizes), wanted, strict=True)
    )


def check_against_pybamm(case: Physics, seed: int = 1) -> None:
    model = physics_model(case)
    x, z, u, p = random_point(model, seed)
    reference = Reference(case, model, u, p)
    y = reference.scaled(np.concatenate([x, z]))
    built = reference.model

    rates = np.zeros(reference.n)
    rates[: len(x)] = reference.evaluate(built.concatenated_rhs, y)
    wanted = [
        part * reference.affine(field)[0]
        for part, field in zip(
            reference.ours(rates, is_algebraic=False), reference.fields, strict=False
        )
    ]
    got = flat(model.rhs(0.0, x, z, u, p))
    assert np.isfinite(got).all()
    assert worst(got, wanted) <= TOLERANCE

    if model.algebraic is not None:
        residual = np.zeros(reference.n)
        residual[len(x) :] = reference.evaluate(built.concatenated_algebraic, y)
        wanted = reference.ours(residual, is_algebraic=True)
        got = flat(model.algebraic(0.0, x, z, u, p))
        assert worst(got, wanted) <= TOLERANCE

    got = flat(model.outputs(0.0, x, z, u, p))
    wanted = [
        reference.evaluate(built.get_processed_variable(name), y)
        for name in model.interface.output_names
    ]
    assert worst(got, wanted, scale=1.0) <= TOLERANCE

    events = [
        event.expression
        for event in built.events
        if event.event_type == pybamm.EventType.TERMINATION
    ]
    assert len(events) == len(model.events) > 0
    got = flat(model.indicators(0.0, x, z, u, p))
    wanted = [reference.evaluate(expression, y) for expression in events]
    assert worst(got, wanted, scale=1.0) <= TOLERANCE

    start = reference.evaluate(built.concatenated_initial_conditions, y)
    wanted = [
        part * scale + offset
        for part, (scale, offset) in zip(
            reference.ours(start), map(reference.affine, reference.fields), strict=True
        )
    ]
    got = np.concatenate([flat(part) for part in model.initial(u, p)])
    assert worst(got, wanted) <= TOLERANCE


@pytest.mark.parametrize("case", QUICK, ids=name_of_case)
def test_equations_are_pybamms(case: Physics) -> None:
    check_against_pybamm(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", SETS + OPTIONS, ids=name_of_case)
def test_equations_of_every_set_and_option_are_pybamms(case: Physics) -> None:
    for seed in (2, 3):
        check_against_pybamm(case, seed)


def test_mass_matrix_other_than_the_identity_is_refused() -> None:
    simulation = simulation_of(physics("SPMe", "Chen2020"), 1.0)
    model = simulation.built_model
    entries = model.mass_matrix.entries.tolil()
    entries[3, 3] = 2.0
    model.mass_matrix = pybamm.Matrix(entries.tocsr())
    with pytest.raises(
        ModelError, match=r"not the identity on X-averaged negative particle concentr"
    ):
        fields_of(model, simulation.mesh)
