"""A `Physics` as PyBaMM's model, parameters and mesh, with our outputs added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import pybamm

from packtwin.pybamm_models.names import OUTPUTS, Output
from packtwin.pybamm_models.particle_flux import (
    IntegratedFluxDFN,
    integrate_diffusivity,
)
from packtwin.pybamm_models.physics_definition import Physics
from packtwin.pybamm_models.physics_names import name_of
from packtwin.pybamm_models.physics_options import check_options
from packtwin.pybamm_models.physics_parameters import (
    Window,
    load_parameters,
    load_set,
    refuse_unknown,
    soc_window,
)
from packtwin.pybamm_models.physics_sodium import sodium_model
from packtwin.twin.errors import ModelError
from packtwin.twin.variable import nearest_names

__all__ = [
    "AMBIENT",
    "COOLING",
    "CURRENT",
    "INITIAL_CONCENTRATION",
    "INITIAL_TEMPERATURE",
    "MAXIMUM_CONCENTRATION",
    "PYBAMM_ERRORS",
    "Recipe",
    "mesh_arguments",
    "recipe_of",
]

CURRENT = "Current function [A]"
AMBIENT = "Ambient temperature [K]"
COOLING = "Total heat transfer coefficient [W.m-2.K-1]"
INITIAL_TEMPERATURE = "Initial temperature [K]"
INITIAL_CONCENTRATION = {
    side: f"Initial concentration in {side} electrode [mol.m-3]"
    for side in ("negative", "positive")
}
MAXIMUM_CONCENTRATION = {
    side: f"Maximum concentration in {side} electrode [mol.m-3]"
    for side in ("negative", "positive")
}

PYBAMM_ERRORS = (
    pybamm.OptionError,
    pybamm.ModelError,
    pybamm.DiscretisationError,
    pybamm.GeometryError,
    pybamm.DomainError,
    pybamm.ShapeError,
    NotImplementedError,
    AttributeError,
    LookupError,
    ValueError,
    TypeError,
)

# Lengths of domains; as parameters they need a mesh of that symbolic length.
_X_DOMAINS = ("negative electrode", "separator", "positive electrode")
_LENGTHS = {
    "Negative electrode thickness [m]": _X_DOMAINS,
    "Separator thickness [m]": _X_DOMAINS,
    "Positive electrode thickness [m]": _X_DOMAINS,
    "Negative particle radius [m]": ("negative particle",),
    "Positive particle radius [m]": ("positive particle",),
}
_HEATS = ("heat_total_W", "heat_irreversible_W", "heat_reversible_W", "heat_mixing_W")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What PyBaMM needs to build a `Physics`, and what we read from it.

    Attributes:
        model: `pybamm` model, not discretised; its variables include `outputs`.
        values: Parameter values, all of them numbers or functions.
        window: Stoichiometries at SOC 0 and 1.
        outputs: Our output names, which are also variables of `model`.
        needed: PyBaMM parameters that the equations and outputs read.
    """

    model: Any
    values: Any
    window: Window
    outputs: tuple[str, ...]
    needed: frozenset[str]


def recipe_of(physics: Physics) -> Recipe:
    """Check `physics` and prepare its model and parameters.

    Raises:
        ModelError: PyBaMM cannot build it; the message says why.
    """
    check_options(physics)
    values = load_parameters(physics)
    try:
        model = _model(physics, values)
    except PYBAMM_ERRORS as error:
        message = (
            f"PyBaMM refuses {physics.family} with options {physics.all_options}: "
            f"{error}. Change `options`."
        )
        raise ModelError(message) from error
    known = model.variables
    expressions = {
        output.name: _expression(model, output)
        for output in OUTPUTS
        if all(term in known for term in output.terms)
        and (output.name not in _HEATS or _has_heat(physics))
    }
    for name in physics.variables:
        expressions[name_of(name)] = _further_variable(model, name, physics)
    needed = {
        str(node.name)
        for node in _nodes(model, expressions)
        if isinstance(node, pybamm.Parameter | pybamm.FunctionParameter)
    }
    _refuse_missing(needed, values, physics)
    if physics.overrides:
        known_names = needed | set(load_set(physics.parameter_set).keys())
        refuse_unknown(physics, physics.overrides, known_names)
    window = soc_window(values, physics)
    x = known["Average negative particle stoichiometry"]
    expressions["soc"] = (x - window.x0) / (window.x100 - window.x0)
    for name, expression in expressions.items():
        known[name] = expression
    return Recipe(
        model=model,
        values=values,
        window=window,
        outputs=tuple(expressions),
        needed=frozenset(needed),
    )


def mesh_arguments(model: Any, physics: Physics) -> dict[str, Any]:
    """Return `submesh_types` and `var_pts` of a `pybamm.Simulation`.

    Raises:
        ModelError: a length is a parameter and PyBaMM cannot mesh it correctly.
    """
    _refuse_thickness(physics)
    mesh = physics.mesh
    submeshes = dict(model.default_submesh_types)
    for side, stretch in (
        ("negative", mesh.r_n_stretch),
        ("positive", mesh.r_p_stretch),
    ):
        if stretch > 0:
            submeshes[f"{side} particle"] = pybamm.MeshGenerator(
                pybamm.Exponential1DSubMesh,
                submesh_params={"side": "right", "stretch": stretch},
            )
        radius = f"{side.capitalize()} particle radius [m]"
        if stretch > 0 and radius in physics.parameters:
            message = (
                f"`{radius}` is a parameter on a mesh graded by {stretch:g}, expected "
                "equal shells: PyBaMM cannot stretch those. Give a `mesh` without "
                "stretch or leave it out of `parameters`."
            )
            raise ModelError(message)
    for name, domains in _LENGTHS.items():
        if name in physics.parameters:
            submeshes |= dict.fromkeys(domains, pybamm.SymbolicUniform1DSubMesh)
    points = {name: getattr(mesh, name) for name in ("x_n", "x_s", "x_p", "r_n", "r_p")}
    return {
        "submesh_types": submeshes,
        "var_pts": dict(model.default_var_pts) | points,
    }


def _refuse_thickness(physics: Physics) -> None:
    """Refuse a thickness as a parameter where fields cross the layers.

    PyBaMM 26.10 joins layers of symbolic length as if all began at zero, which
    changes the fluxes between electrode and separator.
    """
    thick = [n for n in physics.parameters if n in _LENGTHS and "thickness" in n]
    if thick and physics.family != "SPM":
        message = (
            f"{', '.join(f'`{name}`' for name in thick)} cannot be a parameter of "
            f"{physics.family}: PyBaMM joins layers of symbolic length wrongly, "
            "expected the `SPM` or fixed thicknesses. Build one model per value with "
            "`overrides`."
        )
        raise ModelError(message)


def _model(physics: Physics, values: Any) -> Any:
    options: Any = physics.all_options
    if physics.chemistry == "sodium_ion":
        return sodium_model()
    if physics.is_flux_integrated:
        return IntegratedFluxDFN(
            options,
            integrate_diffusivity(values, "Negative"),
            integrate_diffusivity(values, "Positive"),
        )
    return getattr(pybamm.lithium_ion, physics.family)(options)


def _has_heat(physics: Physics) -> bool:
    """Whether heat is computed; an isothermal model reports zero otherwise."""
    wanted = physics.all_options.get("calculate heat source for isothermal models")
    return physics.is_lumped or wanted == "true"


def _expression(model: Any, output: Output) -> Any:
    terms = [model.variables[term] for term in output.terms]
    if output.is_edge_value:
        terms = [pybamm.boundary_value(term, "right") for term in terms]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _further_variable(model: Any, name: str, physics: Physics) -> Any:
    known = [str(key) for key in model.variables.keys()]  # noqa: SIM118
    if name not in known:
        message = (
            f"{physics.family} has no variable `{name}`; nearest: "
            f"{nearest_names(name, known)}."
        )
        raise ModelError(message)
    variable = model.variables[name]
    if [d for d in variable.domain if d != "current collector"]:
        message = (
            f"Variable `{name}` is a field over {', '.join(variable.domain)}, expected "
            "one number. Use its `X-averaged` form."
        )
        raise ModelError(message)
    return variable


def _refuse_missing(needed: set[str], values: Any, physics: Physics) -> None:
    """Name every parameter that the equations need and the set lacks."""
    known = set(values.keys())
    missing = sorted(needed - known - {INITIAL_TEMPERATURE})
    if not missing:
        return
    thermal = [name for name in missing if _THERMAL.search(name)]
    remedy = (
        'Its thermal data are incomplete: choose `options={"thermal": "isothermal"}` '
        "or give them in `overrides`."
        if thermal and physics.is_lumped
        else "Choose other `options` or another set."
    )
    message = (
        f"Parameter set `{physics.parameter_set}` lacks "
        f"{', '.join(f'`{name}`' for name in missing)}, which {physics.family} with "
        f"options {physics.all_options} needs. {remedy}"
    )
    raise ModelError(message)


_THERMAL = re.compile(
    r"density \[kg|heat capacity|thermal conductivity|heat transfer|Cell volume|"
    r"cooling surface|entropic|current collector thickness|Ambient temperature"
)


def _nodes(model: Any, expressions: dict[str, Any]) -> Iterator[Any]:
    stack = [*expressions.values()]
    for table in (model.rhs, model.algebraic, model.initial_conditions):
        stack += [*table.keys(), *table.values()]
    for sides in model.boundary_conditions.values():
        stack += [value for value, _ in sides.values()]
    stack += [event.expression for event in model.events]
    seen: set[int] = set()
    while stack:
        node = stack.pop()
        if not isinstance(node, pybamm.Symbol) or id(node) in seen:
            continue
        seen.add(id(node))
        stack += [*node.children, getattr(node, "scale", None)]
        stack.append(getattr(node, "reference", None))
        yield node
