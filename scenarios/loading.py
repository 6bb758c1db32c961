"""Read and write scenario files: `load_scenario`, `scenario_toml`."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from packtwin.scenarios.catalogue import find_path, is_path, known_names, unknown_name
from packtwin.scenarios.complaints import complaint
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.cooling_parameters import CoolingParameters
from packtwin.twin.cycle import load_cycle
from packtwin.twin.errors import InterfaceError, ScenarioError
from packtwin.twin.units import unit_of_name
from packtwin.twin.variable import nearest_names
from packtwin.twin.vehicle_parameters import load_vehicle

__all__ = ["load_scenario", "parse_scenario", "parse_toml", "scenario_toml"]

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\s*$")


def load_scenario(source: Path | str) -> Scenario:
    """Read a scenario by path or shipped name and check everything it refers to.

    Relative paths in the file are relative to it; in the result they are absolute.

    Raises:
        ScenarioError: One sentence that names the file, the key, what was got and what
            was expected.
    """
    path = find_path("scenario", str(source))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"Cannot read the scenario `{source}`: {error}; give a UTF-8 TOML file."
        raise ScenarioError(msg) from error
    label = str(source) if is_path("scenario", str(source)) else path.name
    return parse_scenario(text, source=label, folder=path.parent)


def parse_scenario(text: str, *, source: str, folder: Path) -> Scenario:
    """Read a scenario from TOML text.

    Args:
        text: Content of the file.
        source: What an error calls the file.
        folder: What relative paths are relative to.

    Raises:
        ScenarioError: As `load_scenario`.
    """
    table = parse_toml(text, source)
    try:
        scenario = Scenario.model_validate_json(json.dumps(table, default=str))
    except ValidationError as error:
        raise ScenarioError(complaint(source, error)) from error
    scenario = _with_absolute_paths(scenario, source, folder)
    _check_cooling(scenario, source)
    if scenario.cell.name not in known_names("cell"):
        name = scenario.cell.name
        msg = unknown_name("cell", name, where=f"`{source}`, key `cell.name`")
        raise ScenarioError(msg)
    load_vehicle(find_path("vehicle", scenario.vehicle.name))
    for cycle in (*scenario.drive.cycles, *scenario.certification.cycles):
        load_cycle(find_path("cycle", cycle))
    return scenario


def scenario_toml(scenario: Scenario) -> str:
    """Return the resolved scenario as TOML, every default written out."""
    table = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    lines = ["# Resolved by packtwin: defaults filled in, paths absolute."]
    for section, content in table.items():
        lines += _section_lines(section, content)
    return "\n".join(lines) + "\n"


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Args:
        text: The content.
        source: What an error calls the file.

    Raises:
        ScenarioError: It is no TOML; the place is named.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        where, reason = "", str(error)
        if place:
            reason = reason[: place.start()]
            line, column = place.groups()
            count = len(text.splitlines())
            where = f", line {line}, column {column}" if line else f", line {count}"
        msg = (
            f"`{source}`{where}: this is not valid TOML ({reason}); write "
            '`key = value`, texts in quotes, such as `name = "my_day"`.'
        )
        raise ScenarioError(msg) from error


def _with_absolute_paths(scenario: Scenario, source: str, folder: Path) -> Scenario:
    def at(key: str) -> str:
        return f"`{source}`, key `{key}`"

    def resolve(kind: Any, name: str, key: str) -> str:
        path = find_path(kind, name, where=at(key), folder=folder)
        return str(path) if is_path(kind, name) else name

    drive, certification = scenario.drive, scenario.certification
    cell, vehicle = scenario.cell, scenario.vehicle
    surrogate = cell.surrogate
    if surrogate and is_path("surrogate", surrogate):
        surrogate = resolve("surrogate", surrogate, "cell.surrogate")
    return scenario.model_copy(
        update={
            "cell": cell.model_copy(update={"surrogate": surrogate}),
            "vehicle": vehicle.model_copy(
                update={"name": resolve("vehicle", vehicle.name, "vehicle.name")}
            ),
            "drive": drive.model_copy(
                update={
                    "cycles": tuple(
                        resolve("cycle", name, f"drive.cycles[{i}]")
                        for i, name in enumerate(drive.cycles)
                    )
                }
            ),
            "certification": certification.model_copy(
                update={
                    "cycles": tuple(
                        resolve("cycle", name, f"certification.cycles[{i}]")
                        for i, name in enumerate(certification.cycles)
                    )
                }
            ),
        }
    )


def _check_cooling(scenario: Scenario, source: str) -> None:
    known = [item.name for item in fields(CoolingParameters)]
    for key in scenario.cooling:
        if key not in known:
            stem = key.rpartition("_")[0]
            near = [name for name in known if stem and name.startswith(stem)]
            wanted = near[0] if near else ""
            unit = f" in {unit_of_name(wanted)}" if wanted else ""
            msg = f"`{source}`: unknown key `cooling.{key}`; " + (
                f"expected `cooling.{wanted}`{unit}; correct it."
                if wanted
                else f"nearest: {nearest_names(key, known)}; correct or remove it."
            )
            raise ScenarioError(msg)
    try:
        CoolingParameters(**scenario.cooling)
    except InterfaceError as error:
        msg = f"`{source}`, table [cooling]: {error}"
        raise ScenarioError(msg) from error


def _section_lines(name: str, content: dict[str, Any]) -> list[str]:
    plain = {k: v for k, v in content.items() if not isinstance(v, dict)}
    lines = ["", f"[{name}]", *(f"{k} = {_literal(v)}" for k, v in plain.items())]
    for key, value in content.items():
        if isinstance(value, dict):
            lines += _section_lines(f"{name}.{key}", value)
    return lines


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
