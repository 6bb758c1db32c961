"""Every master calls components in the order that FMI co-simulation allows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from packtwin.cosim.masters import Adaptive, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_bouncing import bouncing
from packtwin.scenarios.bench_cosim_cases import quarter_car
from packtwin.scenarios.bench_cosim_linear import CUBIC, two_masses
from packtwin.twin.component import Capabilities
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepStatus
from tests.fakes import Fake, Troubled


class Watched:
    """A component that writes down every call its state does not allow."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.violations = inner, []
        self.name, self.interface = inner.name, inner.interface
        self.capabilities, self.feedthrough = inner.capabilities, inner.feedthrough
        self.now: int | None = None  # None: not initialized
        self.awaits_event = self.is_closed = False
        self.log: list[str] = []

    def _expect(self, is_allowed: bool, call: str) -> None:
        self.log.append(call)
        if not is_allowed:
            self.violations.append(f"{call} at {self.now}")

    def initialize(self, tick, u):
        self._expect(u.shape == (len(self.interface.inputs),), "initialize")
        self.now, self.awaits_event, self.is_closed = tick, False, False
        return self.inner.initialize(tick, u)

    def step(self, tick, end_tick, u):
        rows, able = np.atleast_2d(u), self.capabilities
        is_allowed = (
            tick == self.now
            and end_tick > tick
            and not self.awaits_event
            and not self.is_closed
            and len(rows) <= able.input_order + 1
            and rows.shape[1] == len(self.interface.inputs)
            and bool(np.isfinite(rows).all())
        )
        self._expect(is_allowed, "step")
        report = self.inner.step(tick, end_tick, u)
        self.now = report.end_tick
        self.awaits_event = report.status is StepStatus.EVENT
        return report

    def output_derivatives(self):
        is_allowed = self.capabilities.has_output_derivatives and self.now is not None
        self._expect(is_allowed, "output_derivatives")
        return self.inner.output_derivatives()

    def directional_derivative(self, du):
        is_allowed = self.capabilities.can_differentiate and self.now is not None
        self._expect(is_allowed, "directional_derivative")
        return self.inner.directional_derivative(du)

    def handle_event(self, tick, u):
        is_allowed = self.capabilities.has_events and tick == self.now
        self._expect(is_allowed, "handle_event")
        self.awaits_event = False
        return self.inner.handle_event(tick, u)

    def save(self):
        self._expect(self.capabilities.can_rewind and not self.awaits_event, "save")
        return self.now, self.inner.save()

    def restore(self, state):
        is_known = isinstance(state, tuple) and state[0] is not None
        self._expect(self.capabilities.can_rewind and is_known, "restore")
        self.now, inner = state
        self.awaits_event = False
        self.inner.restore(inner)

    def close(self):
        self._expect(True, "close")
        self.is_closed = True
        self.inner.close()


def watched(system: System) -> System:
    return System(
        [Watched(c) for c in system.components],
        system.connections,
        constants=system.constants,
        has_loops=True,
    )


def half_able() -> System:
    return two_masses(Capabilities(input_order=1), CUBIC)


def constant() -> System:
    able = Capabilities(can_rewind=True)
    return two_masses(able, replace(able, can_rewind=False))


ITERATED = [Iterated(), Iterated(substep_count=3)]
RUNS = [
    *((make, m) for make in (two_masses, half_able, constant) for m in ITERATED),
    *((make, m) for make in (quarter_car, bouncing) for m in ITERATED),
    *((make, Adaptive()) for make in (two_masses, quarter_car, bouncing)),
    *((two_masses, m) for m in (Jacobi(), GaussSeidel())),
]


@pytest.mark.parametrize(
    ("make", "master"), RUNS, ids=lambda v: getattr(v, "__name__", str(v))
)
def test_no_call_breaks_the_order_that_fmi_allows(make, master):
    system = watched(make())
    result = simulate(system, stop_s=0.5, step_s=0.05, master=master)
    assert result.status.kind == "completed"
    for component in system.components:
        assert component.violations == []
        assert component.log[0] == "initialize"
        assert component.log[-1] == "close"
        assert component.now == 5 * 10**8


def test_the_watch_sees_a_step_that_starts_elsewhere():
    watch = Watched(Fake("fake"))
    watch.initialize(0, np.zeros(0))
    watch.step(5, 6, np.zeros(0))
    assert watch.violations == ["step at 0"]


@pytest.mark.parametrize("how", ["refuse", "raise", "nan", "inf", "early"])
def test_a_failing_component_ends_the_run_with_its_name_time_and_results(how):
    troubled = Troubled(how, failing_step=4)
    clock = Fake("clock", lambda t, u: [t], outputs=("time_s",))
    system = System([clock, troubled], constants={"troubled.input_A": 1.0})
    with pytest.raises(StepError) as info:
        simulate(system, stop_s=1.0, step_s=0.1, master=Iterated())
    # Four substeps give the first step its slopes; the fourth of them fails.
    assert info.value.component == "troubled"
    assert info.value.time_s == pytest.approx(0.075)
    assert info.value.result.time_s.tolist() == [0.0]
    assert info.value.result.status.kind == "failed"


@pytest.mark.parametrize("master", [Iterated(), Adaptive()])
def test_a_value_that_is_not_finite_is_caught_in_the_step_where_it_appears(master):
    able = Capabilities(can_rewind=True, has_output_derivatives=False)
    law = Fake(
        "law",
        lambda t, u: [math.nan if t > 0.65 else t],
        outputs=("time_s",),
        capabilities=able,
    )
    law.save, law.restore = (lambda: None), (lambda state: None)
    with pytest.raises(StepError, match="not finite: `time_s` = nan") as info:
        simulate(System([law]), stop_s=1.0, step_s=0.1, master=master)
    assert 0.6 <= info.value.time_s <= 0.65
    assert info.value.result.time_s[-1] == 0.6
