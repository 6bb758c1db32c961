"""Libraries of all systems are read in Python; faults in them are found."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import fmpy
import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.functions import (
    FMI3_FUNCTIONS,
    MODEL_EXCHANGE_FUNCTIONS,
    required_functions,
)
from packtwin.fmu.checker.library import SharedLibrary
from packtwin.fmu.checker.mach_o import read_mach_o
from packtwin.fmu.checker.pe import read_pe
from packtwin.fmu.elf import read_elf
from packtwin.scenarios.bench_check_mutants import read_members

Read = Callable[[bytes], SharedLibrary | None]

# FMPy ships these with itself: real libraries of three systems.
SHIPPED = Path(fmpy.__file__).parent / "container_fmu" / "binaries"
CASES = [
    ("x86_64-windows/container_fmu.dll", read_pe, "windows", "x86_64", "KERNEL32.dll"),
    (
        "x86_64-darwin/container_fmu.dylib",
        read_mach_o,
        "darwin",
        "x86_64",
        "/usr/lib/libSystem.B.dylib",
    ),
    (
        "aarch64-darwin/container_fmu.dylib",
        read_mach_o,
        "darwin",
        "aarch64",
        "/usr/lib/libSystem.B.dylib",
    ),
    ("x86_64-linux/container_fmu.so", read_elf, "linux", "x86_64", "libc.so.6"),
]


@pytest.mark.parametrize(("file", "read", "system", "machine", "needed"), CASES)
def test_real_library_is_read(
    file: str, read: Read, system: str, machine: str, needed: str
) -> None:
    library = read((SHIPPED / file).read_bytes())
    assert library is not None
    assert library.system == system
    assert library.machines == (machine,)
    assert {"fmi2DoStep", "fmi2Instantiate", "fmi3DoStep"} <= library.functions
    assert needed in library.needed


@pytest.mark.parametrize(("file", "read", "system", "machine", "needed"), CASES)
def test_damaged_library_never_raises(
    file: str, read: Read, system: str, machine: str, needed: str
) -> None:
    del system, machine, needed
    content = (SHIPPED / file).read_bytes()
    assert read(b"") is None
    assert read(content[:5]) is None
    draw = random.Random(3)
    for _ in range(100):
        spoilt = bytearray(content[: draw.randrange(64, len(content))])
        for _ in range(20):
            spoilt[draw.randrange(min(len(spoilt), 4096))] = draw.randrange(256)
        read(bytes(spoilt))


def test_a_library_of_one_system_is_none_of_another() -> None:
    for file, read, *_ in CASES:
        content = (SHIPPED / file).read_bytes()
        others = {read_elf, read_pe, read_mach_o} - {read}
        assert [other(content) for other in others] == [None, None]


def test_functions_are_those_of_the_standards() -> None:
    assert len(required_functions(False, ["CoSimulation"])) == 34
    assert len(required_functions(False, ["ModelExchange"])) == 35
    both = required_functions(False, ["ModelExchange", "CoSimulation"])
    assert len(set(both)) == len(both) == 44
    assert len(MODEL_EXCHANGE_FUNCTIONS) == 10
    assert len(set(FMI3_FUNCTIONS)) == 75


@pytest.mark.fmu
@pytest.mark.skipif(sys.platform != "linux", reason="the good FMU's library is ELF")
def test_libraries_of_other_systems_are_checked_too(
    rc_fmu: Path, tmp_path: Path
) -> None:
    members = read_members(rc_fmu)
    good = members["binaries/linux64/RcCircuit.so"]
    dll = (SHIPPED / "x86_64-windows/container_fmu.dll").read_bytes()
    dylib = (SHIPPED / "aarch64-darwin/container_fmu.dylib").read_bytes()
    members |= {
        "binaries/win64/RcCircuit.dll": dll,
        "binaries/win32/RcCircuit.dll": dll,
        "binaries/darwin64/RcCircuit.dylib": dylib,
        "binaries/aarch64-darwin/RcCircuit.dylib": dylib,
        "binaries/linux32/RcCircuit.so": good,
        "binaries/aarch64-linux/RcCircuit.so": dll,
        "binaries/amiga/RcCircuit.so": good,
    }
    path = tmp_path / "x.fmu"
    write_archive(path, members)
    report = check_fmu(path, is_run=False)
    found = {(p.rule, p.file.split("/")[1]) for p in report.problems}
    assert {item for item in found if item[0].startswith(("binary-m", "binary-f"))} == {
        ("binary-machine", "win32"),
        ("binary-machine", "darwin64"),
        ("binary-machine", "linux32"),
        ("binary-format", "aarch64-linux"),
    }
    assert ("platform-unknown", "amiga") in found
    assert {folder for rule, folder in found if rule.startswith("token")} == {
        "win64",
        "win32",
        "darwin64",
        "aarch64-darwin",
    }


@pytest.mark.fmu
@pytest.mark.skipif(sys.platform != "linux", reason="the good FMU's library is ELF")
def test_foreign_needs_and_search_paths_are_found(rc_fmu: Path, tmp_path: Path) -> None:
    members = read_members(rc_fmu)
    name = "binaries/linux64/RcCircuit.so"
    members[name] = members[name].replace(b"libc.so.6\0", b"libx.so.6\0")
    write_archive(tmp_path / "x.fmu", members)
    report = check_fmu(tmp_path / "x.fmu", is_run=False)
    assert [p.message for p in report.problems if p.rule == "binary-needs"] == [
        "It needs `libx.so.6`, which is not in the FMU."
    ]
    members["documentation/externalDependencies.txt"] = b"libx"
    write_archive(tmp_path / "x.fmu", members)
    assert "binary-needs" not in check_fmu(tmp_path / "x.fmu", is_run=False).rules()
