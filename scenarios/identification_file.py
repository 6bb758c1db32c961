"""`IdentificationFile`: records, a circuit and its unknowns as a TOML file."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, final

import numpy as np
from pydantic import Field, ValidationError

from packtwin.scenarios.complaints import complaint
from packtwin.scenarios.loading import parse_toml
from packtwin.scenarios.scenario import Name, Positive, Section, Text
from packtwin.twin.ageing_circuit import CircuitNodes, ageing_circuit
from packtwin.twin.errors import ScenarioError
from packtwin.twin.identification import Record, Settings, Unknown
from packtwin.twin.measurement import Measurement
from packtwin.twin.measurement_cycles import capacity_to, read_cycles
from packtwin.twin.measurement_file import Column, ColumnMap, read_measurement
from packtwin.twin.model import Model
from packtwin.twin.variable import nearest_names

__all__ = ["IdentificationFile", "load_identification"]

Nodes: TypeAlias = Annotated[tuple[float, ...], Field(min_length=2)]
Use: TypeAlias = Literal["fit", "check"]


@final
class CircuitSection(Section):
    """The nodes of `twin.ageing_circuit`, and the start values of its parameters."""

    ocv_nodes: Nodes
    resistance_nodes: Nodes
    entropy_nodes: tuple[float, ...] = ()
    starts: dict[str, float | tuple[float, ...]] = Field(default_factory=dict)


@final
class ColumnSection(Section):
    """Columns by series, each as `[name, unit]`, and the sign of the current."""

    time: tuple[Text, Text]
    current: tuple[Text, Text]
    voltage: tuple[Text, Text]
    temperature: tuple[Text, Text] | None = None
    cycle: str = ""
    charge_is_positive: bool = False

    def column_map(self) -> ColumnMap:
        """Return what the reader needs."""

        def column(pair: tuple[str, str]) -> Column:
            return Column(name=pair[0], unit=pair[1])

        return ColumnMap(
            time=column(self.time),
            current=column(self.current),
            voltage=column(self.voltage),
            temperature=column(self.temperature) if self.temperature else None,
            charge_is_positive=self.charge_is_positive,
            labels={self.cycle: "cycle"} if self.cycle else {},
        )


@final
class RecordSection(Section):
    """A record: a file, or a part of it between two times, or some of its cycles.

    `capacity_to_V` takes `capacity_start_Ah` from the record's own charge down to that
    voltage. With `starts_at_ambient`, the first temperature measured is the ambient's.
    """

    name: str = ""
    file: Text
    use: Use = "fit"
    begin_s: float | None = None
    end_s: float | None = None
    cycles: tuple[int, ...] = ()
    capacity_to_V: Positive | None = None
    starts_at_ambient: bool = False
    starts: dict[str, float] = Field(default_factory=dict)


@final
class UnknownSection(Section):
    """Unknowns by name or pattern (`ocv_step_*_V`); see `twin` `Unknown`."""

    name: Text
    scale: Literal["linear", "logarithmic"] = "logarithmic"
    spread: Positive | None = None
    is_prior: bool = True
    minimum: float | None = None
    maximum: float | None = None


@final
class SearchSection(Section):
    """How to search; see `twin.identification.Settings`."""

    n_sample: int = Field(default=200, ge=20)
    n_iteration: int = Field(default=20, ge=1)
    voltage_deviation_V: Positive = 0.01
    temperature_deviation_K: Positive | None = None

    def settings(self) -> Settings:
        """Return them as the search takes them."""
        return Settings(**self.model_dump())


@final
class IdentificationFile(Section):
    """The whole file."""

    name: Name
    description: str = ""
    circuit: CircuitSection
    columns: ColumnSection
    records: Annotated[tuple[RecordSection, ...], Field(min_length=1)]
    unknowns: Annotated[tuple[UnknownSection, ...], Field(min_length=1)]
    search: SearchSection = SearchSection()

    def model(self) -> Model:
        """Return the circuit with the start values of the file.

        A list of values stands for the numbers that replace `*` in its name, from the
        smallest one upwards.
        """
        nodes = CircuitNodes(
            ocv=self.circuit.ocv_nodes,
            resistance=self.circuit.resistance_nodes,
            entropy=self.circuit.entropy_nodes,
        )
        known = ageing_circuit(nodes).interface.parameter_names
        starts: dict[str, float] = {}
        for pattern, value in self.circuit.starts.items():
            names = _matching(pattern, known, f"`{self.name}`: `circuit.starts`")
            given = value if isinstance(value, tuple) else (value,) * len(names)
            if len(given) != len(names):
                msg = (
                    f"`{self.name}`: `circuit.starts` gives {len(given)} values for "
                    f"`{pattern}`, expected {len(names)}. Give one per node."
                )
                raise ScenarioError(msg)
            starts |= dict(zip(names, given, strict=True))
        return ageing_circuit(nodes, starts)

    def chosen(self, model: Model) -> list[Unknown]:
        """Return the unknowns, patterns written out."""
        known = model.interface.parameter_names
        return [
            Unknown(**(section.model_dump() | {"name": name}))
            for section in self.unknowns
            for name in _matching(section.name, known, f"`{self.name}`: `unknowns`")
        ]

    def records_of(self, folder: Path, use: Use) -> list[Record]:
        """Read the records of one use; relative files are relative to `folder`."""
        columns = self.columns.column_map()
        return [
            _record(section, measurement)
            for section in self.records
            if section.use == use
            for measurement in _measurements(section, folder, columns)
        ]


def load_identification(path: Path) -> IdentificationFile:
    """Read the file.

    Raises:
        ScenarioError: one sentence with the key, what was got and what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"Cannot read `{path}`: {error}; give a UTF-8 TOML file."
        raise ScenarioError(msg) from error
    table = parse_toml(text, path.name)
    try:
        return IdentificationFile.model_validate_json(json.dumps(table, default=str))
    except ValidationError as error:
        raise ScenarioError(complaint(path.name, error, IdentificationFile)) from error


def _matching(pattern: str, known: Sequence[str], where: str) -> list[str]:
    names = fnmatch.filter(known, pattern)
    if not names:
        msg = (
            f"{where} names `{pattern}`, no parameter of the circuit; nearest: "
            f"{nearest_names(pattern, tuple(known))}. Correct it."
        )
        raise ScenarioError(msg)
    return names


def _measurements(
    section: RecordSection, folder: Path, columns: ColumnMap
) -> list[Measurement]:
    path = folder / section.file
    if section.cycles:
        cycles = {
            int(m.label("cycle")[0]): m for m in read_cycles(path, columns, "cycle")
        }
        for number in section.cycles:
            if number not in cycles:
                msg = (
                    f"Record `{path}` has no cycle {number}, expected one from "
                    f"{min(cycles)} to {max(cycles)}. Correct `cycles`."
                )
                raise ScenarioError(msg)
        return [cycles[number] for number in section.cycles]
    whole = read_measurement(path, columns, section.name)
    begin_s = -np.inf if section.begin_s is None else section.begin_s
    end_s = np.inf if section.end_s is None else section.end_s
    begin, end = np.searchsorted(whole.time_s, [begin_s, np.nextafter(end_s, np.inf)])
    if end - begin < 2:
        msg = (
            f"Record `{path}` has {end - begin} samples from {begin_s:g} s to "
            f"{end_s:g} s, expected 2 or more of its {whole.time_s[0]:g} s to "
            f"{whole.time_s[-1]:g} s. Correct `begin_s` and `end_s`."
        )
        raise ScenarioError(msg)
    return [whole.part(int(begin), int(end))]


def _record(section: RecordSection, measurement: Measurement) -> Record:
    parameters, inputs = dict(section.starts), {}
    if section.capacity_to_V is not None:
        capacity_Ah = capacity_to(measurement, section.capacity_to_V)
        parameters["capacity_start_Ah"] = capacity_Ah
    if section.starts_at_ambient:
        if measurement.temperature_K is None:
            msg = (
                f"Record `{measurement.name}` has no temperature, expected one for "
                "`starts_at_ambient`. Name its column, or give the start value."
            )
            raise ScenarioError(msg)
        start_K = float(measurement.temperature_K[0])
        parameters["temperature_start_K"] = start_K
        inputs["ambient_temperature_K"] = start_K
    return Record(measurement=measurement, parameters=parameters, inputs=inputs)
