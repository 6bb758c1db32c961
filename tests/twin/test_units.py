import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.units import UNITS, convert, unit_of_name


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("current_A", "A"),
        ("charge_Ah", "Ah"),
        ("heat_transfer_coefficient_W_per_m2K", "W/(m2.K)"),
        ("speed_m_per_s", "m/s"),
        ("acceleration_m_per_s2", "m/s2"),
        ("temperature_K[3]", "K"),
        ("concentration_mol_per_m3[3,12]", "mol/m3"),
        ("diffusivity_m2_per_s", "m2/s"),
        ("conductivity_S_per_m", "S/m"),
        ("maximum_slew_A_per_s", "A/s"),
        ("soc", "1"),
    ],
)
def test_suffix_gives_the_unit(name, unit):
    assert unit_of_name(name) == unit


def test_celsius_converts_with_its_offset():
    assert convert(25.0, "degC", "K") == 298.15
    assert convert(298.15, "K", "degC") == pytest.approx(25.0, abs=1e-12)


def test_conversion_between_quantities_names_both():
    with pytest.raises(InterfaceError, match=r"`V` to `A`: different quantities"):
        convert(1.0, "V", "A")


def test_unknown_unit_lists_known_ones():
    with pytest.raises(InterfaceError, match=r"Unknown unit `furlong`; known are .*kg"):
        convert(1.0, "furlong", "m")


@pytest.mark.parametrize("name", sorted(UNITS))
def test_every_unit_round_trips_through_si(name):
    si = next(
        other
        for other in UNITS.values()
        if other.exponents == UNITS[name].exponents
        and other.factor == 1.0
        and other.offset == 0.0
    )
    there = convert(7.25, name, si.name)
    assert convert(there, si.name, name) == pytest.approx(7.25, rel=1e-12)
