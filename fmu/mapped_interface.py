"""The interface of a vendor's FMU in our terms: variables, parameters, feedthrough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from packtwin.fmu.description import mean_output_names
from packtwin.fmu.variable_map import MappedVariable, fmu_units, map_variable
from packtwin.twin.errors import FmuError
from packtwin.twin.variable import Interface, nearest_names

__all__ = ["MappedInterface", "co_simulation_identifier", "read_interface"]

_KINDS = ("Real", "Integer", "Boolean", "Enumeration")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MappedInterface:
    """What a component shows of an FMU, and how it maps to the FMU's variables.

    Attributes:
        interface: Our variables, with the chosen parameter values as starts.
        inputs: In the order of `interface.inputs`.
        outputs: In the order of `interface.outputs`.
        changed_parameters: Those whose value was chosen.
        feedthrough: Pairs (input, output); all where the model structure is silent.
    """

    interface: Interface
    inputs: tuple[MappedVariable, ...]
    outputs: tuple[MappedVariable, ...]
    changed_parameters: tuple[MappedVariable, ...]
    feedthrough: frozenset[tuple[str, str]]


def read_interface(
    description: Any,
    path: Path,
    *,
    parameters: Mapping[str, float],
    names: Mapping[str, str],
) -> MappedInterface:
    """Map the inputs, outputs and parameters of an FMU; strings are left out.

    Args:
        description: fmpy's model description.
        path: The FMU file.
        parameters: Chosen parameter values, by our names and in our units.
        names: Our names for some of the FMU's variables.
    """
    units, means = fmu_units(description), mean_output_names(path)
    scalars = [v for v in description.modelVariables if v.type in _KINDS]
    _check_names(names, [v.name for v in scalars], path)
    groups: dict[str, list[MappedVariable]] = {"input": [], "output": []}
    groups["parameter"] = []
    for scalar in scalars:
        if scalar.causality in groups:
            mapped = map_variable(
                scalar,
                units,
                name=names.get(scalar.name),
                sampling="mean" if scalar.name in means else "end",
            )
            groups[scalar.causality].append(mapped)
    inputs, outputs, settings = (tuple(group) for group in groups.values())
    _check_names(parameters, [m.variable.name for m in settings], path)
    interface = Interface(
        inputs=tuple(m.variable for m in inputs),
        outputs=tuple(m.variable for m in outputs),
        parameters=tuple(m.variable for m in settings),
    )
    return MappedInterface(
        interface=interface.with_starts(dict(parameters)),
        inputs=inputs,
        outputs=outputs,
        changed_parameters=tuple(m for m in settings if m.variable.name in parameters),
        feedthrough=_feedthrough(description, inputs, outputs),
    )


def co_simulation_identifier(description: Any, path: Path) -> str:
    """Return the model identifier; refuse what is not FMI 2.0 co-simulation."""
    version = description.fmiVersion
    if version != "2.0" or description.coSimulation is None:
        kinds = [
            kind
            for kind in ("coSimulation", "modelExchange", "scheduledExecution")
            if getattr(description, kind, None) is not None
        ]
        msg = (
            f"`{path}` is an FMU of FMI {version} for {', '.join(kinds) or 'nothing'}; "
            "expected FMI 2.0 for co-simulation. Export it so from its tool."
        )
        raise FmuError(msg)
    return str(description.coSimulation.modelIdentifier)


def _feedthrough(
    description: Any,
    inputs: tuple[MappedVariable, ...],
    outputs: tuple[MappedVariable, ...],
) -> frozenset[tuple[str, str]]:
    input_names = {m.fmu_name: m.variable.name for m in inputs}
    listed = {u.variable.name: u.dependencies for u in description.outputs}
    pairs: set[tuple[str, str]] = set()
    for output in outputs:
        dependencies = listed.get(output.fmu_name)
        if dependencies is None:
            causes = list(input_names.values())
        else:
            causes = [
                input_names[v.name] for v in dependencies if v.name in input_names
            ]
        pairs.update((cause, output.variable.name) for cause in causes)
    return frozenset(pairs)


def _check_names(given: Mapping[str, Any], known: list[str], path: Path) -> None:
    for name in given:
        if name not in known:
            msg = f"`{path}` has no `{name}`; nearest: {nearest_names(name, known)}."
            raise FmuError(msg)
