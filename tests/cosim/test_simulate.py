from __future__ import annotations

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import GaussSeidel, Iterated, Jacobi
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.stop_condition import StopCondition
from packtwin.cosim.system import System
from packtwin.twin.component import Capabilities, StepReport, ticks
from packtwin.twin.errors import ScenarioError, StepError, WiringError
from packtwin.twin.step_map import StepStatus
from tests.fakes import Accumulator, Clock, Fake, Troubled


def troubled(how: str = "refuse", failing_step: int = 4) -> System:
    troubled = Troubled(how, failing_step)
    return System([troubled, Clock()], constants={"troubled.input_A": 1.0})


def charging() -> System:
    source = Fake("source", lambda t, u: [3600.0])
    meter = Accumulator("meter")
    return System([source, meter], [Connection("source.output_A", "meter.input_A")])


def test_a_run_reaches_its_end_and_says_so():
    result = simulate(charging(), stop_s=10.0, step_s=0.5)
    assert (result.status.kind, result.status.time_s) == ("completed", 10.0)
    assert result["meter.charge_Ah"][-1] == pytest.approx(10.0, rel=1e-14)
    assert result.unit("meter.charge_Ah") == "Ah"
    assert result.time_s[-1] == 10.0
    assert result.stats.step_count == len(result.time_s) - 1 == 20
    assert result.stats.real_time_factor == pytest.approx(10.0 / result.stats.wall_s)


def test_a_run_may_start_late():
    result = simulate(System([Clock()]), start_s=5.0, stop_s=6.0, step_s=0.25)
    assert list(result["clock.time_s"]) == [5.0, 5.25, 5.5, 5.75, 6.0]


@pytest.mark.slow
def test_a_million_steps_end_exactly():
    result = simulate(System([Clock()]), stop_s=100_000.0, step_s=0.1)
    assert result.stats.step_count == 1_000_000
    assert result.time_s[-1] == result["clock.time_s"][-1] == 100_000.0


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (("*",), ("source.output_A", "meter.charge_Ah")),
        (("meter.*",), ("meter.charge_Ah",)),
        (("meter.charge_Ah", "*_Ah"), ("meter.charge_Ah",)),
        ((), ()),
    ],
)
def test_chosen_outputs_are_recorded_once_each(record, names):
    result = simulate(charging(), stop_s=1.0, step_s=0.5, record=record)
    assert result.names == names
    assert result.values.shape == (3, len(names))


def test_an_indexed_output_is_recorded_by_its_exact_name():
    fake = Fake("pack", lambda t, u: [1.0, 2.0], outputs=("t_K[0]", "t_K[1]"))
    result = simulate(System([fake]), stop_s=1.0, step_s=1.0, record=("pack.t_K[1]",))
    assert result.names == ("pack.t_K[1]",)


def test_an_unknown_record_offers_the_nearest():
    with pytest.raises(WiringError, match=r"nearest: `meter\.charge_Ah`"):
        simulate(charging(), stop_s=1.0, step_s=0.5, record=("meter.chrge_Ah",))


@pytest.mark.parametrize(
    "stop_when",
    [
        "meter.charge_Ah >= 2.9",
        StopCondition("meter.charge_Ah", ">=", 2.9),
        ("source.output_A < 0", "meter.charge_Ah >= 2.9"),
    ],
)
def test_a_condition_ends_the_run_after_the_step_that_meets_it(stop_when):
    result = simulate(charging(), stop_s=10.0, step_s=1.0, stop_when=stop_when)
    assert result.status.kind == "stopped"
    assert result.status.reason == "meter.charge_Ah >= 2.9"
    assert result.status.time_s == result.time_s[-1] == 3.0
    assert result["meter.charge_Ah"][-2:] == pytest.approx([2.0, 3.0])


def test_a_function_of_the_signals_ends_the_run_and_gives_its_name():
    def is_charged(signals):
        assert dict(signals).keys() == {"source.output_A", "meter.charge_Ah"}
        return signals["meter.charge_Ah"] > 1.5

    result = simulate(charging(), stop_s=10.0, step_s=1.0, stop_when=is_charged)
    assert (result.status.reason, result.status.time_s) == ("is_charged", 2.0)


def test_a_condition_on_an_unknown_signal_is_refused_before_the_run():
    with pytest.raises(WiringError, match=r"no output `meter\.soc`"):
        simulate(charging(), stop_s=1.0, step_s=1.0, stop_when="meter.soc > 1")
    with pytest.raises(WiringError, match=r"no output `meter\.soc`"):
        simulate(
            charging(), stop_s=1.0, step_s=1.0, stop_when=lambda s: s["meter.soc"] > 1
        )


@pytest.mark.parametrize("how", ["refuse", "nan", "inf", "raise", "early"])
def test_a_failure_keeps_the_results_so_far(how):
    with pytest.raises(StepError) as caught:
        simulate(troubled(how), stop_s=10.0, step_s=1.0)
    result = caught.value.result
    assert isinstance(result, Result)
    assert list(result["troubled.count"]) == [0.0, 1.0, 2.0, 3.0]
    assert list(result.time_s) == list(result["clock.time_s"]) == [0.0, 1.0, 2.0, 3.0]
    assert result.status.kind == "failed"
    assert (result.status.component, result.status.time_s) == ("troubled", 3.0)
    assert result.status.reason == caught.value.reason


def test_a_failure_can_be_a_status():
    result = simulate(troubled(), stop_s=10.0, step_s=1.0, throw=False)
    assert result.status.kind == "failed"
    assert result.status.reason == "it refused the step: the voltage is too low"
    assert result.stats.step_count == 3


@pytest.mark.parametrize("master", [GaussSeidel(), Iterated()])
def test_a_component_may_ask_to_end_and_that_is_no_failure(master):
    clock = Clock()
    step = clock.step
    end = StepReport(
        outputs=np.zeros(1),
        end_tick=ticks(3.0),
        status=StepStatus.ENDED,
        message="done",
    )
    clock.step = lambda *now: end if now[0] >= ticks(3.0) else step(*now)
    result = simulate(System([clock]), stop_s=10.0, step_s=1.0, master=master)
    assert (result.status.kind, result.status.time_s) == ("stopped", 3.0)
    assert result.status.component == "clock"
    assert result.status.reason == "`clock` asks to end at 3 s: done"
    assert list(result["clock.time_s"]) == [0.0, 1.0, 2.0, 3.0]
    assert result.stats.step_count == 3


def test_a_failed_start_gives_an_empty_result():
    result = simulate(troubled(failing_step=0), stop_s=1.0, step_s=1.0, throw=False)
    assert result.values.shape == (0, 2)
    assert result.status.component == "troubled"


@pytest.mark.parametrize("how", ["refuse", "none"])
def test_components_are_closed_however_the_run_ends(how):
    system = troubled(how)
    simulate(system, stop_s=10.0, step_s=1.0, throw=False)
    assert system.component("clock").log[-1][0] == "close"


def test_components_are_closed_when_the_caller_interrupts():
    system = charging()

    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(system, stop_s=1.0, step_s=0.1, progress=interrupt)
    assert system.component("meter").log[-1][0] == "close"


def test_a_second_run_repeats_the_first():
    system = charging()
    first, second = (simulate(system, stop_s=5.0, step_s=0.1) for _ in range(2))
    assert (first.values == second.values).all()


def test_progress_rises_to_one_in_about_a_hundred_calls():
    seen: list[float] = []
    simulate(charging(), stop_s=100.0, step_s=0.1, progress=seen.append)
    assert seen == sorted(seen)
    assert (len(seen), seen[-1]) == (100, 1.0)


def test_time_per_component_is_measured_on_request():
    timed = simulate(charging(), stop_s=10.0, step_s=0.1, has_timing=True).stats
    assert set(timed.component_seconds) == {"source", "meter"}
    assert 0.0 < sum(timed.component_seconds.values()) < timed.wall_s
    assert simulate(charging(), stop_s=1.0, step_s=0.1).stats.component_seconds == {}


def test_the_order_of_steps_and_the_versions_are_reported():
    provenance = simulate(
        charging(), stop_s=1.0, step_s=0.1, master=Jacobi()
    ).provenance
    assert provenance["master"] == "Jacobi"
    assert provenance["order"] == "source > meter"
    assert provenance["lagged"] == "source.output_A -> meter.input_A"
    assert {"packtwin", "python", "numpy", "created_utc", "step_s"} <= set(provenance)


def test_a_step_that_a_component_cannot_take_is_refused_before_the_run():
    fixed = Fake("ecu", capabilities=Capabilities(fixed_step_s=0.1))
    with pytest.raises(WiringError, match=r"`ecu` only takes steps of 0\.1 s"):
        simulate(System([fixed]), stop_s=1.0, step_s=0.25)
    simulate(System([fixed]), stop_s=1.0, step_s=0.2)
    equal = Fake("equal", capabilities=Capabilities(has_variable_step=False))
    with pytest.raises(WiringError, match="`equal` needs equal steps"):
        simulate(System([equal]), stop_s=1.0, step_s=0.3)


def test_times_out_of_order_are_refused():
    with pytest.raises(ScenarioError, match="the end after the start"):
        simulate(charging(), stop_s=-1.0, step_s=0.1)
