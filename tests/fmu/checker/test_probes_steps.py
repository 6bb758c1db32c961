"""Event mode of an FMU that is not ours: run through its events, one fault each."""

from __future__ import annotations

from pathlib import Path

import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.problem import CheckReport
from packtwin.twin.compiler import Compiler, find_compiler

pytestmark = pytest.mark.fmu

VENDOR = Path(__file__).parents[1] / "vendor"


def checked(folder: Path, old: str = "", new: str = "") -> CheckReport:
    source = (VENDOR / "Stairs.c").read_text()
    assert old in source
    c_path, library = folder / "Stairs.c", folder / "Stairs.so"
    c_path.write_text(source.replace(old, new, 1))
    command = find_compiler().command
    compiler = Compiler(command=command, extra_flags=("-fvisibility=default",))
    compiler.compile_library(c_path, library)
    members = {
        "modelDescription.xml": (VENDOR / "Stairs.xml").read_bytes(),
        "binaries/x86_64-linux/Stairs.so": library.read_bytes(),
    }
    path = folder / "stairs.fmu"
    write_archive(path, members)
    return check_fmu(path, time_limit_s=2.0, budget_s=0.1)


def test_events_are_run_through(tmp_path: Path) -> None:
    report = checked(tmp_path)
    assert report.not_run == ""
    for probe in ("answers", "event mode", "determinism", "reset", "threads"):
        assert report.probes[f"CoSimulation: {probe}"] == "passed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("*reached = s->t;", "*reached = s->t + 100.0;", "step-answer-wrong"),
        ("if (s->may_return) goal = s->counter;", "goal = s->t;", "step-answer-wrong"),
        ("*reached = s->t;", "*reached = s->t, *early = true;", "step-answer-wrong"),
        (
            "if (s->mode != EVENT) return ERROR;\n  s->mode = STEP;",
            "s->mode = STEP;",
            "illegal-call-accepted",
        ),
        (
            "if (s->mode != STEP) return ERROR;\n  s->mode = EVENT;",
            "return ERROR;",
            "call-refused",
        ),
    ],
)
def test_fault_of_event_mode_is_found(
    tmp_path: Path, old: str, new: str, rule: str
) -> None:
    assert rule in checked(tmp_path, old, new).rules()
