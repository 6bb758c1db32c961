"""What a file is, as titled tables for `packtwin info`, and what packtwin ships."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from packtwin.cosim.result import read_parquet
from packtwin.cosim.result_table import journal_path
from packtwin.scenarios.catalogue import find_path, known_names
from packtwin.scenarios.loading import load_scenario, scenario_toml
from packtwin.twin.cycle import load_cycle
from packtwin.twin.errors import ScenarioError
from packtwin.twin.surrogate_spec import load_spec
from packtwin.twin.units import convert
from packtwin.twin.vehicle_parameters import load_vehicle

__all__ = ["Listing", "describe_file", "shipped"]

_MOST_ROWS = 200


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A table to print: title, column names and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def describe_file(path: Path) -> list[Listing]:
    """Return what a file says of itself.

    Raises:
        ScenarioError: It does not exist or is of a kind packtwin does not know.
        FmuError: It is no readable FMU.
        InterfaceError: It is no readable surrogate.
    """
    if not (path.is_file() or journal_path(path).is_file()):
        msg = f"There is no file `{path}`; check the path."
        raise ScenarioError(msg)
    describe = _KINDS.get(path.suffix.lower())
    if describe is None:
        known = ", ".join(f"`{suffix}`" for suffix in _KINDS)
        msg = (
            f"`{path}` is of no kind that packtwin knows: got `{path.suffix}`, "
            f"expected one of {known}."
        )
        raise ScenarioError(msg)
    return describe(path)


def shipped() -> list[Listing]:
    """Return everything that a scenario may name."""
    scenarios = [
        (name, load_scenario(name).header.description)
        for name in known_names("scenario")
    ]
    vehicles = []
    for name in known_names("vehicle"):
        car = load_vehicle(find_path("vehicle", name))
        vehicles.append((name, car.name, f"{car.mass_kg:.0f} kg"))
    cycles = []
    for name in known_names("cycle"):
        cycle = load_cycle(find_path("cycle", name))
        km = convert(cycle.distance_m, "m", "km")
        cycles.append((name, f"{cycle.duration_s:.0f} s", f"{km:.1f} km"))
    surrogates = []
    for name in known_names("surrogate"):
        spec = load_spec(find_path("surrogate", name))
        surrogates.append((name, _certified(spec.certificate)))
    return [
        Listing(title="Scenarios", columns=("name", "what"), rows=scenarios),
        Listing(
            title="Cells",
            columns=("name", "PyBaMM parameter set"),
            rows=[(n, _parameter_set(n)) for n in known_names("cell")],
        ),
        Listing(title="Surrogates", columns=("name", "certificate"), rows=surrogates),
        Listing(title="Vehicles", columns=("name", "car", "mass"), rows=vehicles),
        Listing(title="Cycles", columns=("name", "length", "distance"), rows=cycles),
    ]


def _describe_fmu(path: Path) -> list[Listing]:
    from packtwin.fmu.inspection import describe_fmu, validate

    facts = describe_fmu(path)
    problems = validate(path)
    head = [
        (key, str(facts[key]))
        for key in ("name", "description", "fmi_version", "tool", "token")
    ]
    head.append(("kinds", ", ".join(facts["kinds"])))
    head.append(("platforms", ", ".join(facts["platforms"]) or "none (source only)"))
    head.append(("capabilities", _flags(facts["capabilities"])))
    head.append(("certificate", _certified(facts["certificate"] or {})))
    head.append(("validation", "; ".join(problems) or "no problems found"))
    variables = [
        (v["causality"], v["name"], v["unit"], _number(v["start"]), v["description"])
        for v in facts["variables"]
        if v["causality"] in ("input", "output", "parameter")
    ]
    return [
        _facts(f"FMU {path.name}", head),
        Listing(
            title="Variables",
            columns=("role", "name", "unit", "start", "description"),
            rows=variables[:_MOST_ROWS],
        ),
    ]


def _describe_spec(path: Path) -> list[Listing]:
    spec = load_spec(path)
    constants = [
        (k, _number(v))
        for k, v in asdict(spec.constants).items()
        if isinstance(v, float)
    ]
    count = sum(array.size for array in spec.weights.values())
    head = [
        ("name", spec.name),
        (
            "shells",
            f"{spec.constants.negative_particle.n_shell} negative, "
            f"{spec.constants.positive_particle.n_shell} positive",
        ),
        ("modes", str(spec.n_mode)),
        ("weights", str(count)),
        ("tables", ", ".join(spec.tables)),
        ("certificate", _certified(spec.certificate)),
        *((f"provenance.{k}", str(v)) for k, v in spec.provenance.items()),
    ]
    listings = [
        _facts(f"Surrogate {path.name}", head),
        _facts("Cell constants", constants),
    ]
    for title, key in (("Certified domain", "domain"), ("Certified bounds", "bounds")):
        if key in spec.certificate:
            rows = [(k, _number(v)) for k, v in spec.certificate[key].items()]
            listings.append(_facts(title, rows))
    return listings


def _describe_result(path: Path) -> list[Listing]:
    result = read_parquet(path)
    # A run that was killed early has no rows.
    ends_s = result.time_s[[0, -1]] if len(result.time_s) else (math.nan, math.nan)
    head = [
        ("status", f"{result.status.kind} {result.status.reason}".strip()),
        *((k, f"{t:g} s") for k, t in zip(("from", "to"), ends_s, strict=True)),
        ("samples", str(len(result.time_s))),
        ("events", str(len(result.events))),
        ("real time factor", f"{result.stats.real_time_factor:.0f}"),
        *((k, v) for k, v in result.provenance.items()),
    ]
    rows = []
    for name, unit in zip(result.names, result.units, strict=True):
        values = result[name] if len(result.time_s) else np.full(1, np.nan)
        ends = (values.min(), values.max(), values[-1])
        rows.append((name, unit, *(f"{value:.6g}" for value in ends)))
    return [
        _facts(f"Result {path.name}", head),
        Listing(
            title="Series",
            columns=("name", "unit", "minimum", "maximum", "last"),
            rows=rows,
        ),
    ]


def _describe_scenario(path: Path) -> list[Listing]:
    scenario = load_scenario(path)
    rows: list[tuple[str, ...]] = []
    section = ""
    for line in scenario_toml(scenario).splitlines()[1:]:
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            key, _, value = line.partition(" = ")
            rows.append((f"{section}.{key}", value))
    return [_facts(f"Scenario {path.name}, defaults filled in", rows)]


_KINDS: dict[str, Callable[[Path], list[Listing]]] = {
    ".fmu": _describe_fmu,
    ".npz": _describe_spec,
    ".parquet": _describe_result,
    ".toml": _describe_scenario,
}


def _facts(title: str, rows: list[Any]) -> Listing:
    return Listing(title=title, columns=("key", "value"), rows=rows)


def _certified(certificate: Any) -> str:
    targets = certificate.get("targets", []) if isinstance(certificate, dict) else []
    if not targets:
        return "none"
    met = sum(1 for target in targets if target["met"])
    return f"{met} of {len(targets)} targets met"


def _parameter_set(name: str) -> str:
    from packtwin.pybamm_models.cells import find_cell

    return find_cell(name).parameter_set


def _flags(capabilities: dict[str, Any]) -> str:
    return ", ".join(k for k, v in capabilities.items() if v is True) or "none"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value or "")
