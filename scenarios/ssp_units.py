"""Units and transformations on the connections of an SSP, as straight lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packtwin.cosim.ssp_common import known_units
from packtwin.cosim.ssp_file import SspFile
from packtwin.cosim.ssp_graph import Hop
from packtwin.twin.errors import WiringError
from packtwin.twin.units import UNITS, Unit
from packtwin.twin.variable import nearest_names

__all__ = ["find_unit", "line_between", "line_through"]


def find_unit(package: SspFile, name: str | None, where: str) -> Unit | None:
    """Return a unit by the name that a description uses.

    Raises:
        WiringError: The description does not define it and neither do we.
    """
    if not name:
        return None
    own = known_units(package.structure.units)
    found = own.get(name) or UNITS.get(name)
    if found is None:
        listed = [unit.name for unit in package.structure.units]
        if name in listed:
            return None
        msg = (
            f"`{where}` uses the unit `{name}`, which the description does not define; "
            f"nearest: {nearest_names(name, [*listed, *UNITS])}."
        )
        raise WiringError(msg)
    return found


def line_between(source: Unit, target: Unit) -> tuple[float, float]:
    """Return `(factor, offset)` of the conversion between units of one quantity."""
    factor = source.factor / target.factor
    return factor, (source.offset - target.offset) / target.factor


def line_through(
    hops: Sequence[Hop],
    source: Unit | None,
    target: Unit | None,
    codes: Mapping[str, float],
) -> tuple[float, float]:
    """Return `(factor, offset)` of all that happens on a way, on plain numbers.

    Args:
        hops: The connections.
        source: Unit where the way starts, None if unknown.
        target: Unit where it ends.
        codes: Numbers of names of enumeration items.

    Raises:
        WiringError: Two ends measure different quantities.
    """
    factor, offset, unit = 1.0, 0.0, source
    for i, hop in enumerate(hops):
        is_last = i == len(hops) - 1
        wanted = target if is_last else find_unit(hop.package, hop.unit[1], hop.label)
        if unit is not None and wanted is not None and not hop.keeps_units:
            if not unit.is_convertible_to(wanted):
                msg = (
                    f"Cannot connect {hop.label}: `{unit.name}` and `{wanted.name}` "
                    "measure different quantities; suppress the conversion or correct "
                    "a unit."
                )
                raise WiringError(msg)
            step, shift = line_between(unit, wanted)
            factor, offset = step * factor, step * offset + shift
        if hop.transformation is not None:
            step, shift = hop.transformation.as_line(codes, hop.label)
            factor, offset = step * factor, step * offset + shift
        is_changed = hop.keeps_units or hop.transformation is not None
        unit = wanted or (None if is_changed else unit)
    return factor, offset
