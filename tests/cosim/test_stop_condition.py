from __future__ import annotations

import pytest

from packtwin.cosim.stop_condition import StopCondition
from packtwin.twin.errors import ScenarioError


@pytest.mark.parametrize(
    ("relation", "met"),
    [(">=", (2.0, 3.0)), (">", (3.0,)), ("<=", (1.0, 2.0)), ("<", (1.0,))],
)
def test_a_condition_is_met_on_its_side_of_the_bound(relation, met):
    condition = StopCondition.parse(f"pack.soc {relation} 2")
    assert str(condition) == f"pack.soc {relation} 2"
    assert tuple(v for v in (1.0, 2.0, 3.0) if condition.is_met(v)) == met


def test_blanks_do_not_matter():
    assert StopCondition.parse(" a.b[2]>=1e-3") == StopCondition("a.b[2]", ">=", 1e-3)


@pytest.mark.parametrize(
    "text", ["pack.soc", "pack.soc == 1", "pack.soc >= full", ">= 1", "a.b < nan"]
)
def test_what_is_no_condition_is_refused_with_an_example(text):
    with pytest.raises(ScenarioError, match=r"for example `pack\.soc >= 0\.8`"):
        StopCondition.parse(text)
