"""The law of the capacity is found again, and a floor that nothing shows is refused."""

from __future__ import annotations

import numpy as np
import pytest

from packtwin.twin.capacity_fade import fit_fade, throughput_before
from packtwin.twin.errors import TrainingError

ALL = ("capacity_fresh_Ah", "capacity_floor_Ah", "fade_charge_Ah")


def life(n: int, floor_Ah: float, fade_Ah: float) -> np.ndarray:
    found = [2.0]
    out_Ah = 0.0
    for _ in range(n - 1):
        out_Ah += found[-1]
        found.append(floor_Ah + (2.0 - floor_Ah) * np.exp(-out_Ah / fade_Ah))
    return np.array(found)


def test_the_law_is_recovered_and_continued_exactly() -> None:
    capacity_Ah = life(120, 0.0, 400.0)
    found = fit_fade(capacity_Ah[:60])
    assert found.values["fade_charge_Ah"] == pytest.approx(400.0, rel=1e-7)
    ahead = found.at(throughput_before(capacity_Ah))
    np.testing.assert_allclose(ahead, capacity_Ah, rtol=1e-8)


def test_a_floor_is_found_where_the_fade_runs_out() -> None:
    found = fit_fade(life(400, 1.2, 150.0), ALL)
    assert found.values["capacity_floor_Ah"] == pytest.approx(1.2, rel=1e-6)


def test_a_floor_that_is_far_below_is_refused_with_its_companion() -> None:
    noise = 0.01 * np.random.default_rng(4).normal(size=40)
    with pytest.raises(TrainingError, match="`fade_charge_Ah`") as caught:
        fit_fade(life(40, 1.0, 400.0) + noise, ALL)
    assert "`capacity_floor_Ah`" in str(caught.value)


def test_a_capacity_that_does_not_fall_is_refused() -> None:
    with pytest.raises(TrainingError, match="expected it to fall"):
        fit_fade(np.linspace(1.0, 1.1, 9))
    with pytest.raises(TrainingError, match="nearest"):
        fit_fade(life(9, 0.0, 400.0), ("fade_charge",))
