"""Which parameter values an SSP gives to which variable of which component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from packtwin.cosim.ssp_common import Enumeration, Transformation, known_units
from packtwin.cosim.ssp_graph import Place
from packtwin.cosim.ssp_parameters import ParameterSet, Value
from packtwin.cosim.ssp_placing import Placed, PlacedComponent, PlacedSystem
from packtwin.cosim.ssp_structure import ParameterBinding, SspSystem
from packtwin.twin.errors import ScenarioError
from packtwin.twin.units import UNITS, Unit
from packtwin.twin.variable import nearest_names

__all__ = ["AppliedValue", "applied_values"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedValue:
    """A value on its way to a variable.

    Attributes:
        value: As written.
        units: Of the set it is from.
        enumerations: Of the set it is from.
        keeps_units: Do not convert units.
        transformation: What happens after that.
        where: Where it is from, for errors.
    """

    value: Value
    units: Mapping[str, Unit]
    enumerations: tuple[Enumeration, ...]
    keeps_units: bool
    transformation: Transformation | None
    where: str

    @property
    def elements(self) -> tuple[str, ...]:
        """The values, those of mappings of values looked up."""
        change = self.transformation
        if change is None or change.kind == "LinearTransformation":
            return self.value.elements
        return tuple(change.map_text(text, self.where) for text in self.value.elements)

    def numbers(self, items: Mapping[str, float], unit: Unit | None) -> list[float]:
        """Return the values as the target's numbers.

        Args:
            items: Numbers of the names of the target's enumeration.
            unit: Of the target; None for a number without unit.

        Raises:
            ScenarioError: A text is no number, or the quantities differ.
        """
        factor, offset = 1.0, 0.0
        source = None if self.keeps_units or unit is None else self._unit(unit)
        if source is not None and unit is not None:
            if not source.is_convertible_to(unit):
                msg = (
                    f"{self.where} is in `{source.name}`, but the variable is in "
                    f"`{unit.name}`: different quantities. Correct the unit."
                )
                raise ScenarioError(msg)
            factor = source.factor / unit.factor
            offset = (source.offset - unit.offset) / unit.factor
        numbers = [self._number(text, items) for text in self.elements]
        if (factor, offset) != (1.0, 0.0):
            numbers = [factor * number + offset for number in numbers]
        change = self.transformation
        if change is not None and change.kind == "LinearTransformation":
            numbers = [change.factor * number + change.offset for number in numbers]
        return numbers

    def _unit(self, target: Unit) -> Unit | None:
        """Return the unit of the value, None if it is that of the target."""
        given = self.value.unit
        known = self.units.get(given or "") or UNITS.get(given or "")
        if not given or known is not None or given == target.name:
            return known
        msg = (
            f"{self.where} is in `{given}`, which its set does not define, but the "
            f"variable is in `{target.name}`; nearest: "
            f"{nearest_names(given, [*self.units, *UNITS])}."
        )
        raise ScenarioError(msg)

    def _number(self, text: str, items: Mapping[str, float]) -> float:
        word = text.strip()
        if word in items:
            return items[word]
        if word in ("true", "false"):
            return float(word == "true")
        try:
            return float(word)
        except ValueError as error:
            offer = f"; nearest items: {nearest_names(word, list(items))}"
            msg = (
                f"{self.where} is `{text}`, which is no number"
                f"{offer if items else ''}; correct it."
            )
            raise ScenarioError(msg) from error


Values: TypeAlias = dict[Place, AppliedValue]


def applied_values(
    placed: Sequence[Placed], *, ignores_unknown: bool = False
) -> tuple[Values, Values]:
    """Return the values by place: of variables of components, and of connectors.

    Of several values for one variable that of the outer system counts, and of the
    bindings of one element the last.

    Args:
        placed: All systems and components, systems before what is in them.
        ignores_unknown: Pass over names that are nowhere, as the standard allows.

    Raises:
        ScenarioError: A name is nowhere, with the nearest ones.
    """
    by_path = {item.path: item for item in placed}
    variables: Values = {}
    connectors: Values = {}
    for item in sorted(placed, key=lambda p: -len(p.path)):  # the innermost first
        for name, value in _bound(item, ignores_unknown):
            found = list(_targets(item, name, by_path))
            if not found and not ignores_unknown:
                raise ScenarioError(_unknown(item, name, value.where))
            for place, is_variable in found:
                (variables if is_variable else connectors)[place] = value
    return variables, connectors


def _bound(item: Placed, ignores_unknown: bool) -> Iterator[tuple[str, AppliedValue]]:
    """Yield names and values that the bindings of an element apply, in their order."""
    if isinstance(item, PlacedComponent):
        for binding in item.component.bindings:
            yield from _of_binding(item, binding, ignores_unknown)
        return
    for binding in item.system.bindings:
        yield from _of_binding(item, binding, ignores_unknown)
    for binding in item.host.bindings if item.host else ():
        yield from _of_binding(item, binding, ignores_unknown)


def _of_binding(
    item: Placed, binding: ParameterBinding, ignores_unknown: bool
) -> Iterator[tuple[str, AppliedValue]]:
    label = ".".join(item.path) or "the system"
    where = f"the parameter binding of `{label}`"
    component = item.component if isinstance(item, PlacedComponent) else item.host
    package = item.package
    values = package.parameter_set(binding, component, where)
    mapping = package.parameter_mapping(binding, component, where)
    units = known_units(values.units)
    known = {binding.prefix + p.name: p.value for p in values.parameters}
    _check_set(values, where)

    def applied(
        name: str, keeps_units: bool = False, change: Transformation | None = None
    ) -> AppliedValue:
        return AppliedValue(
            value=known[name],
            units=units,
            enumerations=values.enumerations,
            keeps_units=keeps_units,
            transformation=change,
            where=f"`{name}` of `{values.name}`, in {where},",
        )

    if mapping is None:
        for name in known:
            yield name, applied(name)
        return
    if not ignores_unknown:
        mapping.check_sources(list(known), where)
    mapping.check_targets(where)
    for entry in mapping.entries:
        if entry.source not in known:
            continue
        value = applied(entry.source, entry.keeps_units, entry.transformation)
        yield entry.target, value


def _check_set(values: ParameterSet, where: str) -> None:
    seen: dict[str, Value] = {}
    for parameter in values.parameters:
        first = seen.setdefault(parameter.name, parameter.value)
        if first != parameter.value:
            msg = (
                f"The parameter set `{values.name}` of {where} has `{parameter.name}` "
                "twice, with different values; keep one."
            )
            raise ScenarioError(msg)


def _targets(
    item: Placed, name: str, by_path: Mapping[tuple[str, ...], Placed]
) -> Iterator[tuple[Place, bool]]:
    """Yield all places that a hierarchical name means, and if each is a variable."""
    if isinstance(item, PlacedComponent):
        yield Place(item.path, name), True
        return
    if name in {connector.name for connector in item.system.connectors}:
        yield Place(item.path, name), False
    for element in item.system.elements:
        prefix = f"{element.name}."
        inner = by_path.get((*item.path, element.name))
        if name.startswith(prefix) and inner is not None:
            yield from _targets(inner, name.removeprefix(prefix), by_path)


def _unknown(item: Placed, name: str, where: str) -> str:
    names: list[str] = []
    if isinstance(item, PlacedSystem):
        names = list(_names(item.system, ""))
    near = nearest_names(name, names) or "none"
    return (
        f"{where} is applied to `{name}`, which is no connector or element of "
        f"`{'.'.join(item.path) or 'the system'}`; nearest: {near}."
    )


def _names(system: SspSystem, prefix: str) -> Iterator[str]:
    for connector in system.connectors:
        yield prefix + connector.name
    for element in system.elements:
        stem = f"{prefix}{element.name}."
        if isinstance(element, SspSystem):
            yield from _names(element, stem)
        else:
            yield from (stem + connector.name for connector in element.connectors)
