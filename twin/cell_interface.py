"""States and ports of the hybrid cell."""

from __future__ import annotations

from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.variable import Interface, Variable

__all__ = ["cell_interface", "cell_states"]


def cell_states(spec: SurrogateSpec) -> tuple[Variable, ...]:
    """Return the states of the cell in vector order."""
    c = spec.constants
    shells = (
        Variable(
            name=f"stoichiometry_{side}_{j + 1}",
            description=f"Lithium stoichiometry of a shell of the {side} electrode's "
            "particle, 1 innermost.",
            start=full,
        )
        for side, particle, full in (
            ("negative", c.negative_particle, c.negative_stoichiometry_full),
            ("positive", c.positive_particle, c.positive_stoichiometry_full),
        )
        for j in range(particle.n_shell)
    )
    modes = (
        Variable(
            name=f"mode_{k + 1}",
            description="C-rate seen by one mode of electrolyte and reaction front.",
        )
        for k in range(spec.n_mode)
    )
    return (
        *shells,
        *modes,
        Variable(
            name="heat_content_J",
            description="Heat stored above the reference temperature.",
            nominal=1000.0,
        ),
    )


def cell_interface() -> Interface:
    """Return the ports of the cell."""
    return Interface(
        inputs=(
            Variable(name="current_A", description="Cell current, discharge > 0."),
            Variable(
                name="coolant_temperature_K",
                description="Temperature the cell exchanges heat with.",
                start=298.15,
                minimum=200.0,
                maximum=400.0,
                nominal=300.0,
            ),
            Variable(
                name="heat_transfer_coefficient_W_per_m2K",
                description="Over the cell's cooling area.",
                start=20.0,
                minimum=0.0,
                maximum=1e4,
                nominal=100.0,
            ),
        ),
        outputs=(
            Variable(name="voltage_V", description="Terminal voltage.", start=3.7),
            Variable(
                name="ocv_V",
                description="Open-circuit voltage of the mean stoichiometries.",
                start=3.7,
            ),
            Variable(name="soc", description="State of charge, 0..1.", start=0.5),
            Variable(
                name="temperature_K", description="Cell temperature.", start=298.15
            ),
            Variable(
                name="plating_potential_V",
                description="Negative electrode potential at the separator; lithium "
                "plating is possible below 0.",
            ),
            Variable(
                name="heat_generation_W",
                description="Irreversible plus reversible heat.",
                sampling="mean",
            ),
            Variable(
                name="heat_reversible_W",
                description="Entropic heat, > 0 warms.",
                sampling="mean",
            ),
            Variable(
                name="heat_mixing_W",
                description="Heat of mixing: irreversible heat less I (OCV - V).",
                sampling="mean",
            ),
            Variable(
                name="heat_cell_to_coolant_W",
                description="Heat that leaves the cell.",
                sampling="mean",
            ),
            Variable(
                name="chemical_power_W",
                description="OCV I + heat of mixing + reversible heat: what chemistry "
                "gives up.",
                sampling="mean",
            ),
            Variable(
                name="electrical_power_W",
                description="V I, > 0 leaves the cell.",
                sampling="mean",
            ),
            Variable(name="stoichiometry_negative_surface"),
            Variable(name="stoichiometry_positive_surface"),
            Variable(name="stoichiometry_negative_mean"),
            Variable(name="stoichiometry_positive_mean"),
            Variable(
                name="stored_heat_J",
                description="Heat content over that at the reference temperature.",
            ),
            Variable(
                name="voltage_bound_V",
                description="95 % of all errors of the voltage are smaller.",
            ),
            Variable(
                name="plating_bound_V",
                description="95 % of all errors of the plating potential are smaller.",
            ),
            Variable(
                name="domain_distance",
                description="From the states learned from: up to 1 inside, above "
                "outside the domain of the bounds.",
            ),
        ),
        parameters=(
            Variable(
                name="start_soc",
                start=0.5,
                minimum=0.0,
                maximum=1.0,
                variability="fixed",
            ),
            Variable(
                name="start_temperature_K",
                start=298.15,
                minimum=233.15,
                maximum=353.15,
                variability="fixed",
            ),
            Variable(
                name="capacity_factor",
                description="Capacity relative to the certified cell.",
                start=1.0,
                minimum=0.5,
                maximum=1.5,
                variability="fixed",
            ),
            Variable(
                name="series_resistance_Ohm",
                description="Additional ohmic resistance of this cell.",
                start=0.0,
                minimum=0.0,
                maximum=1.0,
                variability="fixed",
            ),
        ),
    )
