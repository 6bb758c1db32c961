"""All systems and components of an SSP with the paths that lead to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

from packtwin.cosim.ssp_file import SspFile
from packtwin.cosim.ssp_structure import SspComponent, SspSystem
from packtwin.twin.errors import WiringError

__all__ = ["Path", "Placed", "PlacedComponent", "PlacedSystem", "placed_elements"]

Path: TypeAlias = tuple[str, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedComponent:
    """A component with the path of names that leads to it."""

    path: Path
    component: SspComponent
    package: SspFile


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedSystem:
    """A system with the path of names that leads to it.

    Attributes:
        path: Empty for the root.
        system: What is there.
        package: Where its files are.
        host: The component that refers to it, if one does.
    """

    path: Path
    system: SspSystem
    package: SspFile
    host: SspComponent | None = None


Placed: TypeAlias = PlacedComponent | PlacedSystem


def placed_elements(package: SspFile) -> Iterator[Placed]:
    """Yield all systems and components of a package, systems before what is in them.

    Components that are systems elsewhere (another package, description or element) are
    yielded as those systems.
    """
    root = package.structure.system
    yield from _placed(PlacedSystem(path=(), system=root, package=package), 0)


def _placed(place: PlacedSystem, depth: int) -> Iterator[Placed]:
    yield place
    if depth > 50:
        msg = (
            f"`{'.'.join(place.path)}` contains itself; remove the circular reference."
        )
        raise WiringError(msg)
    seen: set[str] = set()
    for element in place.system.elements:
        if element.name in seen:
            where = ".".join(place.path) or place.system.name
            msg = f"`{where}` has two elements called `{element.name}`; rename one."
            raise WiringError(msg)
        seen.add(element.name)
        path, package = (*place.path, element.name), place.package
        if isinstance(element, SspSystem):
            inner = PlacedSystem(path=path, system=element, package=package)
            yield from _placed(inner, depth + 1)
        elif isinstance(element, SspComponent):
            if element.type == "application/x-fmu-sharedlibrary":
                yield PlacedComponent(path=path, component=element, package=package)
                continue
            package = package.inner_package(element)
            system = package.structure.system
            inner = PlacedSystem(
                path=path, system=system, package=package, host=element
            )
            yield from _placed(inner, depth + 1)
