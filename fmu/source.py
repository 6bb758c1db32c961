"""What goes into an FMU: C source and XML files, made from one table of variables.

The value reference of a variable is its row: inputs, then outputs, then parameters.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Literal, TypeAlias, final

from packtwin.fmu.rendering import read_template, render_template
from packtwin.twin.errors import InterfaceError
from packtwin.twin.feedthrough import Dependencies
from packtwin.twin.steppable import SteppableCode
from packtwin.twin.units import UNITS
from packtwin.twin.variable import Interface, Variable

__all__ = ["FmuSource", "render_source"]

_Role: TypeAlias = Literal["input", "output", "parameter"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuSource:
    """The generated files of one FMU.

    Attributes:
        identifier: Model identifier, also the name of the library.
        token: The guid that ties description and binary together.
        c_source: One C99 translation unit.
        model_description: `modelDescription.xml`.
        build_description: `sources/buildDescription.xml`.
    """

    identifier: str
    token: str
    c_source: str
    model_description: str
    build_description: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One exported variable, as both templates need it."""

    reference: int
    name: str
    unit: str
    causality: _Role
    variability: str
    initial: str
    c_kind: str
    description: str
    start: float
    minimum: float
    maximum: float
    nominal: float
    is_bounded_below: bool
    is_bounded_above: bool


def render_source(step_map: SteppableCode, *, description: str = "") -> FmuSource:
    """Render all generated files of the FMU of a step map."""
    interface = step_map.interface
    if not interface.outputs:
        msg = f"Step map `{step_map.name}` has no outputs; an FMU needs at least one."
        raise InterfaceError(msg)
    rows = _table(step_map.interface)
    code = step_map.c_code(is_static=True)
    context: dict[str, Any] = {
        "identifier": step_map.name,
        "tool": f"packtwin {version('packtwin')}",
        "description": f"{description} {step_map.remark}".strip(),
        "variables": rows,
        "n_inputs": len(interface.inputs),
        "n_outputs": len(interface.outputs),
        "n_memory": code.n_memory,
        "input_order": code.input_order,
        "units": [UNITS[name] for name in sorted({row.unit for row in rows})],
        "mean_outputs": [v.name for v in interface.outputs if v.sampling == "mean"],
        "outputs": _structure(interface, step_map.dependencies()),
    }
    parts = [
        read_template(name) for name in ("prologue.h", "fmi2_types.h", "model.h.j2")
    ]
    parts += [
        read_template(name)
        for name in ("fmi2_instance.h", "fmi2_functions.c", "fmi2_stepping.c")
    ]
    digest = hashlib.sha256(
        "\0".join([code.source, *parts, repr([asdict(row) for row in rows])]).encode()
    ).hexdigest()
    token = "-".join(
        (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])
    )
    context["token"] = f"{{{token}}}"
    prologue, types, _, *functions = parts
    c_source = "".join(
        [
            prologue,
            code.source,
            types,
            render_template("model.h.j2", context),
            *functions,
        ]
    )
    return FmuSource(
        identifier=step_map.name,
        token=context["token"],
        c_source=c_source,
        model_description=render_template(
            "modelDescription.xml.j2", context, is_xml=True
        ),
        build_description=render_template(
            "buildDescription.xml.j2", context, is_xml=True
        ),
    )


def _table(interface: Interface) -> list[_Row]:
    groups: tuple[tuple[_Role, tuple[Variable, ...]], ...] = (
        ("input", interface.inputs),
        ("output", interface.outputs),
        ("parameter", interface.parameters),
    )
    pairs = [(role, v) for role, variables in groups for v in variables]
    return [_row(i, role, v) for i, (role, v) in enumerate(pairs)]


def _row(reference: int, role: _Role, v: Variable) -> _Row:
    if role == "parameter":
        variability = "tunable" if v.variability == "tunable" else "fixed"
        c_kind = f"PT_{variability.upper()}"
    else:
        variability = "discrete" if v.variability == "discrete" else "continuous"
        c_kind = f"PT_{role.upper()}"
    text = v.description.strip()
    if v.sampling == "mean" and role == "output":
        text = f"{text} (mean over the step)".strip()
    return _Row(
        reference=reference,
        name=v.name,
        unit=v.unit,
        causality=role,
        variability=variability,
        initial={"input": "", "output": "calculated", "parameter": "exact"}[role],
        c_kind=c_kind,
        description=text,
        start=v.start,
        minimum=v.minimum,
        maximum=v.maximum,
        nominal=v.nominal,
        is_bounded_below=math.isfinite(v.minimum),
        is_bounded_above=math.isfinite(v.maximum),
    )


def _structure(interface: Interface, known: Dependencies) -> list[dict[str, Any]]:
    """Return each output's 1-based index and dependencies."""
    n_u, n_y = len(interface.inputs), len(interface.outputs)
    rows = []
    for i in range(n_y):
        inputs = [j + 1 for j in known.on_inputs[i]]
        parameters = [n_u + n_y + j + 1 for j in known.on_parameters[i]]
        rows.append(
            {"index": n_u + i + 1, "inputs": inputs, "knowns": inputs + parameters}
        )
    return rows
