"""Start values of the FMUs of a package, from its parameter sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from packtwin.cosim.ssp_graph import Hop, Place, Trace
from packtwin.cosim.ssp_placing import Path
from packtwin.cosim.ssp_values import AppliedValue, applied_values
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.start_values import Start
from packtwin.scenarios.ssp_parts import SspParts
from packtwin.scenarios.ssp_units import find_unit, line_through

__all__ = ["SspStarts"]

_TEXTS = ("String", "Binary")


@final
class SspStarts:
    """What each variable starts with, in the units of its FMU."""

    def __init__(self, parts: SspParts, ignores_unknown: bool) -> None:
        """Apply all parameter sets.

        Args:
            parts: Of the package.
            ignores_unknown: Pass over names that are nowhere.

        Raises:
            ScenarioError: A name or value is wrong.
        """
        self._parts = parts
        self._starts: dict[Path, dict[str, Start]] = {}
        self._inputs: dict[Place, list[float]] = {}
        variables, connectors = applied_values(
            parts.placed, ignores_unknown=ignores_unknown
        )
        for place, value in variables.items():
            part, needed = parts.by_path[place.path], not ignores_unknown
            if part.has(place.connector, value.where, is_needed=needed):
                self._put(place, value, ())
        for place, traces in parts.traces.items():
            for trace in traces:
                self._put_from_outside(place, trace, connectors)

    def of(self, path: Path) -> Mapping[str, Start]:
        """Return the start values of a component, but for those of its inputs."""
        return self._starts.get(path, {})

    def of_inputs(self, path: Path, component: FmuComponent) -> dict[str, float]:
        """Return the values of inputs that nothing feeds, by port and in our units."""
        values: dict[str, float] = {}
        counts: dict[str, int] = {}
        for item in component.mapped.inputs:
            at = counts.get(item.fmu_name, 0)
            counts[item.fmu_name] = at + 1
            given = self._inputs.get(Place(path, item.fmu_name))
            value = item.variable.start
            if given is not None:
                value = item.factor * given[min(at, len(given) - 1)] + item.offset
            values[f"{component.name}.{item.variable.name}"] = value
        return values

    def _put_from_outside(
        self, place: Place, trace: Trace, connectors: Mapping[Place, AppliedValue]
    ) -> None:
        """Put the outermost value of a connector on the way to a place, if any."""
        if trace.source.path in self._parts.by_path:
            return
        for i, hop in enumerate(trace.hops):
            if hop.source in connectors:
                self._put(place, connectors[hop.source], trace.hops[i:])
                return

    def _put(self, place: Place, value: AppliedValue, hops: Sequence[Hop]) -> None:
        scalar = self._parts.by_path[place.path].variable(place.connector)
        if scalar.causality == "input" and scalar.type not in _TEXTS:
            self._inputs[place] = self._numbers(place, value, hops)
            return
        start: Any
        if scalar.type == "String":
            start = list(value.elements)
        elif scalar.type == "Binary":
            start = [bytes.fromhex(text) for text in value.elements]
        else:
            start = self._numbers(place, value, hops)
        self._starts.setdefault(place.path, {})[place.connector] = start

    def _numbers(
        self, place: Place, value: AppliedValue, hops: Sequence[Hop]
    ) -> list[float]:
        part = self._parts.by_path[place.path]
        items, unit = part.items(place.connector), part.unit(place.connector)
        if not hops:
            return value.numbers(items, unit)
        first = find_unit(hops[0].package, hops[0].unit[0], hops[0].label)
        factor, offset = line_through(hops, first, unit, items)
        return [factor * v + offset for v in value.numbers(items, first)]
