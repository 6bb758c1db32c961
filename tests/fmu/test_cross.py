"""Binaries of five platforms from one machine; inspected, and run where they can be."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from packtwin.fmu import cross
from packtwin.fmu.binaries import describe_binaries
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.library import SharedLibrary
from packtwin.fmu.checker.mach_o import read_mach_o
from packtwin.fmu.checker.pe import read_pe
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.cross import compiler_for, cross_compiler
from packtwin.fmu.elf import read_elf
from packtwin.fmu.export import export_fmu
from packtwin.fmu.fmi2 import CO_SIMULATION_FUNCTIONS
from packtwin.fmu.platforms import PLATFORMS, Platform, host_platform
from packtwin.twin.component import ticks
from packtwin.twin.errors import CompilerError
from packtwin.twin.step_map import StepMap

NEEDED = {
    "linux": {"libc.so.6", "libm.so.6"},
    "darwin": {"/usr/lib/libSystem.B.dylib"},
}
needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="needs `packtwin[cross]`"
)


def library_of(data: bytes) -> SharedLibrary:
    found = read_elf(data) or read_pe(data) or read_mach_o(data)
    assert found is not None
    return found


def test_without_ziglang_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cross, "find_spec", lambda _name: None)
    with pytest.raises(CompilerError, match=r"pip install 'packtwin\[cross\]'"):
        cross_compiler(PLATFORMS["x86_64-windows"])


def test_a_platform_without_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CompilerError, match="expected one of `x86_64-linux`"):
        cross_compiler(Platform(name="riscv64-linux"))


@needs_zig
def test_the_target_is_always_given_and_never_this_machine() -> None:
    for platform in PLATFORMS.values():
        flags = cross_compiler(platform).extra_flags
        assert flags[:2] == ("-target", platform.target)
        assert not any("native" in flag for flag in flags)


@needs_zig
@pytest.mark.skipif(not host_platform().target, reason="no target for this machine")
def test_ziglang_takes_the_place_of_a_missing_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert compiler_for(None) == cross_compiler(host_platform())
    monkeypatch.setenv("CC", "no_such_compiler")
    with pytest.raises(CompilerError, match="no_such_compiler"):
        compiler_for(None)


@pytest.fixture(scope="module")
def everywhere(rc_step_map: StepMap, fmu_folder: Path) -> Path:
    return export_fmu(rc_step_map, fmu_folder / "everywhere.fmu", platforms=("all",))


@needs_zig
@pytest.mark.slow
@pytest.mark.fmu
def test_five_binaries_export_the_functions_and_need_only_the_system(
    everywhere: Path,
) -> None:
    with zipfile.ZipFile(everywhere) as archive:
        for platform in PLATFORMS.values():
            member = f"binaries/{platform.folder('2.0')}/RcCircuit{platform.suffix}"
            library = library_of(archive.read(member))
            assert library.system == platform.system
            assert platform.name.partition("-")[0] in library.machines
            own = {name for name in library.functions if name.startswith("fmi2")}
            assert own == set(CO_SIMULATION_FUNCTIONS)
            assert library.search_paths == ()
            if platform.system == "windows":
                assert all(
                    name.lower() == "kernel32.dll" or name.startswith("api-ms-win-crt-")
                    for name in library.needed
                )
            else:
                assert set(library.needed) <= NEEDED[platform.system]
    for binary in describe_binaries(everywhere):
        is_linux = binary.folder in ("linux64", "aarch64-linux")
        assert bool(binary.glibc) == is_linux
        if is_linux:
            assert [int(n) for n in binary.glibc.split(".")] <= [2, 17]


@needs_zig
@pytest.mark.slow
@pytest.mark.fmu
def test_no_path_of_this_machine_is_in_a_binary_and_bytes_repeat(
    everywhere: Path,
    rc_step_map: StepMap,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with zipfile.ZipFile(everywhere) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert str(Path.home()).encode() not in content
            assert b"/tmp/" not in content
            assert b"packtwin-" not in content
    # Nothing of the first compilation is reused: another cache.
    monkeypatch.setenv("PACKTWIN_CACHE", str(tmp_path / "cache"))
    quick = [name for name in PLATFORMS if "windows" not in name]
    again = export_fmu(rc_step_map, tmp_path / "again.fmu", platforms=quick)
    with zipfile.ZipFile(everywhere) as one, zipfile.ZipFile(again) as two:
        members = [n for n in two.namelist() if n.startswith("binaries/")]
        assert len(members) == 4
        for name in members:
            assert one.read(name) == two.read(name)


@needs_zig
@pytest.mark.slow
@pytest.mark.fmu
def test_the_checker_finds_nothing_and_the_cross_binary_equals_the_hosts(
    everywhere: Path, rc_fmu: Path
) -> None:
    assert check_fmu(everywhere, budget_s=0.3).problems == ()
    results = []
    for path in (everywhere, rc_fmu):
        fmu = FmuComponent(path)
        rows = [fmu.initialize(0, np.array([1.0]))]
        for k in range(50):
            u = np.array([np.sin(k)])
            rows.append(fmu.step(ticks(0.1 * k), ticks(0.1 * (k + 1)), u).outputs)
        fmu.close()
        results.append(rows)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-14, atol=1e-15)


@needs_zig
@pytest.mark.slow
@pytest.mark.fmu
@pytest.mark.skipif(shutil.which("wine") is None, reason="Wine is not installed")
def test_the_windows_binary_runs_under_wine(everywhere: Path, tmp_path: Path) -> None:
    code = tmp_path / "driver.c"
    code.write_text(
        """
#include <windows.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  HMODULE library = LoadLibraryA(argv[1]);
  const char *(*version)(void);
  (void)argc;
  if (!library) return 1;
  version = (const char *(*)(void))(void *)GetProcAddress(library, "fmi2GetVersion");
  if (!version || strcmp(version(), "2.0") != 0) return 2;
  printf("version %s\\n", version());
  return 0;
}
"""
    )
    program = tmp_path / "driver.exe"
    zig = cross_compiler(PLATFORMS["x86_64-windows"])
    subprocess.run(
        [*zig.command, *zig.extra_flags, "-o", str(program), str(code)],
        check=True,
        env={**zig.environment, "PATH": "/usr/bin:/bin"},
    )
    with zipfile.ZipFile(everywhere) as archive:
        library = Path(archive.extract("binaries/win64/RcCircuit.dll", tmp_path))
    done = subprocess.run(
        ["wine", str(program), str(library)], capture_output=True, text=True, check=True
    )
    assert "version 2.0" in done.stdout
