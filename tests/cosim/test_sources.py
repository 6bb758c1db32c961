from __future__ import annotations

import ctypes
from itertools import pairwise

import numpy as np
import pytest

from packtwin.cosim.sources import SignalSource
from packtwin.twin.component import ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.native_step import NATIVE_SIGNATURE
from packtwin.twin.step_map import StepStatus

NONE = np.zeros(0)


def source(**kwargs) -> SignalSource:
    columns = {
        "speed_m_per_s": [0.0, 10.0, 10.0, 4.0],
        "mean_m_per_s": [0.0, 10.0, 10.0, 4.0],
        "is_driving": [0.0, 1.0, 1.0, 0.0],
        "mean_flag": [0.0, 1.0, 1.0, 0.0],
    }
    return SignalSource(
        "cycle",
        [0.0, 1.0, 3.0, 4.0],
        columns,
        mean=("mean_m_per_s", "mean_flag"),
        stepwise=("is_driving", "mean_flag"),
        **kwargs,
    )


def outputs(start_s: float, end_s: float, **kwargs) -> list[float]:
    report = source(**kwargs).step(ticks(start_s), ticks(end_s), NONE)
    assert report.status is StepStatus.OK
    return list(report.outputs)


@pytest.mark.parametrize(
    ("start_s", "end_s", "speed", "mean_speed", "flag", "mean_flag"),
    [
        (0.0, 1.0, 10.0, 5.0, 1.0, 0.0),  # one whole piece
        (0.25, 0.75, 7.5, 5.0, 0.0, 0.0),  # inside one piece
        (1.0, 3.0, 10.0, 10.0, 1.0, 1.0),  # a constant piece
        (0.5, 1.5, 10.0, 0.5 * 7.5 + 0.5 * 10.0, 1.0, 0.5),  # over a kink
        (0.0, 4.0, 4.0, (5.0 + 20.0 + 7.0) / 4.0, 0.0, 3.0 / 4.0),  # over all
        (3.5, 4.0, 4.0, 5.5, 0.0, 1.0),  # to the last row
    ],
)
def test_columns_are_sampled_at_the_end_or_averaged_exactly(
    start_s, end_s, speed, mean_speed, flag, mean_flag
):
    assert outputs(start_s, end_s) == [speed, mean_speed, flag, mean_flag]


def test_means_sum_to_the_integral_of_the_table_on_any_grid():
    draw = np.random.default_rng(1)
    time_s = np.cumsum(draw.uniform(0.1, 2.0, 300))
    power_W = draw.normal(0.0, 1e4, 300)
    cycle = SignalSource("c", time_s, {"power_W": power_W}, mean=("power_W",))
    # The table's own times are whole ticks.
    knots_s = np.array([ticks(t) for t in time_s]) / 1e9
    exact_J = np.trapezoid(power_W, knots_s)
    grid = np.linspace(ticks(time_s[0]), ticks(time_s[-1]), 778).round().astype(int)
    grid[-1] = ticks(time_s[-1])
    total_J = sum(
        cycle.step(int(a), int(b), NONE).outputs[0] * (b - a) / 1e9
        for a, b in pairwise(grid)
    )
    assert total_J == pytest.approx(exact_J, abs=1e-12 * np.abs(power_W).sum())


def test_the_start_gives_the_values_there_for_means_too():
    assert list(source().initialize(ticks(0.5), NONE)) == [5.0, 5.0, 0.0, 0.0]


def test_interface_says_how_each_column_is_sampled():
    interface = source().interface
    assert [v.sampling for v in interface.outputs] == ["end", "mean", "end", "mean"]
    assert [v.variability for v in interface.outputs][1:3] == ["continuous", "discrete"]
    assert interface.outputs[0].unit == "m/s"


def test_a_step_beyond_the_table_is_refused_and_says_what_to_do():
    report = source().step(ticks(3.5), ticks(4.5), NONE)
    assert report.status is StepStatus.REFUSED
    assert report.end_tick == ticks(3.5)
    assert "4.5 s is outside the table of `cycle`, 0 s to 4 s" in report.message
    with pytest.raises(StepError, match="outside the table"):
        source().initialize(ticks(-1.0), NONE)


def test_the_edge_rows_can_be_held():
    held = [4.0, 0.5 * 5.5 + 0.5 * 4.0, 0.0, 0.5]
    assert outputs(3.5, 4.5, beyond="hold") == held
    assert outputs(100.0, 101.0, beyond="hold") == [4.0, 4.0, 0.0, 0.0]
    before = list(source(beyond="hold").initialize(ticks(-5.0), NONE))
    assert before == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("time_s", "columns", "mean", "words"),
    [
        ([0.0, 0.0], {"x_A": [1.0, 2.0]}, (), "must increase"),
        ([0.0], {"x_A": [1.0]}, (), "two or more"),
        ([0.0, 1.0], {"x_A": [1.0]}, (), r"shape \(1,\), expected \(2,\)"),
        ([0.0, 1.0], {"x_A": [1.0, np.nan]}, (), "finite values"),
        ([0.0, 1.0], {}, (), "no columns"),
        ([0.0, 1.0], {"x_A": [1.0, 2.0]}, ("y_A",), "no column `y_A`; nearest: `x_A`"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(time_s, columns, mean, words):
    with pytest.raises(InterfaceError, match=words):
        SignalSource("cycle", time_s, columns, mean=mean)


@pytest.mark.fmu
@pytest.mark.parametrize("beyond", ["refuse", "hold"])
def test_the_step_in_c_gives_the_same_bits_and_refusals(beyond):
    table = source(beyond=beyond)
    native = table.native_step()
    step = NATIVE_SIGNATURE(native.function)
    edges = [-1.0, -0.3, 0.0, 0.1, 0.7, 1.0, 3.2, 3.9, 4.0, 5.0, 1.5, 3.3, 0.25, 90.0]
    for start_s, end_s in pairwise(edges):
        start, end = sorted((ticks(start_s), ticks(end_s)))
        y = np.zeros(4)
        given = (v.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for v in (NONE, y))
        status = step(native.self, start, end, *given)
        report = table.step(start, end, NONE)
        assert status == (report.status is not StepStatus.OK)
        if status:
            resumed = native.resume(status, start, end, NONE)
            assert resumed.message == report.message
        else:
            np.testing.assert_array_equal(y, report.outputs)


def test_rows_too_far_apart_for_c_are_left_to_python():
    far = SignalSource("far", [0.0, 1e7], {"speed_m_per_s": [0.0, 1.0]})
    assert far.native_step() is None
