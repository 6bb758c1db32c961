"""What packtwin ships and knows by name: scenarios, cells, vehicles, cycles, spec."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias

from packtwin.pybamm_models.cells import CELLS
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["Kind", "find_path", "is_path", "known_names", "library_folder"]

Kind: TypeAlias = Literal["scenario", "cell", "vehicle", "cycle", "surrogate"]

# Prefix and suffix of a shipped file; the name is what lies between.
_FILES: dict[Kind, tuple[str, str]] = {
    "scenario": ("", ".toml"),
    "vehicle": ("vehicle_", ".toml"),
    "cycle": ("cycle_", ".csv"),
    "surrogate": ("", ".npz"),
}


def library_folder() -> Path:
    """Return the folder of the shipped files."""
    with resources.as_file(resources.files("packtwin.scenarios.library")) as folder:
        return folder


def known_names(kind: Kind) -> tuple[str, ...]:
    """Return the names of one kind, sorted."""
    if kind == "cell":
        return tuple(sorted(CELLS))
    prefix, suffix = _FILES[kind]
    names = (
        path.name.removeprefix(prefix).removesuffix(suffix)
        for path in library_folder().glob(f"{prefix}*{suffix}")
        if kind != "scenario" or not path.name.startswith(("vehicle_", "measured_"))
    )
    return tuple(sorted(names))


def is_path(kind: Kind, text: str) -> bool:
    """Whether `text` is meant as a path and not as a shipped name."""
    return "/" in text or text.endswith(_FILES[kind][1])


def find_path(kind: Kind, text: str, *, where: str = "", folder: Path = Path()) -> Path:
    """Return the file of a shipped name or a path.

    Args:
        kind: What is looked for.
        text: A shipped name, or a path: anything with a slash or the file suffix.
        where: Starts an error message, such as a file and key.
        folder: What a relative path is relative to.

    Raises:
        ScenarioError: No such name or file; the known names are listed.
    """
    prefix, suffix = _FILES[kind]
    if is_path(kind, text):
        path = folder / Path(text).expanduser()
        if path.is_file():
            return path.resolve()
        msg = (
            f"{where or kind.capitalize()} names the file `{text}`, but there is no "
            f"`{path.resolve()}`; correct the path or use a shipped name: "
            f"{_listed(known_names(kind))}."
        )
        raise ScenarioError(msg)
    path = library_folder() / f"{prefix}{text}{suffix}"
    if text in known_names(kind) and path.is_file():
        return path
    msg = unknown_name(kind, text, where=where)
    raise ScenarioError(msg)


def unknown_name(kind: Kind, text: str, *, where: str = "") -> str:
    """Return the sentence for a name that is not shipped."""
    known = known_names(kind)
    start = f"{where}: unknown {kind}" if where else f"Unknown {kind}"
    near = f"; nearest: {nearest_names(text, known)}" if known else ""
    path = f", or give the path of a {_FILES[kind][1]} file" if kind in _FILES else ""
    return f"{start} `{text}`{near}; known are {_listed(known)}{path}."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
