"""`Physics`: which PyBaMM model to build, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, final

from packtwin.pybamm_models.cells import Mesh

__all__ = ["Chemistry", "Family", "OptionValue", "Physics"]

Family: TypeAlias = Literal["SPM", "SPMe", "DFN"]
Chemistry: TypeAlias = Literal["lithium_ion", "sodium_ion"]
OptionValue: TypeAlias = str | tuple[str, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """What to build: model family, parameter set, options, mesh and free parameters.

    Attributes:
        family: Single particle, single particle with electrolyte, or
            Doyle-Fuller-Newman model.
        parameter_set: Name of a PyBaMM parameter set, or the path of a BPX file
            (ending in `.json`).
        options: PyBaMM's model options. Unless they say otherwise, the temperature is
            lumped and the voltage is no state; `thermal` may also be `isothermal`.
        mesh: Points per domain; PyBaMM's default if not given.
        is_flux_integrated: Use `particle_flux.IntegratedFluxDFN` (DFN only).
        parameters: PyBaMM parameter names that become parameters of the `Model`,
            named by `physics_names.name_of`; they start at the set's value.
        overrides: Other values of the set's parameters, or ones it lacks.
        variables: PyBaMM variable names that become further outputs (scalar ones).
        chemistry: `sodium_ion` builds PyBaMM's basic DFN, which has no options.
    """

    family: Family
    parameter_set: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    mesh: Mesh = field(default_factory=Mesh)
    is_flux_integrated: bool = False
    parameters: tuple[str, ...] = ()
    overrides: Mapping[str, float] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    chemistry: Chemistry = "lithium_ion"

    @property
    def all_options(self) -> dict[str, OptionValue]:
        """Options with packtwin's defaults filled in."""
        if self.chemistry == "sodium_ion":
            return dict(self.options)
        defaults: dict[str, OptionValue] = {
            "thermal": "lumped",
            "voltage as a state": "false",
            "heat of mixing": "false",
        }
        return defaults | dict(self.options)

    @property
    def is_lumped(self) -> bool:
        """Whether the cell has a temperature of its own."""
        return self.all_options.get("thermal") == "lumped"
