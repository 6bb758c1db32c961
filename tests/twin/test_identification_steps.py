"""Steps land on samples, are short after jumps and conserve charge."""

from __future__ import annotations

import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.identification_steps import choose_samples, steps_of
from tests.twin.identification_models import circuit, pulses


def test_steps_land_on_the_samples_and_conserve_charge() -> None:
    made = pulses()
    samples = choose_samples(made, 40)
    steps = steps_of(made, circuit(), samples, {})
    np.testing.assert_array_equal(steps.time_s[steps.samples], made.time_s[samples])
    charge_As = float(np.sum(steps.inputs[:, 0] * np.diff(steps.time_s)))
    assert charge_As == pytest.approx(
        3600.0 * made.charge_Ah[samples[-1]], rel=1e-12, abs=1e-9
    )


def test_steps_are_short_after_a_jump_and_grow() -> None:
    made = pulses()
    steps = steps_of(made, circuit(), np.array([0, len(made.time_s) - 1]), {})
    after = np.diff(steps.time_s[steps.time_s >= 300.001 - 1e-9])
    assert after[0] == pytest.approx(0.05)
    assert np.max(after[:20]) > 10 * after[0]


def test_samples_see_pulses_and_rests() -> None:
    made = pulses()
    samples = choose_samples(made, 40)
    assert len(samples) <= 40
    assert samples[0] == 0
    assert samples[-1] == len(made.time_s) - 1
    for begin, end in ((100, 300), (300, 500), (800, 1000)):
        inside = (made.time_s[samples] > begin) & (made.time_s[samples] < end)
        assert inside.sum() >= 4


def test_refinement_cuts_every_step() -> None:
    made, samples = pulses(), np.array([0, 60, 120])
    coarse = steps_of(made, circuit(), samples, {})
    fine = steps_of(made, circuit(), samples, {}, refinement=3)
    assert len(fine.inputs) == 3 * len(coarse.inputs)
    np.testing.assert_allclose(fine.time_s[::3], coarse.time_s, atol=1e-9)


def test_an_unknown_input_is_refused() -> None:
    with pytest.raises(InterfaceError, match="no input `current`; nearest"):
        steps_of(pulses(), circuit(), np.array([0, 1]), {"current": 1.0})
