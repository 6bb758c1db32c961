import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.variable import Interface, Variable


def test_unit_is_read_from_the_name():
    assert Variable(name="current_A").unit == "A"


def test_unit_that_contradicts_the_name_is_refused():
    with pytest.raises(InterfaceError, match=r"`current_A` promises unit `A`.*`V`"):
        Variable(name="current_A", unit="V")


def test_name_that_is_no_identifier_is_refused():
    with pytest.raises(InterfaceError, match=r"`2nd cell` is not a usable"):
        Variable(name="2nd cell")


def test_start_outside_the_range_is_refused_with_its_unit():
    with pytest.raises(InterfaceError, match=r"starts at -1.0 K, outside .*0.0"):
        Variable(name="temperature_K", start=-1.0, minimum=0.0)


def test_duplicate_name_is_refused():
    a = Variable(name="current_A")
    with pytest.raises(InterfaceError, match=r"`current_A` is used twice"):
        Interface(inputs=(a,), outputs=(a,))


def test_unknown_start_offers_the_nearest_name():
    interface = Interface(parameters=(Variable(name="start_soc", start=0.5),))
    with pytest.raises(InterfaceError, match=r"`start_sok`; nearest: `start_soc`"):
        interface.with_starts({"start_sok": 0.2})
    assert interface.with_starts({"start_soc": 0.2}).parameters[0].start == 0.2
