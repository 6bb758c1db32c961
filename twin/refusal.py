"""Say why an implicit step map refused a start or a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.model import Model
from packtwin.twin.variable import Variable

__all__ = ["refusal_message", "start_message"]

Vector: TypeAlias = NDArray[np.float64]

_N_NAMED = 3


def start_message(
    model: Model, u: Vector, p: Vector, outside: Sequence[str] = ()
) -> str:
    """Return the message of a refused start.

    Args:
        model: What was started.
        u: Inputs.
        p: Parameters.
        outside: Names of the events whose limit the start violates.
    """
    interface = model.interface
    given = (
        f"inputs {_named(interface.input_names, u)} and parameters "
        f"{_named(interface.parameter_names, p)}"
    )
    if outside:
        limits = ", ".join(f"`{name}`" for name in outside)
        return (
            f"Model `{model.name}` starts outside its limits {limits} with {given}; "
            "start inside."
        )
    return (
        f"Model `{model.name}` has no consistent start for {given}; start within the "
        "model's limits and at a smaller load."
    )


def _named(names: tuple[str, ...], values: Vector) -> str:
    pairs = zip(names, values, strict=True)
    return ", ".join(f"`{name}` = {value:.6g}" for name, value in pairs) or "none"


def refusal_message(
    model: Model,
    times_s: tuple[float, float, float],
    given: tuple[Vector, Vector, Vector],
    states: Vector,
    errors: Vector,
) -> str:
    """Return the message of a refused step.

    Args:
        model: What was stepped.
        times_s: Start, length and the time reached.
        given: Inputs, their slopes and parameters.
        states: Continuous and algebraic states at the time reached.
        errors: Last error of each over its tolerance; NaN if it was not finite.
    """
    t, h, reached = times_s
    lead = f"Model `{model.name}` refused the step of {h:.9g} s from {t:.9g} s"
    kept = "The memory is kept as it was"
    if not (0.0 <= h < np.inf and np.isfinite(t)):
        return f"{lead}: expected a finite time and length >= 0. {kept}."
    bad = _not_finite(model, given)
    if bad:
        return f"{lead}: {bad} not finite. {kept}; give finite numbers."
    variables = (*model.states, *model.algebraic_states)
    wrong = np.where(np.isfinite(errors), errors, np.inf)
    worst = [int(k) for k in np.argsort(-wrong, kind="stable") if wrong[k] > 1.0]
    named = ", ".join(
        f"`{variables[k].name}` = {states[k]:.6g}{_unit(variables[k])}"
        + (f" (error {errors[k]:.3g} tolerances)" if np.isfinite(errors[k]) else "")
        for k in worst[:_N_NAMED]
    )
    if not named:
        return (
            f"{lead}: at {reached:.9g} s its outputs or indicators are not finite. "
            f"{kept}; stay within the model's limits, or stop at its events."
        )
    return (
        f"{lead}: it reached {reached:.9g} s, where no step, however short, converges; "
        f"worst of {len(variables)} states: {named}. {kept}; take a smaller load or a "
        "shorter step, or stop at the model's events."
    )


def _unit(variable: Variable) -> str:
    return "" if variable.unit == "1" else f" {variable.unit}"


def _not_finite(model: Model, given: tuple[Vector, Vector, Vector]) -> str:
    interface = model.interface
    labels = (
        [f"input `{name}`" for name in interface.input_names],
        [f"the slope of input `{name}`" for name in interface.input_names],
        [f"parameter `{name}`" for name in interface.parameter_names],
    )
    bad = [
        f"{label} = {value}"
        for names, values in zip(labels, given, strict=True)
        for label, value in zip(names, values, strict=True)
        if not np.isfinite(value)
    ]
    return f"{', '.join(bad)} {'is' if len(bad) == 1 else 'are'}" if bad else ""
