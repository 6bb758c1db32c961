"""What the C of an FMU has to know of its model beyond the variables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from packtwin.twin.c_code import CCode
from packtwin.twin.input_polynomial import (
    MAXIMUM_ROWS,
    PROJECTED_SUBSTEPS,
    projection,
)
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface, Variable

__all__ = ["model_functions", "model_sizes"]

_OF_STEPS = {"PT_INITIALIZE": "pt_initialize", "PT_STEP": "pt_step"}
_OF_EVENTS = {"PT_STEP_UNTIL": "pt_step_until"}
_OF_SAMPLES = {"PT_SAMPLE": "pt_sample", "PT_NEXT": "pt_next"}
_OF_DERIVATIVES = {
    "PT_INITIALIZE_FORWARD": "initialize_forward_call",
    "PT_INITIALIZE_REVERSE": "initialize_reverse_call",
    "PT_STEP_FORWARD": "step_forward_call",
    "PT_STEP_REVERSE": "step_reverse_call",
}
_OF_EXCHANGE = {
    f"PT_{name.upper()}{suffix.upper()}": f"exchange_{name}{suffix}_call"
    for name in ("start", "evaluate")
    for suffix in ("", "_forward", "_reverse")
}


def model_functions(
    name: str, model: Model | None, code: CCode | None
) -> dict[str, Any]:
    """Return the C functions by the core's names, and what scratch they need.

    Args:
        name: Of the model.
        model: The equations to exchange.
        code: The steps to take.
    """
    functions: dict[str, str] = {}
    sizes = []
    if code is not None:
        functions |= _OF_STEPS
        sizes.append(f"{name}_pt_space_size()")
        if code.has_derivatives:
            functions |= _OF_DERIVATIVES
        if code.has_events:
            functions |= _OF_EVENTS
        if code.has_samples:
            functions |= _OF_SAMPLES
    if model is not None:
        functions |= _OF_EXCHANGE
        sizes.append(f"sizeof({name}_exchange_space)")
    return {"functions": functions, "sizes": sizes}


def model_sizes(
    interface: Interface,
    model: Model | None,
    code: CCode | None,
    states: tuple[Variable, ...],
) -> dict[str, Any]:
    """Return numbers and vectors of the model, by the templates' names.

    Args:
        interface: Inputs, outputs and parameters.
        model: The equations to exchange.
        code: The steps to take.
        states: Those that are variables.
    """
    order = code.input_order if code else 0
    limit = code.substep_s if code else math.inf
    return {
        "has_equations": model is not None,
        "has_samples": code is not None and code.has_samples,
        "has_derivatives": code is not None and code.has_derivatives,
        "n_inputs": len(interface.inputs),
        "n_outputs": len(interface.outputs),
        "n_parameters": len(interface.parameters),
        "n_states": len(states),
        "n_derivatives": len(states) if model is not None else 0,
        "n_indicators": len(model.events) if model is not None else 0,
        "n_algebraic": len(model.algebraic_states) if model is not None else 0,
        "n_memory": code.n_memory if code else 0,
        "input_order": order,
        "substep": repr(limit if math.isfinite(limit) else -1.0),
        "projected_substeps": PROJECTED_SUBSTEPS,
        "projections": [_padded(n, order) for n in range(1, MAXIMUM_ROWS + 1)],
        "is_mean": interface.is_mean_output.tolist(),
        "is_discrete": [v.variability == "discrete" for v in interface.outputs],
        "mean_outputs": [v.name for v in interface.outputs if v.sampling == "mean"],
        "nominals": [v.nominal for v in states],
        "starts": [
            v.start
            for v in (*interface.inputs, *interface.outputs, *interface.parameters)
        ],
    }


def _padded(n_rows: int, order: int) -> list[list[float]]:
    """Return `projection` as rows of `MAXIMUM_ROWS` numbers."""
    matrix = np.zeros((order + 1, MAXIMUM_ROWS))
    matrix[:, :n_rows] = projection(n_rows, order)
    return [[float(value) for value in row] for row in matrix]
