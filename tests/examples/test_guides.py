"""The guides' code is executed."""

import math
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def code_of(guide: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / guide).read_text(), re.DOTALL)
    return "\n".join(blocks)


def test_long_runs_are_recorded_saved_and_paced(capsys):
    exec(compile(code_of("recording.md"), "recording.md", "exec"), {})
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["61 rows, 10.00 Ah", "20.00 Ah after 7200 s"]
    assert shown[2].endswith(" of 10 deadlines missed")


@pytest.mark.fmu
def test_imported_fmus_exchange_their_heat(capsys):
    exec(compile(code_of("fmu_import.md"), "fmu_import.md", "exec"), {})
    shown = capsys.readouterr().out
    # Two equal lumps end at the mean of their starts, but for the lag of one step.
    assert float(shown.split(" K ")[0]) == pytest.approx(300.0, abs=1.0)
    assert shown.rstrip().endswith("without Python: warm, cold")


@pytest.mark.fmu
def test_a_trace_gives_back_two_parameters_of_coupled_fmus(capsys):
    exec(compile(code_of("gradients.md"), "gradients.md", "exec"), {})
    assert capsys.readouterr().out == "0.0800 and 0.1500 by adjoint\n"


@pytest.mark.fmu
def test_edited_package_runs_to_the_closed_form(capsys):
    exec(compile(code_of("ssp.md"), "ssp.md", "exec"), {})
    shown = capsys.readouterr().out
    # The difference of 20 K decays with 0.2 per second around a mean of 310 K.
    expected = 310.0 + 10.0 * math.exp(-2.0)
    assert float(shown.split(" K ")[0]) == pytest.approx(expected, abs=2e-3)
