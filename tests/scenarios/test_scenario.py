"""A scenario file is read exactly, and every fault in it becomes one sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydantic import BaseModel

from packtwin.scenarios.catalogue import known_names
from packtwin.scenarios.loading import load_scenario, parse_scenario, scenario_toml
from packtwin.scenarios.scenario import (
    PackSection,
    Scenario,
    TargetSection,
    TrainingSection,
)
from packtwin.twin.certificate_target import CertificateTargets
from packtwin.twin.errors import ScenarioError
from packtwin.twin.pack import PackLayout

MINIMAL = """
[scenario]
name = "day"
[cell]
name = "lg_m50_oregan2022"
[pack]
n_series = 96
[vehicle]
name = "tesla_model_3_rwd_epa"
[drive]
cycles = ["us06"]
ambient_temperature_K = 308.15
[charge]
target_soc = 0.8
[charge.baseline]
derate_factor = [0.0, 1.0, 1.0, 0.0]
[simulation]
step_s = 1.0
"""


def parse(text: str = MINIMAL, folder: Path = Path()) -> Scenario:
    return parse_scenario(text, source="day.toml", folder=folder)


def refusal(old: str, new: str) -> str:
    assert old in MINIMAL
    with pytest.raises(ScenarioError) as caught:
        parse(MINIMAL.replace(old, new))
    message = str(caught.value)
    assert message.startswith("`day.toml`")
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", known_names("scenario"))
def test_every_shipped_scenario_loads_under_its_own_name(name: str) -> None:
    assert load_scenario(name).name == name


def test_a_resolved_scenario_reads_back_as_itself() -> None:
    scenario = load_scenario("ev_fast_charge_day")
    assert parse(scenario_toml(scenario)) == scenario
    assert parse(scenario_toml(parse())) == parse()


def test_text_with_quotes_and_umlauts_survives_resolving() -> None:
    text = MINIMAL.replace(
        'name = "day"', 'name = "day"\ndescription = "35 °C \\"hot\\" \\\\ ü"'
    )
    scenario = parse(text)
    assert scenario.header.description == '35 °C "hot" \\ ü'
    assert parse(scenario_toml(scenario)) == scenario


def test_cells_and_coolant_start_at_the_ambient_unless_said_otherwise() -> None:
    assert parse().start_temperature_K == 308.15
    given = MINIMAL.replace("[pack]", "[pack]\nstart_temperature_K = 290.0")
    assert parse(given).start_temperature_K == 290.0


def test_the_surrogate_has_the_cells_name_unless_said_otherwise() -> None:
    assert parse().surrogate == "lg_m50_oregan2022"


@pytest.mark.parametrize(
    ("section", "target"),
    [(PackSection, PackLayout), (TargetSection, CertificateTargets)],
)
def test_a_section_has_the_fields_of_what_it_fills(
    section: type[BaseModel], target: type
) -> None:
    assert list(section.model_fields) == [f.name for f in dataclasses.fields(target)]
    own = section()
    for field in dataclasses.fields(target):
        value = getattr(own, field.name)
        assert value == field.default or value is None


def test_the_training_section_has_the_fields_of_its_configuration() -> None:
    training = pytest.importorskip("packtwin.twin.training")
    wanted = {f.name: f.default for f in dataclasses.fields(training.TrainingConfig)}
    wanted.pop("seed")
    assert TrainingSection().model_dump() == wanted


def test_malformed_toml_names_line_and_column() -> None:
    message = refusal("step_s = 1.0", "step_s = ")
    assert message.startswith("`day.toml`, line 18, column 10: this is not valid TOML")


def test_toml_that_ends_too_early_names_the_last_line() -> None:
    message = refusal("step_s = 1.0", "step_s = [1.0,")
    assert message.startswith("`day.toml`, line 18")


def test_a_wrong_unit_names_key_and_unit_and_converts_the_value() -> None:
    message = refusal("ambient_temperature_K = 308.15", "ambient_temperature_degC = 35")
    assert message == (
        "`day.toml`: `drive.ambient_temperature_degC` has the unit `degC`, expected "
        "`drive.ambient_temperature_K` in K; convert the value "
        "(35 degC = 308.15 K) and rename the key."
    )


@pytest.mark.parametrize(
    ("old", "new", "given", "wanted"),
    [
        ("step_s = 1.0", "step_ms = 1000", "ms", "simulation.step_s"),
        ("step_s = 1.0", "step_min = 1", "min", "simulation.step_s"),
        (
            "target_soc = 0.8",
            "cell_voltage_maximum_mV = 4200",
            "mV",
            "charge.cell_voltage_maximum_V",
        ),
    ],
)
def test_any_unit_suffix_is_told_from_an_unknown_key(
    old: str, new: str, given: str, wanted: str
) -> None:
    message = refusal(old, new)
    assert f"has the unit `{given}`, expected `{wanted}` in" in message


def test_celsius_in_a_kelvin_key_is_out_of_range_with_a_hint() -> None:
    assert refusal("= 308.15", "= 35.0") == (
        "`day.toml`: `drive.ambient_temperature_K` is 35, expected a value from 233.15 "
        "to 353.15 K; if 35 is in degC, write 308.15."
    )


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("n_series", "n_seres", ["unknown key `pack.n_seres`", "`n_series`"]),
        ("[drive]", "[drve]", ["unknown key `drve`", "nearest: `drive`"]),
        ("= 308.15", '= "35"', ["`drive.ambient_temperature_K`", "a number in K"]),
        ("= 308.15", "= nan", ["is nan", "a finite number in K"]),
        ("= 308.15", "= inf", ["is inf", "a finite number in K"]),
        ("= 308.15", "= true", ["is true", "a number in K"]),
        ("= 96", "= 96.5", ["`pack.n_series` is 96.5", "a whole number"]),
        ("= 96", "= 2", ["`pack.n_series` is 2", "at least 3"]),
        ("= 0.8", "= 80", ["`charge.target_soc` is 80", "a value from 0 to 1"]),
        ('["us06"]', '"us06"', ["`drive.cycles`", "a list in square brackets"]),
        ('["us06"]', "[]", ["`drive.cycles`", "at least one entry"]),
        ('"day"', '"my day"', ['`scenario.name` is "my day"', "a name of letters"]),
        (
            "target_soc = 0.8",
            'controller = "pid"',
            ["`charge.controller`", "'mpc' or 'cccv'"],
        ),
        (
            "[0.0, 1.0, 1.0, 0.0]",
            "[0.0, 1.0]",
            ["`charge.baseline.derate_factor`", "expected 4 values"],
        ),
        (
            "[0.0, 1.0, 1.0, 0.0]",
            "[0.0, 1.0, 7.0, 0.0]",
            ["`charge.baseline.derate_factor[2]` is 7", "from 0 to 1"],
        ),
    ],
)
def test_a_fault_names_key_got_and_expected(
    old: str, new: str, parts: list[str]
) -> None:
    message = refusal(old, new)
    for part in parts:
        assert part in message


def test_a_missing_table_is_named_with_what_it_needs() -> None:
    message = refusal('[vehicle]\nname = "tesla_model_3_rwd_epa"\n', "")
    assert message == (
        "`day.toml` lacks the table [vehicle], expected a table with `name`; add it."
    )


def test_a_missing_key_is_named() -> None:
    message = refusal('cycles = ["us06"]\n', "")
    assert message.startswith("`day.toml` lacks the key `drive.cycles`")


def test_ranges_of_the_dataset_must_rise() -> None:
    message = refusal("[pack]", "[dataset]\ntemperature_minimum_K = 330.0\n[pack]")
    assert "`dataset.temperature_maximum_K` is 318.15, expected more than" in message


@pytest.mark.parametrize(
    ("old", "key", "kind", "near"),
    [
        ('"lg_m50_oregan2022"', "cell.name", "cell", "lg_m50_chen2020"),
        ('"tesla_model_3_rwd_epa"', "vehicle.name", "vehicle", "tesla_model_3_rwd"),
        ('"us06"', "drive.cycles[0]", "cycle", "udds"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(
    old: str, key: str, kind: str, near: str
) -> None:
    message = refusal(old, f'"{near}_x"')
    start = f"`day.toml`, key `{key}`: unknown {kind} `{near}_x`; nearest: `{near}`"
    assert message.startswith(start)
    for name in known_names(kind):  # type: ignore[arg-type]
        assert f"`{name}`" in message


def test_a_file_that_is_not_there_is_named_with_its_key() -> None:
    message = refusal('"us06"', '"commute.csv"')
    assert "key `drive.cycles[0]` names the file `commute.csv`" in message
    assert "`us06`" in message


def test_paths_are_relative_to_the_scenario_and_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "hop.csv").write_text("time_s,speed_m_per_s\n0,0\n9,5\n20,0\n")
    file = tmp_path / "day.toml"
    file.write_text(MINIMAL.replace('"us06"', '"hop.csv"'))
    assert load_scenario(file).drive.cycles == (str(tmp_path / "hop.csv"),)


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ("0,0\n1,nan\n2,0\n", "`hop.csv`, row 3: `speed_m_per_s` is nan"),
        ("0,0\n2,1\n1,0\n", "`hop.csv`, row 4: `time_s` is 1.0 s, expected more than"),
    ],
)
def test_a_faulty_cycle_is_refused_when_the_scenario_is_read(
    tmp_path: Path, rows: str, part: str
) -> None:
    (tmp_path / "hop.csv").write_text("time_s,speed_m_per_s\n" + rows)
    with pytest.raises(ScenarioError) as caught:
        parse(MINIMAL.replace('"us06"', '"hop.csv"'), tmp_path)
    assert part in str(caught.value).replace(f"{tmp_path}/", "")


def test_a_faulty_vehicle_is_refused_when_the_scenario_is_read(tmp_path: Path) -> None:
    (tmp_path / "car.toml").write_text('name = "car"\nmass_lb = 4000\n')
    with pytest.raises(ScenarioError, match=r"car\.toml`: unknown key `mass_lb`"):
        parse(MINIMAL.replace("tesla_model_3_rwd_epa", "car.toml"), tmp_path)


def test_an_unknown_cooling_key_names_the_nearest() -> None:
    message = refusal("[simulation]", "[cooling]\nflow_max_l_per_s = 1\n[simulation]")
    assert "unknown key `cooling.flow_max_l_per_s`" in message
    assert "flow_max_kg_per_s" in message


def test_a_cooling_value_out_of_range_names_table_and_key() -> None:
    message = refusal("[simulation]", "[cooling]\npump_efficiency = 3\n[simulation]")
    assert "table [cooling]: Cooling parameter `pump_efficiency` is 3.0" in message


def test_an_unknown_scenario_lists_the_shipped_ones() -> None:
    with pytest.raises(ScenarioError, match="Unknown scenario `ev_fast`; nearest: `ev"):
        load_scenario("ev_fast")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="give a UTF-8 TOML file"):
        load_scenario(path)
