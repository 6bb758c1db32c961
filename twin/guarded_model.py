"""`guarded_model`: equations that say where they are trusted."""

from __future__ import annotations

from typing import Final

import casadi as ca

from packtwin.twin.model import Model
from packtwin.twin.variable import Interface, Variable

__all__ = ["guarded_model"]

_EVENTS: Final = (
    Variable(
        name="domain_left",
        description="The guard's distance has passed 1; below 0 it is larger.",
    ),
    Variable(
        name="domain_entered",
        description="The guard's distance has come back to 1; above 0 it is smaller.",
    ),
)
# Two events, on either side of 1: where an integrator stops at one, rounding decides on
# which side of that it stands, but not on which side of 1.
_GAP: Final = 1e-6
_FARTHEST: Final = 2.0  # distance beyond which the indicator tells no difference


def guarded_model(
    name: str, model: Model, distance: ca.Function, interface: Interface
) -> Model:
    """Return a model with the flags of a `Switched` after its outputs.

    `is_in_domain` is 1 where the distance is at most 1, with events where it passes 1;
    `is_physics` is 0, since nothing else answers.

    Args:
        name: Of the new model.
        model: The fast part's equations.
        distance: `(y, u, p) -> (distance,)`.
        interface: The model's, with the two flags as last outputs.
    """
    symbols = [
        ca.MX.sym(label, model.rhs.numel_in(k)) for k, label in enumerate("txzup")
    ]
    y = model.outputs(*symbols)
    away = distance(y, *symbols[3:])
    margin = 1.0 - ca.fmin(away, _FARTHEST)
    indicators = [margin + _GAP, margin - _GAP]
    if model.indicators is not None:
        indicators.insert(0, model.indicators(*symbols))
    return Model(
        name=name,
        interface=interface,
        states=model.states,
        rhs=model.rhs,
        outputs=ca.Function(
            f"{name}_outputs", symbols, [ca.densify(ca.vertcat(y, away <= 1.0, 0.0))]
        ),
        initial=model.initial,
        relaxation=model.relaxation,
        algebraic_states=model.algebraic_states,
        algebraic=model.algebraic,
        events=(*model.events, *_EVENTS),
        indicators=ca.Function(
            f"{name}_indicators", symbols, [ca.densify(ca.vertcat(*indicators))]
        ),
        lookups=model.lookups,
    )
