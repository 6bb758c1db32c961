"""A record is checked when it is made and before anything is fit to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement import Measurement, refuse_gap
from packtwin.twin.measurement_check import check_measurement, refuse_unexcited

RESISTANCE_OHM = 0.05


def record(**changes: object) -> Measurement:
    """A 2-A discharge from 4.1 V with a rest before it."""
    time_s = np.arange(0.0, 3601.0, 10.0)
    current_A = np.where(time_s < 100.0, 0.0, 2.0)
    charge_Ah = np.concatenate(
        [[0.0], np.cumsum((current_A[1:] + current_A[:-1]) / 2 * 10.0 / 3600.0)]
    )
    made = Measurement(
        name="made.csv",
        time_s=time_s,
        current_A=current_A,
        voltage_V=4.1 - 0.5 * charge_Ah - RESISTANCE_OHM * current_A,
        temperature_K=np.full(time_s.shape, 298.15),
        labels=(("cycle", np.ones(time_s.shape)),),
    )
    return replace(made, **changes)


def refusal(**changes: object) -> str:
    with pytest.raises(ScenarioError) as caught:
        check_measurement(record(**changes))
    text = str(caught.value)
    assert "`made.csv`" in text
    assert text.endswith(".")
    return text


def test_a_sound_record_passes() -> None:
    check_measurement(record())


def test_charge_is_the_exact_integral_of_a_piecewise_linear_current() -> None:
    made = record(current_A=np.linspace(0.0, 3.0, 361))
    assert made.charge_Ah[-1] == pytest.approx(1.5, rel=1e-12)


def test_a_part_starts_at_zero_and_keeps_its_labels() -> None:
    part = record().part(10, 20, "second")
    assert part.time_s[0] == 0.0
    assert part.duration_s == 90.0
    assert part.label("cycle").tolist() == [1.0] * 10
    with pytest.raises(ScenarioError, match="it has `cycle`"):
        part.label("step")


def test_values_that_are_no_numbers_are_counted() -> None:
    voltage = record().voltage_V.copy()
    voltage[[7, 9]] = np.nan
    assert "2 values that are no numbers, the first in sample 7" in refusal(
        voltage_V=voltage
    )


def test_time_that_goes_back_is_refused_where_it_does() -> None:
    time_s = record().time_s.copy()
    time_s[50] = time_s[48]
    assert "from 490 s to 480 s at sample 50" in refusal(time_s=time_s)


def test_different_lengths_are_refused() -> None:
    assert "(3,), expected (361,)" in refusal(voltage_V=np.full(3, 3.7))


def test_a_gap_is_refused_where_it_is() -> None:
    time_s = record().time_s.copy()
    time_s[200:] += 1000.0
    assert "gap of 1010 s after 1990 s (sample 199)" in refusal(time_s=time_s)
    refuse_gap(record(time_s=time_s), 2000.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"voltage_V": 3700.0 - np.arange(361.0)}, "which is mV: give the unit `mV`"),
        ({"temperature_K": np.full(361, 25.0)}, "which is °C: give the unit `degC`"),
        ({"temperature_K": np.full(361, 9000.0)}, "neither K nor °C"),
        (
            {"current_A": np.full(361, 12500.0)},
            "which looks like mA: give the unit `mA`",
        ),
        (
            {
                "time_s": np.linspace(0.0, 1.0, 361),
                "voltage_V": np.linspace(4.2, 3, 361),
            },
            "minutes or hours: give the unit `h`",
        ),
        (
            {
                "time_s": np.linspace(0, 60.0, 361),
                "voltage_V": np.linspace(4.2, 3, 361),
            },
            "minutes or hours: give the unit `min`",
        ),
    ],
)
def test_other_units_are_named(changes: dict[str, np.ndarray], said: str) -> None:
    assert said in refusal(**changes)


def test_an_inverted_current_is_told_by_jumps_and_by_the_slope() -> None:
    text = refusal(current_A=-record().current_A)
    assert "the voltage jumps up when it rises" in text
    assert "the open-circuit voltage rises with the charge taken out" in text
    assert "`charge_is_positive`" in text


def test_an_inverted_current_is_told_by_the_slope_alone() -> None:
    part = record().part(20, 300)
    with pytest.raises(ScenarioError, match="rises with the charge"):
        check_measurement(replace(part, current_A=-part.current_A))


def test_one_constant_current_is_refused_and_two_are_not() -> None:
    slow = record(current_A=np.full(361, 1.0))
    with pytest.raises(ScenarioError, match="1 A only, expected two different"):
        refuse_unexcited((slow, slow))
    refuse_unexcited((slow, record(current_A=np.full(361, 2.0))))
    refuse_unexcited((record(),))


def test_no_current_at_all_is_refused() -> None:
    idle = record(current_A=np.zeros(361))
    with pytest.raises(ScenarioError, match="no current at all"):
        refuse_unexcited((idle,))
