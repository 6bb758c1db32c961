"""What must be the same for a run that goes on from another's checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packtwin.cosim.masters import AbstractMaster
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.provenance import own_version
from packtwin.cosim.result_table import Series
from packtwin.cosim.system import System
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import Component

__all__ = ["identity_of"]


def identity_of(
    system: System,
    master: AbstractMaster,
    grid: TimeGrid,
    series: Series,
    bonds: Sequence[PowerBond],
) -> dict[str, Any]:
    """Return versions, names, units, parameters, wiring, steps and recorded series.

    Whether the loop is in C does not matter: it gives the same bits.
    """
    settings = {
        name: repr(getattr(master, name))
        for name in getattr(master, "__dataclass_fields__", {})
        if name != "is_compiled"
    }
    return {
        "packtwin": own_version(),
        "the master": [master.name, sorted(settings.items())],
        "start and step": [grid.start, grid.step],
        "the component": {c.name: _described(c) for c in system.components},
        "the order of components": list(system.component_names),
        "the connections": [str(c) for c in system.connections],
        "the delays": [c.is_delayed for c in system.connections],
        "the constant": dict(system.constants),
        "the bonds": [str(bond) for bond in bonds],
        "the recorded series": list(series.names),
    }


def _described(component: Component) -> dict[str, Any]:
    ports = component.interface
    return {
        "class": type(component).__qualname__,
        "inputs": [v.name for v in ports.inputs],
        "outputs": [[v.name, v.sampling, v.variability] for v in ports.outputs],
        "parameters": {v.name: v.start for v in ports.parameters},
    }
