"""The runs that a scenario asks for: counts and kinds, before any is solved."""

from __future__ import annotations

from collections import Counter

import pytest

from packtwin.scenarios.loading import load_scenario
from packtwin.scenarios.scenario import DatasetSection, TrustSection
from packtwin.scenarios.truth import dataset_plan, trust_plans

pytest.importorskip("pybamm")

EXTRA = ("deep", "whole", "pulse")


def kinds(requests) -> Counter[str]:
    """Count the extra kinds; all others are the designed ones."""
    return Counter(r.kind if r.kind in EXTRA else "designed" for r in requests)


@pytest.fixture(scope="module")
def small():
    """A scenario of 19 designed runs, and twice as many usual ones."""
    trust = TrustSection(n_usual_run=38, n_hot_run=7, n_wide_run=5, n_spread_run=0)
    dataset = DatasetSection(n_run=10, n_deep=3, n_whole=2, n_pulse=4)
    shipped = load_scenario("ev_fast_charge_day")
    return shipped.model_copy(update={"dataset": dataset, "trust": trust})


def test_the_data_set_holds_what_the_scenario_asks_for(small):
    counted = kinds(dataset_plan(small).requests)
    assert counted == {"designed": 10, "deep": 3, "whole": 2, "pulse": 4}


def test_trust_runs_are_as_many_as_asked_and_mixed_like_the_data_set(small):
    plans = {plan.name: kinds(plan.requests) for plan in trust_plans(small)}
    assert plans == {
        "trust/usual": {"designed": 20, "deep": 6, "whole": 4, "pulse": 8},
        "trust/hot": {"designed": 4, "deep": 1, "whole": 1, "pulse": 1},
        "trust/wide": {"designed": 2, "deep": 1, "whole": 1, "pulse": 1},
    }
