from __future__ import annotations

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.measured_order import measured_order
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_cases import (
    cell_and_controller,
    exact_cell,
    exact_quarter_car,
    quarter_car,
)
from packtwin.scenarios.bench_cosim_linear import CUBIC, LinearComponent
from packtwin.twin.component import ticks
from packtwin.twin.variable import Variable
from tests.fakes import Fake

MEASURED = GaussSeidel(is_measured=True)


def turned(system: System) -> System:
    return System(system.components[::-1], system.connections)


def integrator(name: str, gain: float, source: str) -> LinearComponent:
    """X' = gain * u, of the displacement that `source` tells."""
    return LinearComponent(
        name,
        ([[0.0]], [[gain]], [[1.0]], [[0.0]]),
        [1.0],
        (Variable(name=f"{source}_m"),),
        (Variable(name=f"{name}_m"),),
        CUBIC,
    )


def ring(gains: dict[str, float], declared: str) -> System:
    """A ring in which each follows the one before, with its own gain."""
    names = list(gains)
    before = dict(zip(names, names[-1:] + names[:-1], strict=True))
    parts = [integrator(name, gains[name], before[name]) for name in declared]
    wires = [
        Connection(f"{before[n]}.{n2}_m", f"{n}.{n2}_m") for n, n2 in before.items()
    ]
    return System(parts, wires)


@pytest.mark.parametrize("declared", ["abc", "cba", "bca"])
def test_the_weakest_wire_of_a_ring_is_delayed(declared: str) -> None:
    """In a ring one wire must be delayed; that into `b` weighs least."""
    system = ring({"a": 0.5, "b": 1e-3, "c": 0.7}, declared)
    grid = tuple(ticks(0.1 * k) for k in range(4))
    order = MEASURED.order(system, grid)
    assert order.components == ("b", "c", "a")
    assert [str(c.target) for c in order.lagged] == ["b.a_m"]
    assert order.remark.startswith("measured: delays ")


def test_equal_weights_leave_the_declared_order() -> None:
    for declared in ("abc", "bca", "cab"):
        system = ring(dict.fromkeys("abc", 0.5), declared)
        grid = tuple(ticks(0.1 * k) for k in range(4))
        assert MEASURED.order(system, grid).components == tuple(declared)


@pytest.mark.parametrize(
    ("make", "exact", "stop_s", "step_s", "gain"),
    [
        (quarter_car, exact_quarter_car, 2.0, 1e-3, 1.3),
        (cell_and_controller, exact_cell, 600.0, 10.0, 4.0),
    ],
)
def test_a_badly_declared_system_gains_what_the_order_is_worth(
    make, exact, stop_s: float, step_s: float, gain: float
) -> None:
    errors = []
    for master in (GaussSeidel(), MEASURED):
        system = turned(make())
        result = simulate(system, stop_s=stop_s, step_s=step_s, master=master)
        values = np.column_stack([result[name] for name in make().output_names])
        wanted = exact(result.time_s)
        size = np.abs(wanted).max(axis=0)
        errors.append(np.sqrt(np.mean(((values - wanted) / size) ** 2)))
    assert errors[0] >= gain * errors[1]


def test_the_result_says_what_was_measured_and_repeats() -> None:
    runs = [
        simulate(turned(quarter_car()), stop_s=0.1, step_s=1e-3, master=MEASURED)
        for _ in range(2)
    ]
    text = runs[0].provenance["order"]
    assert text.startswith("wheel > chassis (measured: delays 0.0")
    assert runs[1].provenance["order"] == text
    np.testing.assert_array_equal(runs[0].values, runs[1].values)


@pytest.mark.parametrize(
    ("system", "count", "reason"),
    [
        (ring({"a": 0.5, "b": 1.0}, "ab"), 3, "fewer than 3 steps"),
        (
            System(
                [
                    Fake("a", inputs=("b_m",), outputs=("a_m",)),
                    integrator("b", 1.0, "a"),
                ],
                [Connection("a.a_m", "b.a_m"), Connection("b.b_m", "a.b_m")],
            ),
            4,
            "a cannot rewind",
        ),
        (System([integrator("a", 1.0, "b")], constants={"a.b_m": 1.0}), 4, "no ring"),
        (ring(dict.fromkeys("abcdefghijk", 1.0), "abcdefghijk"), 4, "more than 10"),
    ],
)
def test_where_nothing_can_be_measured_the_declared_order_stays(
    system: System, count: int, reason: str
) -> None:
    declared = GaussSeidel().order(system)
    found = measured_order(
        system, declared, tuple(ticks(0.1 * k) for k in range(count))
    )
    assert found.components == declared.components
    assert found.lagged == declared.lagged
    assert found.remark.startswith("declared: ")
    assert reason in found.remark
