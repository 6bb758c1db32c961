"""The 16 static mutants: FMUs with one fault each that can be seen without running."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

from packtwin.fmu.archive import write_archive
from packtwin.twin.errors import FmuError

__all__ = ["STATIC_MUTANTS", "StaticMutant", "read_members", "write_static_mutant"]

Members: TypeAlias = dict[str, bytes]

DESCRIPTION = "modelDescription.xml"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StaticMutant:
    """One fault.

    Attributes:
        name: What is wrong.
        rule: The rule that must find it.
        change: Makes it, in the files of the good FMU.
        method: How the files are packed.
    """

    name: str
    rule: str
    change: Callable[[Members], None]
    method: int = zipfile.ZIP_DEFLATED


def read_members(path: Path) -> Members:
    """Return the files of an FMU."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_static_mutant(good: Path, mutant: StaticMutant, path: Path) -> Path:
    """Write the good FMU with one fault."""
    members = read_members(good)
    mutant.change(members)
    if mutant.method == zipfile.ZIP_DEFLATED:
        write_archive(path, members)
        return path
    with zipfile.ZipFile(path, "w", mutant.method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _edit(pattern: str, replacement: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        text, n = re.subn(
            pattern,
            replacement,
            members[DESCRIPTION].decode(),
            count=1,
            flags=re.DOTALL,
        )
        if n != 1:
            msg = f"The good FMU's description has no `{pattern}`; mend the mutant."
            raise FmuError(msg)
        members[DESCRIPTION] = text.encode()

    return change


def _library(members: Members) -> str:
    return next(name for name in members if name.startswith("binaries/"))


def _remove_code(members: Members) -> None:
    for name in list(members):
        if name.startswith(("binaries/", "sources/")):
            del members[name]
    text = members[DESCRIPTION].decode()
    text = re.sub(r"\s*<SourceFiles>.*?</SourceFiles>", "", text, flags=re.DOTALL)
    members[DESCRIPTION] = text.encode()


def _rename_library(members: Members) -> None:
    name = _library(members)
    suffix = name[name.rindex(".") :]
    members[f"{name.rsplit('/', 1)[0]}/Other{suffix}"] = members.pop(name)


def _spoil_library(members: Members) -> None:
    members[_library(members)] = b"this is no library\n"


def _hide_function(members: Members) -> None:
    name = _library(members)
    members[name] = members[name].replace(b"fmi2DoStep\0", b"fmi2DoStop\0")


def _keep(members: Members) -> None:
    del members


_INPUT_START = r'(name="source_voltage_V".*?)\s+start="1\.0"'
_MUTANTS: Mapping[str, tuple[str, Callable[[Members], None]]] = {
    "input without start": ("start-missing", _edit(_INPUT_START, r"\1")),
    "duplicate name": (
        "name-duplicate",
        _edit(r'name="current_A"', 'name="capacitor_voltage_V"'),
    ),
    "output missing in ModelStructure": (
        "outputs-incomplete",
        _edit(r"(<Outputs>.*?)<Unknown [^>]*/>", r"\1"),
    ),
    "illegal causality and variability": (
        "causality-variability",
        _edit(
            r'causality="input" variability="\w+"',
            'causality="input" variability="fixed"',
        ),
    ),
    "schema violation": (
        "xml-schema",
        _edit(r"<ModelVariables>", '<ModelVariables shape="round">'),
    ),
    "dependency index out of range": (
        "index-range",
        _edit(r'(<InitialUnknowns>.*?dependencies=")[^"]*"', r'\g<1>999"'),
    ),
    "initial unknowns missing": (
        "initial-unknowns-incomplete",
        _edit(r"<InitialUnknowns>.*?</InitialUnknowns>", ""),
    ),
    "undefined unit": (
        "unit-undefined",
        _edit(r'<Real unit="V"', '<Real unit="furlong"'),
    ),
    "canSerialize without canGetAndSet": (
        "serialize-without-state",
        _edit(r'\s+canGetAndSetFMUstate="true"', ""),
    ),
    "start outside its range": (
        "start-range",
        _edit(r'(name="resistance_Ohm".*?start=)"2\.0"', r'\1"0.0"'),
    ),
    "neither binary nor sources": ("no-implementation", _remove_code),
    "library not named after the model identifier": ("binary-name", _rename_library),
    "file is no library": ("binary-format", _spoil_library),
    "required function missing": ("function-missing", _hide_function),
    "wrong guid": (
        "token-mismatch",
        _edit(r'guid="[^"]*"', 'guid="{12345678-1234-1234-1234-123456789abc}"'),
    ),
    "LZMA zip": ("zip-method", _keep),
}

STATIC_MUTANTS: tuple[StaticMutant, ...] = tuple(
    StaticMutant(
        name=name,
        rule=rule,
        change=change,
        method=zipfile.ZIP_LZMA if name == "LZMA zip" else zipfile.ZIP_DEFLATED,
    )
    for name, (rule, change) in _MUTANTS.items()
)
"""One FMU with one fault each."""
