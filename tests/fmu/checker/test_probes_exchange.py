"""Model exchange: a good FMU is clean, and one fault each is found by its rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.check import check_fmu
from packtwin.twin.compiler import Compiler, find_compiler

pytestmark = pytest.mark.fmu

VENDOR = Path(__file__).parents[1] / "vendor"


def made(folder: Path, source: str, description: str) -> Path:
    c_path = folder / "Oscillator.c"
    c_path.write_text(source)
    compiler = Compiler(
        command=find_compiler().command, extra_flags=("-fvisibility=default",)
    )
    compiler.compile_library(c_path, folder / "Oscillator.so")
    path = folder / "oscillator.fmu"
    members = {
        "modelDescription.xml": description.encode(),
        "binaries/linux64/Oscillator.so": (folder / "Oscillator.so").read_bytes(),
    }
    write_archive(path, members)
    return path


def rules(folder: Path, old: str = "", new: str = "", file: str = ".c") -> set[str]:
    texts = {s: (VENDOR / f"Oscillator{s}").read_text() for s in (".c", ".xml")}
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    path = made(folder, texts[".c"], texts[".xml"])
    report = check_fmu(path, time_limit_s=2.0, budget_s=0.2)
    assert report.not_run == ""
    return set(report.rules())


def test_good_fmu_is_clean(tmp_path: Path) -> None:
    assert rules(tmp_path) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("return -v[STIFFNESS];", "return v[STIFFNESS];", "derivative-wrong"),
        ("return v[STIFFNESS] * v[POSITION];", "return 0.0;", "derivative-wrong"),
        ("x[0] = x[1] = 1.0;", "x[0] = x[1] = 0.0;", "nominal-wrong"),
        (
            "memcpy(o->s.v + POSITION, x, sizeof(double[2]));",
            "memcpy(o->s.v + POSITION, x, sizeof(double));",
            "states-wrong",
        ),
        (
            "v[RATE] = v[SPEED];",
            "v[RATE] = v[SPEED] + 0.1 * v[FORCE];",
            "dependency-missing",
        ),
        (
            "v[RATE] = v[SPEED];",
            "v[RATE] = v[SPEED] / (o->s.time < 0.015);",
            "output-not-finite",
        ),
        (
            "memcpy(&o->s, s, sizeof(State));",
            "o->s.time = ((State *)s)->time;",
            "state-replay-differs",
        ),
        (
            'if (!allowed(o, EVENT, "EnterContinuousTimeMode")) return 3;',
            "",
            "illegal-call-accepted",
        ),
        ("free(o); }", "if (o->s.time < 0) free(o); }", "leak-instance"),
        ("o->s.v[STIFFNESS] = 4.0;", "o->s.v[STIFFNESS] = 5.0;", "start-value-differs"),
    ],
)
def test_fault_is_found(tmp_path: Path, old: str, new: str, rule: str) -> None:
    assert rule in rules(tmp_path, old, new)


def test_missing_dependency_is_found_in_the_description(tmp_path: Path) -> None:
    old = '<Unknown index="6" dependencies="2 3"/>'
    new = '<Unknown index="6" dependencies="2"/>'
    assert rules(tmp_path, old, new, ".xml") == {"dependency-missing"}
