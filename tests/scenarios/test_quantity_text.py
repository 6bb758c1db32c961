"""A figure is written with the unit of its name."""

from __future__ import annotations

import math

import pytest

from packtwin.scenarios.quantity_text import quantity_text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("charge_time_s", 1704.0, "28.4 min"),
        ("solve_time_s", 0.01434, "14.3 ms"),
        ("step_time_s", 1.7e-6, "1.7 µs"),
        ("temperature_max_K", 318.15, "45.0 °C"),
        ("temperature_rms_K", 0.0712, "0.0712 K"),
        ("slack_max_K", 0.25, "0.25 K"),
        ("cell_voltage_max_V", 4.1987, "4.199 V"),
        ("voltage_V", 351.26, "351.3 V"),
        ("plating_potential_min_V", -0.0052, "−5.2 mV"),
        ("slack_max_V", -1e-11, "0.0 mV"),
        ("charge_energy_J", 1.32e8, "36.7 kWh"),
        ("pump_J", 23427.0, "6.51 Wh"),
        ("residual_J", 1909.9, "1910 J"),
        ("residual_fraction", 1.1e-16, "1.1·10⁻¹⁴ %"),
        ("charge_start_soc", 0.1, "10 %"),
        ("cccv_c_rate", 0.62, "0.62 C"),
        ("real_time_factor", 841.95, "842 ×"),
        ("drive_distance_m", 36120.0, "36.1 km"),
        ("plan_count", 122.0, "122"),
        ("is_searched", True, "yes"),
    ],
)
def test_value_is_scaled_and_carries_its_unit(
    name: str, value: object, text: str
) -> None:
    assert quantity_text(name, value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "not computed"), (math.nan, "not a number"), (math.inf, "unbounded")],
)
def test_value_that_is_no_number_is_said_in_words(value: object, words: str) -> None:
    assert quantity_text("charge_time_s", value) == words
