"""Identify parameters of PyBaMM's physics from measured records.

    found = identify_cell(physics, records, ["Negative particle diffusivity factor"])

The parameters are those of `Physics.parameters`, with what `identification_entries`
adds to them. A plain name must be determined by the records alone; one with a prior is
kept near its start value where they say little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from packtwin.pybamm_models.identification_entries import (
    START_SHIFT,
    log_factor_name,
    ocp_correction_name,
)
from packtwin.pybamm_models.physics import physics_model
from packtwin.pybamm_models.physics_definition import Physics
from packtwin.pybamm_models.physics_names import name_of
from packtwin.twin.errors import ScenarioError
from packtwin.twin.identification import (
    Identification,
    Progress,
    Record,
    Settings,
    Unknown,
    identify,
)
from packtwin.twin.model import Model

__all__ = ["IdentifiedCell", "identify_cell", "pouch_unknowns", "unknown_of"]

_SHIFT = 0.005  # stoichiometry
_CORRECTION_V = 0.01
_LINEAR = {
    "start stoichiometry shift": _SHIFT,
    "OCP correction at": _CORRECTION_V,
    "log factor at": 1.0,
}
_TEXT = re.compile(r"(?P<name>.*?)(?P<mark>[=~](?P<spread>[0-9.eE+-]+))?\Z")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IdentifiedCell:
    """A model whose parameters were identified.

    Attributes:
        physics: What the model was built from.
        model: The equations; their parameters start at the published values.
        identification: The values found, and how well they are determined.
    """

    physics: Physics
    model: Model
    identification: Identification


def unknown_of(text: str) -> tuple[str, Unknown]:
    """Return PyBaMM's name and the unknown that a text asks for.

    `NAME`, `NAME=SPREAD` (how far it may plausibly be from its start) or `NAME~SPREAD`
    (the same as a prior's standard deviation). Shifts, corrections and log factors are
    linear; everything else is logarithmic, so its spread is that of the logarithm.

    Raises:
        ScenarioError: the spread is no positive number.
    """
    found = _TEXT.fullmatch(text.strip())
    name = found["name"].strip() if found else text.strip()
    spread: float | None = None
    if found and found["spread"] is not None:
        try:
            spread = float(found["spread"])
        except ValueError:
            spread = 0.0
        if not spread > 0.0:
            msg = (
                f"`{text}` has the spread `{found['spread']}`, expected a positive "
                "number, such as `Negative particle diffusivity factor~0.5`."
            )
            raise ScenarioError(msg)
    linear = next((s for part, s in _LINEAR.items() if part in name), None)
    return name, Unknown(
        name=name_of(name),
        scale="logarithmic" if linear is None else "linear",
        spread=spread if spread is not None else (linear or 1.0),
        is_prior=bool(found and (found["mark"] or "").startswith("~")),
    )


def identify_cell(
    physics: Physics,
    records: Sequence[Record],
    unknowns: Sequence[str],
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> IdentifiedCell:
    """Build the physics with `unknowns` as parameters, and identify them.

    Args:
        physics: The cell.
        records: What was measured.
        unknowns: Texts of `unknown_of`.
        settings: How to search.
        progress: Called with the iteration and the rms error in V.

    Raises:
        ScenarioError: a record or an unknown is not usable.
        ModelError: PyBaMM cannot build the model.
        TrainingError: an unknown cannot be identified.
    """
    if not unknowns:
        msg = "Nothing to identify, expected one unknown or more. Name a parameter."
        raise ScenarioError(msg)
    pairs = [unknown_of(text) for text in unknowns]
    names = tuple(name for name, _ in pairs)
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        listed = ", ".join(f"`{name}`" for name in sorted(repeated))
        msg = f"{listed} is to be identified twice, expected once. Remove one."
        raise ScenarioError(msg)
    free = replace(physics, parameters=(*physics.parameters, *names))
    model = physics_model(free)
    found = identify(model, records, [u for _, u in pairs], settings, progress)
    return IdentifiedCell(physics=free, model=model, identification=found)


def pouch_unknowns() -> tuple[str, ...]:
    """Return unknowns that suit a graphite cell of which slow discharges were measured.

    All have priors: electrode balance, open-circuit potentials, kinetics of the
    positive and diffusion in the negative electrode along the stoichiometry, and two
    factors.
    """
    balance = [
        "Negative electrode active material volume fraction~0.02",
        "Positive electrode active material volume fraction~0.02",
        *(f"{name}~{_SHIFT}" for name in START_SHIFT.values()),
    ]
    knee = (0.006, 0.012, 0.022, 0.035)
    stages = (0.05, 0.07, 0.09, 0.11, 0.13, 0.15, 0.17, 0.21, 0.26, 0.33, 0.4)
    upper_stages = (0.46, 0.5, 0.54, 0.6, 0.7)
    window = (0.42, 0.5, 0.58, 0.66, 0.74, 0.82, 0.9, 0.96)
    potentials = [
        *(f"{ocp_correction_name('Negative', s)}~0.03" for s in knee),
        *(
            f"{ocp_correction_name('Negative', s)}~0.01"
            for s in (*stages, *upper_stages)
        ),
        *(f"{ocp_correction_name('Positive', s)}~0.01" for s in window),
    ]
    stem = "Positive electrode exchange-current density"
    kinetics = [
        f"{log_factor_name(stem, s)}~0.35" for s in (0.45, 0.6, 0.75, 0.85, 0.92, 0.96)
    ]
    factors = [
        "Negative electrode exchange-current density factor~0.25",
        "Positive particle diffusivity factor~0.3",
    ]
    # Where stages of graphite transform, its diffusivity is known least.
    deviations = {0.02: 0.05, 0.06: 0.5, 0.1: 0.7, 0.15: 0.7, 0.25: 0.3, 0.5: 0.2}
    diffusion = [
        f"{log_factor_name('Negative particle diffusivity', s)}~{deviation}"
        for s, deviation in deviations.items()
    ]
    return (*balance, *potentials, *kinetics, *factors, *diffusion)
