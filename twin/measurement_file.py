"""Read a `Measurement` from a file: CSV with a map of columns, BDF, MATLAB.

BDF is the Battery Data Format of the LF Energy Battery Data Alliance: a CSV file with
fixed column names (`Test Time / s`, `Voltage / V`, `Current / A`), whose current is
positive on *charge*.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement import Measurement
from packtwin.twin.measurement_matlab import read_matlab
from packtwin.twin.units import UNITS, convert
from packtwin.twin.variable import nearest_names

__all__ = [
    "BDF",
    "Column",
    "ColumnMap",
    "measurement_of",
    "read_columns",
    "read_measurement",
    "wanted_columns",
]

Vector: TypeAlias = NDArray[np.float64]

_FACTORS = {"mA": ("A", 1e-3), "ms": ("s", 1e-3), "kA": ("A", 1e3)}
_TARGETS = {"time": "s", "current": "A", "voltage": "V", "temperature": "K"}
_HEADER_LINES = 200
_LARGEST_BYTES = 500_000_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column by name and the unit of its values."""

    name: str
    unit: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """Which columns hold what.

    Attributes:
        time: Time since the start of the test.
        current: Signed as `charge_is_positive` says.
        voltage: Of the cell.
        temperature: Of the cell; None if not measured.
        charge_is_positive: The file counts the current into the cell.
        labels: Our name of each further column to keep, by its name in the file.
        separator: Between columns; found by itself if empty.
    """

    time: Column
    current: Column
    voltage: Column
    temperature: Column | None = None
    charge_is_positive: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    separator: str = ""

    @property
    def series(self) -> dict[str, Column]:
        """Return the columns that become series with a unit."""
        found = {"time": self.time, "current": self.current, "voltage": self.voltage}
        if self.temperature is not None:
            found["temperature"] = self.temperature
        return found


BDF = ColumnMap(
    time=Column(name="Test Time / s", unit="s"),
    current=Column(name="Current / A", unit="A"),
    voltage=Column(name="Voltage / V", unit="V"),
    charge_is_positive=True,
)
_BDF_TEMPERATURES = (
    "Surface Temperature / degC",
    "Temperature T1 / degC",
    "Ambient Temperature / degC",
)
_BDF_LABELS = {
    "Cycle Count / 1": "cycle",
    "Step Count / 1": "step",
    "Step Index / 1": "step_index",
}


def read_measurement(path: Path, columns: ColumnMap, name: str = "") -> Measurement:
    """Read a record from a file ending in `.csv`, `.txt`, `.csv.gz` or `.mat`.

    Lines before the header are skipped. A MATLAB file (version 7.2 or older) holds
    one vector per column, by name, or in one structure as `structure.field`.

    Args:
        path: The file.
        columns: Where to find what; `BDF` for the Battery Data Format, whose
            temperature and counters are read where there are any.
        name: Of the record; the file's name if empty.

    Raises:
        ScenarioError: the file cannot be read or is not what `columns` says.
    """
    columns, found = read_columns(path, columns)
    return measurement_of(found, columns, name or path.name)


def read_columns(path: Path, columns: ColumnMap) -> tuple[ColumnMap, dict[str, Vector]]:
    """Return the columns of a file as they stand there, by their names in it.

    Raises:
        ScenarioError: as for `read_measurement`.
    """
    _check_units(columns)
    if not path.is_file():
        msg = f"Record `{path}` is no file. Give the path of a CSV or MATLAB file."
        raise ScenarioError(msg)
    if path.stat().st_size > _LARGEST_BYTES:
        msg = (
            f"Record `{path}` has {path.stat().st_size} bytes, expected at most "
            f"{_LARGEST_BYTES}. Split it."
        )
        raise ScenarioError(msg)
    if path.suffix == ".mat":
        return columns, read_matlab(path, wanted_columns(columns))
    return _from_text(path, columns)


def measurement_of(
    found: Mapping[str, Vector], columns: ColumnMap, name: str
) -> Measurement:
    """Return columns of a file as a record in our units and signs."""
    series = {
        key: _converted(found[column.name], column.unit, _TARGETS[key])
        for key, column in columns.series.items()
    }
    sign = -1.0 if columns.charge_is_positive else 1.0
    return Measurement(
        name=name,
        time_s=series["time"],
        current_A=sign * series["current"],
        voltage_V=series["voltage"],
        temperature_K=series.get("temperature"),
        labels=tuple((ours, found[theirs]) for theirs, ours in columns.labels.items()),
    )


def wanted_columns(columns: ColumnMap) -> list[str]:
    """Return the names in the file of everything that is read."""
    return [column.name for column in columns.series.values()] + list(columns.labels)


def _check_units(columns: ColumnMap) -> None:
    for key, column in columns.series.items():
        target = _TARGETS[key]
        base = _FACTORS.get(column.unit, (column.unit, 1.0))[0]
        if base in UNITS and UNITS[base].is_convertible_to(UNITS[target]):
            continue
        known = [
            name
            for name, unit in UNITS.items()
            if unit.is_convertible_to(UNITS[target])
        ] + [name for name, (to, _) in _FACTORS.items() if to == target]
        msg = (
            f"Column `{column.name}` has the unit `{column.unit}`, expected one of "
            f"{', '.join(f'`{n}`' for n in known)}. Correct the column map."
        )
        raise ScenarioError(msg)


def _converted(values: Vector, unit: str, target: str) -> Vector:
    base, factor = _FACTORS.get(unit, (unit, 1.0))
    offset = convert(0.0, base, target)
    slope = convert(1.0, base, target) - offset
    return np.ascontiguousarray(values * factor * slope + offset)


def _from_text(path: Path, columns: ColumnMap) -> tuple[ColumnMap, dict[str, Vector]]:
    lines = _lines(path)
    wanted = wanted_columns(columns)
    begin, header, separator = _header(path, lines, wanted, columns.separator)
    if columns is BDF:
        columns = _with_bdf_extras(header)
        wanted = wanted_columns(columns)
    at = {name: _position(path, header, name) for name in wanted}
    rows = list(csv.reader(lines[begin + 1 :], delimiter=separator))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        msg = f"Record `{path}` has a header but no samples. Give the whole file."
        raise ScenarioError(msg)
    return columns, {
        name: _numbers(path, rows, k, name, begin + 2) for name, k in at.items()
    }


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        lines = data.decode("utf-8-sig").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        msg = f"Record `{path}` cannot be read: {error}. Give a UTF-8 text file."
        raise ScenarioError(msg) from error
    if not any(line.strip() for line in lines):
        msg = f"Record `{path}` is empty. Give a CSV file with a header and samples."
        raise ScenarioError(msg)
    return lines


def _header(
    path: Path, lines: Sequence[str], wanted: Sequence[str], separator: str
) -> tuple[int, list[str], str]:
    """Return the line that holds most of the wanted names, split."""
    best: tuple[int, int, list[str], str] = (0, 0, [], ",")
    for i, line in enumerate(lines[:_HEADER_LINES]):
        for mark in (separator,) if separator else (",", ";", "\t"):
            cells = [
                cell.strip() for cell in next(csv.reader([line], delimiter=mark), [])
            ]
            hits = sum(name in cells for name in wanted)
            if hits > best[0] or (not best[2] and len(cells) >= 2):
                best = (hits, i, cells, mark)
        if best[0] == len(wanted):
            break
    _, begin, header, mark = best
    if not header:
        msg = (
            f"Record `{path}` has no line with columns separated by `,`, `;` or tabs. "
            "Give a CSV file with a header."
        )
        raise ScenarioError(msg)
    return begin, header, mark


def _position(path: Path, header: Sequence[str], name: str) -> int:
    if name not in header:
        msg = (
            f"Record `{path}` has no column `{name}`; nearest: "
            f"{nearest_names(name, [cell for cell in header if cell])}. Correct the "
            "column map."
        )
        raise ScenarioError(msg)
    if list(header).count(name) > 1:
        msg = (
            f"Record `{path}` has the column `{name}` more than once, expected it "
            "once. Rename one of them."
        )
        raise ScenarioError(msg)
    return list(header).index(name)


def _numbers(
    path: Path, rows: Sequence[Sequence[str]], k: int, name: str, first_line: int
) -> Vector:
    values = np.empty(len(rows))
    for i, row in enumerate(rows):
        cell = row[k].strip() if k < len(row) else ""
        try:
            values[i] = float(cell) if cell else np.nan
        except ValueError as error:
            msg = (
                f"Record `{path}`, line {first_line + i}: `{name}` is `{cell}`, "
                "expected a number with a decimal point. Correct or remove the line."
            )
            raise ScenarioError(msg) from error
        if not np.isfinite(values[i]):
            msg = (
                f"Record `{path}`, line {first_line + i}: `{name}` is "
                f"`{cell or 'empty'}`, expected a finite number. Correct or remove the "
                "line."
            )
            raise ScenarioError(msg)
    return values


def _with_bdf_extras(header: Sequence[str]) -> ColumnMap:
    temperature = next((n for n in _BDF_TEMPERATURES if n in header), None)
    labels = {theirs: ours for theirs, ours in _BDF_LABELS.items() if theirs in header}
    return replace(
        BDF,
        temperature=Column(name=temperature, unit="degC") if temperature else None,
        labels=labels,
    )
