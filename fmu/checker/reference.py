"""Reference results inside an FMU (layered standard FMI-LS-REF): read for comparison.

Rows of results are communication points: each step ends at the next row, with the
inputs of a file `*_in.csv` (linear between its rows) or their start values.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, TypeAlias, final

from packtwin.fmu.checker.description import Description, finite
from packtwin.fmu.checker.problem import Problem, problem
from packtwin.fmu.checker.reader import parse_xml

__all__ = ["FOLDER", "check_reference", "reference_plan"]

FOLDER = "extra/org.fmi-standard.fmi-ls-ref"
_MANIFEST = f"{FOLDER}/fmi-ls-manifest.xml"
_RESULT, _INPUTS = "_out.csv", "_in.csv"
# What other makers' results may differ by, as a fraction of a series' largest value:
# their files hold few digits.
_DEFAULT_TOLERANCE = 1e-2
_N_ROWS = 5000

Read: TypeAlias = Callable[[str], bytes | None]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A CSV file: the column `time` and others by name, an array in one column."""

    times: list[float]
    columns: Mapping[str, list[list[float]]]

    def at(self, name: str, time: float) -> list[float]:
        """Return a column's values, linear between rows, the later ones at a jump."""
        values, after = self.columns[name], bisect_right(self.times, time)
        if after == 0 or after == len(self.times):
            return values[min(max(after - 1, 0), len(values) - 1)]
        a, b = self.times[after - 1], self.times[after]
        share = (time - a) / (b - a)
        if share == 0.0:
            return values[after - 1]
        pairs = zip(values[after - 1], values[after], strict=True)
        return [low + share * (high - low) for low, high in pairs]


def check_reference(read: Read, description: Description) -> Iterator[Problem]:
    """Yield what is wrong with the manifest of an FMU and the files it names."""
    content, version = read(_MANIFEST), description.version
    if content is None:
        return
    root, reason, line = parse_xml(content)
    if root is None:
        message = f"It cannot be read: {reason}."
        yield problem("reference-file", version, message, file=_MANIFEST, line=line)
        return
    for item in root.iterfind("Related"):
        source = item.get("source", "")
        file = _path_of(source)
        if file is None:
            continue
        data, line = read(file), int(item.sourceline or 0)
        if data is None:
            message = f"It names `{source}`, which is not in the FMU."
            yield problem("reference-file", version, message, file=_MANIFEST, line=line)
        elif file.endswith(".csv") and _table(data) is None:
            message = "It is no table with a column `time` that does not fall."
            yield problem("reference-file", version, message, file=file)
        elif file.endswith(".csv"):
            known = set(getattr(_table(data), "columns", ()))
            reals = {v.name for v in description.variables if v.is_real}
            for name in sorted((reals & set(_head(data))) - known - {"time"}):
                message = "It has something else than numbers for it."
                yield problem(
                    "reference-file", version, message, file=file, variable=name
                )


def reference_plan(read: Read, description: Description) -> list[dict[str, Any]]:
    """Return the runs that a co-simulation FMU can repeat, as plain JSON."""
    content = read(_MANIFEST)
    root = None if content is None else parse_xml(content)[0]
    plans = []
    for item in [] if root is None else root.iterfind("Related[@role='result']"):
        file = _path_of(item.get("source", ""))
        if file is None or not file.endswith(_RESULT):
            continue
        results = _read_table(read, file)
        inputs = _read_table(read, file.removesuffix(_RESULT) + _INPUTS)
        if results is None:
            continue
        found = item.find("Annotations/Annotation[@type='packtwin']/Comparison")
        own = None if found is None else finite(found.get("relativeTolerance", ""))
        plan = _plan(results, inputs, description)
        if plan is not None:
            plans.append(plan | {"file": file, "tolerance": own or _DEFAULT_TOLERANCE})
    return plans


def _plan(
    results: _Table, inputs: _Table | None, description: Description
) -> dict[str, Any] | None:
    known = {v.name: v for v in description.variables}
    sizes = {
        name: len(values[0])
        for t in (results, inputs)
        if t
        for name, values in t.columns.items()
    }

    def fits(name: str) -> bool:
        v = known.get(name)
        is_real = v is not None and v.is_real and v.reference is not None
        return is_real and description.size(known[name]) == sizes[name]

    set_names = [] if inputs is None else list(inputs.columns)
    if not all(map(fits, set_names)):
        return None  # inputs that the probes cannot set
    compared = [
        name
        for name in results.columns
        if fits(name) and known[name].causality == "output"
    ]
    times = list(dict.fromkeys(results.times[:_N_ROWS]))
    if not compared or len(times) < 2:
        return None
    inputs_at = (
        []
        if inputs is None
        else [[x for n in set_names for x in inputs.at(n, t)] for t in times]
    )
    return {
        "times": times,
        "set": [known[name].reference for name in set_names],
        "inputs": inputs_at,
        "outputs": [
            {
                "name": name,
                "reference": known[name].reference,
                "values": (rows := [results.at(name, t) for t in times]),
                "largest": [
                    max(map(abs, series)) for series in zip(*rows, strict=True)
                ],
            }
            for name in compared
        ],
    }


def _path_of(source: str) -> str | None:
    """Return the path in the FMU of a relative address; nothing for others."""
    if not source or "://" in source or source.startswith("/"):
        return None
    parts: list[str] = list(PurePosixPath(FOLDER).parts)
    for part in PurePosixPath(source).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return "/".join(parts)


def _read_table(read: Read, file: str) -> _Table | None:
    data = read(file)
    return None if data is None else _table(data)


def _head(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "replace").splitlines()
    return [name.strip() for name in next(csv.reader(lines[:1]), [])]


def _table(data: bytes) -> _Table | None:
    """Return the columns that are numbers, with as many in each row."""
    try:
        _, *rows = [row for row in csv.reader(data.decode().splitlines()) if row]
    except (ValueError, csv.Error):
        return None
    head = _head(data)
    if not rows or any(len(row) != len(head) for row in rows):
        return None
    columns = {
        name: numbers
        for k, name in enumerate(head)
        if (numbers := _numbers([row[k] for row in rows]))
    }
    times = [row[0] for row in columns.pop("time", [])]
    if head[0] != "time" or not times or any(b < a for a, b in pairwise(times)):
        return None
    return _Table(times=times, columns=columns)


def _numbers(cells: list[str]) -> list[list[float]]:
    """Return the numbers in each cell; nothing if there are others or none."""
    try:
        rows = [[float(item) for item in cell.split()] for cell in cells]
    except ValueError:
        return []
    is_finite = all(math.isfinite(x) for row in rows for x in row)
    return (
        rows if is_finite and len({len(row) for row in rows}) == 1 and rows[0] else []
    )
