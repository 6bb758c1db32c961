"""`packtwin converge`, on a single-particle model. Some need a C compiler."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from packtwin.pybamm_models.verdicts import read_verdicts
from packtwin.scenarios.cli import app


def converge(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(
        app, ["converge", *(str(item) for item in arguments)], env={"COLUMNS": "200"}
    )
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Chen202"], "`Chen2020`"),
        (["lg_m50"], "`lg_m50_oregan2022`"),
        (["Chen2020", "--family", "DFM"], "`DFN`"),
        (["Chen2020", "--chemistry", "lead"], "`lithium_ion`"),
        (["Chen2020", "--charges", "1C"], "`1C@298.15K`"),
        (["Chen2020", "--charges", "1C@25"], "200 to 400 K"),
        (["Chen2020", "--limit-mV", "0"], "more than 0"),
        (["no_such_file.json"], "`no_such_file.json`"),
    ],
)
def test_wrong_input_says_what_is_possible(arguments: list[str], said: str) -> None:
    error = converge(*arguments, code=1).stderr
    assert said in error
    assert error.rstrip().endswith(".")


def test_help_teaches_by_an_example() -> None:
    text = converge("--help").output
    assert "packtwin converge lg_m50_oregan2022" in text


def test_output_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}", encoding="utf-8")
    for output in (path, tmp_path / "missing" / "verdict.json"):
        error = converge("Chen2020", "--output", output, code=1).stderr
        assert str(output.parent if output != path else output) in error


@pytest.mark.slow
@pytest.mark.fmu
def test_check_writes_a_verdict_and_fails_where_it_is_not_met(tmp_path: Path) -> None:
    path = tmp_path / "chen.json"
    arguments = ["Chen2020", "--family", "SPM", "--check", "--jobs", "1"]
    arguments += ["--charges", "1C@298.15K", "--output", str(path)]
    strict = converge(*arguments, "--limit-mV", "0.001", code=1)
    assert "NO" in strict.output
    loose = converge(*arguments, "--limit-mV", "1000")
    assert "agrees" in loose.output
    (verdict,) = read_verdicts(path)
    assert verdict.is_met
    assert verdict.family == "SPM"
    assert [f.load for f in verdict.comparisons[0].figures] == [
        "charge 1C 25 °C",
        "discharge 2C 25 °C",
        "pulses 10 °C",
    ]
