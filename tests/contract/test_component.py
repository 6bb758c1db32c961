"""What every `Component` promises; add a factory to `FACTORIES` to have it checked.

A factory makes a fresh component that can run from 0 s to 10 s with inputs near their
start values.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import casadi as ca
import numpy as np
import pytest

from packtwin.cosim.charge_rules import CcCvCharger, CcCvConfig
from packtwin.cosim.cooling_rules import (
    CoolingRules,
    CoolingRulesConfig,
    CoolingThresholds,
    cooling_controller,
)
from packtwin.cosim.function_component import PeriodicComponent
from packtwin.cosim.multirate import MultirateComponent
from packtwin.cosim.sources import SignalSource
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.twin.bound_monitor import bound_monitor
from packtwin.twin.compiled import CompiledStepMap, compile_step_map
from packtwin.twin.component import Component, StepMapComponent, seconds, ticks
from packtwin.twin.component_roles import SensitiveComponent
from packtwin.twin.implicit import implicit_source
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.native_component import NativeComponent
from packtwin.twin.native_step import NATIVE_SIGNATURE
from packtwin.twin.sensitivities import Cause, Effect, TakenStep
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.units import unit_of_name
from packtwin.twin.variable import Interface, Variable
from tests.cosim.charge_cell import make_cell
from tests.cosim.charge_plant import make_mpc


def step_map_component() -> Component:
    return StepMapComponent(circuit())


def compiled_component() -> Component:
    return StepMapComponent(compiled_circuit())


@cache
def compiled_circuit() -> CompiledStepMap:
    """The circuit of `step_map_component` as implicit step map in C."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTWIN_CACHE", tempfile.mkdtemp(prefix="packtwin-contract-"))
        return compile_step_map(implicit_source(circuit_model()))


def circuit() -> StepMap:
    return integrate(circuit_model(), symbol=ca.SX)


def circuit_model() -> Model:
    """A resistor and a capacitor at a voltage; the resistor feeds through."""
    interface = Interface(
        inputs=(Variable(name="voltage_V", start=1.0),),
        outputs=(
            Variable(name="capacitor_V"),
            Variable(name="current_A"),
            Variable(name="mean_A", sampling="mean"),
        ),
        parameters=(Variable(name="resistance_Ohm", start=2.0),),
    )
    states = (Variable(name="state_V"),)
    t = ca.SX.sym("t")
    x, at = names_to_symbols(states, "x")
    u, by = names_to_symbols(interface.inputs, "u")
    p, of = names_to_symbols(interface.parameters, "p")
    current = (by["voltage_V"] - at["state_V"]) / of["resistance_Ohm"]
    return model_from_expressions(
        "circuit",
        interface,
        states,
        symbols=(t, x, u, p),
        rhs={"state_V": current},
        outputs={"capacitor_V": at["state_V"], "current_A": current, "mean_A": current},
        initial={"state_V": ca.SX(0)},
    )


def signal_source() -> Component:
    draw = np.random.default_rng(0).normal(size=(2, 21))
    columns = {"speed_m_per_s": draw[0], "power_W": draw[1]}
    return SignalSource("cycle", np.linspace(0.0, 10.0, 21), columns, mean=("power_W",))


def periodic_component() -> Component:
    """A sampled sum that changes its memory in place."""
    interface = Interface(
        inputs=(Variable(name="error_A"),), outputs=(Variable(name="order_A"),)
    )

    def add(time_s, u, memory):
        memory["sum"] += u[0] + time_s
        return [memory["sum"]], memory

    return PeriodicComponent("law", interface, 0.7, add, memory={"sum": 0.0})


@cache
def circuit_fmu() -> Path:
    """The circuit of `step_map_component` as a file."""
    folder = Path(tempfile.mkdtemp(prefix="packtwin-contract-"))
    return export_fmu(circuit(), folder / "circuit.fmu")


def fmu_component() -> Component:
    return FmuComponent(circuit_fmu())


@cache
def cell() -> StepMap:
    return make_cell()


def slower_component() -> Component:
    return MultirateComponent(step_map_component(), step_s=1.5, continues=True)


def faster_component() -> Component:
    return MultirateComponent(step_map_component(), step_s=0.125, continues=True)


def charge_mpc() -> Component:
    """It charges: the start is at 50 %, plans are made every two seconds."""
    return make_mpc(cell(), interval_s=(2.0,) * 4, period_s=2.0)


def cccv_charger() -> Component:
    config = CcCvConfig(
        n_series=4,
        n_parallel=3,
        cell_capacity_Ah=5.0,
        c_rate=1.0,
        cell_voltage_limit_V=4.2,
    )
    return CcCvCharger(config)


def sampled_rules() -> Component:
    return StepMapComponent(cooling_controller())


def sampled_monitor() -> Component:
    return StepMapComponent(bound_monitor())


def cooling_rules() -> Component:
    driving = CoolingThresholds(
        heat_below_K=283.15, cool_above_K=297.15, chill_above_K=308.15
    )
    return CoolingRules(CoolingRulesConfig(driving=driving, charging=driving))


FACTORIES = [
    step_map_component,
    compiled_component,
    signal_source,
    periodic_component,
    fmu_component,
    slower_component,
    faster_component,
    charge_mpc,
    cccv_charger,
    cooling_rules,
    sampled_rules,
    sampled_monitor,
]
Factory = Callable[[], Component]

STEP = ticks(0.5)


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def factory(request) -> Factory:
    return request.param


@pytest.fixture
def component(factory):
    component = factory()
    yield component
    component.close()


def inputs(component: Component, k: int) -> np.ndarray:
    """Inputs of step k: the starts, moved by up to a hundredth of the nominal."""
    variables = component.interface.inputs
    moves = np.random.default_rng(k).uniform(-0.01, 0.01, len(variables))
    return np.array(
        [
            np.clip(v.start + move * v.nominal, v.minimum, v.maximum)
            for v, move in zip(variables, moves, strict=True)
        ]
    )


def run(component: Component, first: int = 0, last: int = 12) -> np.ndarray:
    """Outputs of steps `first` to `last`."""
    rows = []
    for k in range(first, last):
        report = component.step(k * STEP, (k + 1) * STEP, inputs(component, k))
        assert report.status is StepStatus.OK, report.message
        assert report.end_tick == (k + 1) * STEP
        rows.append(np.array(report.outputs))
    return np.array(rows)


def start(component: Component) -> np.ndarray:
    return np.array(component.initialize(0, inputs(component, 0)))


def test_name_can_be_used_in_ports(component):
    assert component.name
    assert "." not in component.name


def test_every_variable_carries_the_unit_its_name_promises(component):
    interface = component.interface
    for variable in (*interface.inputs, *interface.outputs, *interface.parameters):
        assert variable.unit == unit_of_name(variable.name)


def test_feedthrough_names_inputs_and_outputs(component):
    interface = component.interface
    for source, target in component.feedthrough:
        assert source in interface.input_names
        assert target in interface.output_names


def test_start_outputs_change_only_with_inputs_that_feed_through(component):
    before = start(component)
    names = component.interface.output_names
    for i, variable in enumerate(component.interface.inputs):
        u = inputs(component, 0)
        u[i] += 0.01 * variable.nominal
        changed = np.flatnonzero(component.initialize(0, u) != before)
        pairs = {(variable.name, names[j]) for j in changed}
        assert pairs <= component.feedthrough


def test_life_cycle_gives_finite_float_vectors_in_interface_order(component):
    shape = (len(component.interface.outputs),)
    first = component.initialize(0, inputs(component, 0))
    assert first.shape == shape
    report = component.step(0, STEP, inputs(component, 0))
    for outputs in (first, report.outputs):
        assert outputs.shape == shape
        assert outputs.dtype == np.float64
        assert np.isfinite(outputs).all()


def test_inputs_are_neither_changed_nor_kept(component, factory):
    start(component)
    u = inputs(component, 0)
    before = u.copy()
    component.step(0, STEP, u)
    np.testing.assert_array_equal(u, before)
    u[...] = 1e3  # the caller's buffer is free again
    other = factory()
    start(other)
    run(other, 0, 1)
    np.testing.assert_array_equal(run(component, 1, 4), run(other, 1, 4))
    other.close()


def test_two_instances_give_the_same_bits_and_do_not_meet(component, factory):
    other = factory()
    assert (start(component) == start(other)).all()
    rows, others = [], []
    for k in range(12):
        rows.append(run(component, k, k + 1))
        others.append(run(other, k, k + 1))
    np.testing.assert_array_equal(rows, others)
    other.close()


def test_initializing_again_equals_a_fresh_component(component):
    first, rows = start(component), run(component)
    np.testing.assert_array_equal(start(component), first)
    np.testing.assert_array_equal(run(component), rows)


def test_initializing_twice_without_a_step_changes_nothing(component):
    first = start(component)
    component.initialize(0, inputs(component, 5))
    np.testing.assert_array_equal(start(component), first)
    rows = run(component)
    start(component)
    np.testing.assert_array_equal(run(component), rows)


def test_a_rewound_component_replays_bit_by_bit_and_twice(component):
    if not component.capabilities.can_rewind:
        pytest.skip("cannot rewind")
    start(component)
    run(component, 0, 3)
    state = component.save()
    rows = run(component, 3, 12)
    for _ in range(2):
        component.restore(state)
        np.testing.assert_array_equal(run(component, 3, 12), rows)


def test_one_row_of_a_taylor_polynomial_is_a_constant(component, factory):
    other = factory()
    start(component)
    start(other)
    u = inputs(component, 0)
    if component.capabilities.input_order:
        rows = component.step(0, STEP, np.stack([u, np.zeros_like(u)])).outputs
        constant = other.step(0, STEP, u).outputs
        np.testing.assert_allclose(rows, constant, rtol=1e-9, atol=1e-12)
    other.close()


def test_output_derivatives_are_those_of_a_short_step(component):
    if not component.capabilities.has_output_derivatives:
        pytest.skip("has no output derivatives")
    start(component)
    run(component, 0, 3)
    is_end = np.array([v.sampling == "end" for v in component.interface.outputs])
    u, tick, short = inputs(component, 3), 3 * STEP, ticks(1e-5)
    before = component.step(tick, tick + short, u).outputs
    slopes = component.output_derivatives()
    after = component.step(tick + short, tick + 2 * short, u).outputs
    difference = (after - before) / 1e-5
    np.testing.assert_allclose(slopes[is_end], difference[is_end], rtol=1e-4)


def test_directional_derivatives_of_the_start_are_differences(component):
    if not component.capabilities.can_differentiate:
        pytest.skip("has no directional derivatives")
    u = inputs(component, 0)
    for i, variable in enumerate(component.interface.inputs):
        along = np.zeros(len(u))
        along[i] = 1e-4 * variable.nominal
        change = component.initialize(0, u + along) - component.initialize(0, u - along)
        component.initialize(0, u)
        slope = component.directional_derivative(2.0 * along)
        np.testing.assert_allclose(slope, change, rtol=1e-6, atol=1e-12)


def test_gradients_of_start_and_step_are_transposed_tangents(component):
    y0 = start(component)
    known = None
    if isinstance(component, SensitiveComponent):
        known = component.sensitivities()
    if known is None:
        pytest.skip("has no sensitivities")
    u, rng = inputs(component, 0), np.random.default_rng(8)
    n, n_p = known.memory_count, len(component.interface.parameters)
    states = [None, component.save()]
    component.step(0, STEP, u)
    states.append(component.save())
    for k, span_s in enumerate((0.0, seconds(STEP))):
        before, after = states[k : k + 2]
        taken = TakenStep(
            start_s=0.0, span_s=span_s, inputs=u, before=before, after=after
        )
        cause = Cause(
            memory=rng.normal(size=n if k else 0),
            inputs=rng.normal(size=len(u)),
            parameters=rng.normal(size=n_p),
        )
        effect = Effect(memory=rng.normal(size=n), outputs=rng.normal(size=len(y0)))
        there, back = known.push_forward(taken, cause), known.pull_back(taken, effect)
        one = there.memory @ effect.memory + there.outputs @ effect.outputs
        two = back.inputs @ cause.inputs + back.parameters @ cause.parameters
        assert two + back.memory @ cause.memory == pytest.approx(one, rel=1e-11)


def test_closing_twice_is_fine(component):
    start(component)
    component.close()
    component.close()


def test_closing_before_the_start_is_fine(component):
    component.close()


def test_a_closed_component_can_start_over(component):
    first, rows = start(component), run(component)
    component.close()
    np.testing.assert_array_equal(start(component), first)
    np.testing.assert_array_equal(run(component), rows)


def test_native_steps_give_the_same_bits_and_python_goes_on_from_them(
    component, factory
):
    if not isinstance(component, NativeComponent):
        pytest.skip("has no step in C")
    other = factory()
    start(component)
    start(other)
    native = component.native_step()
    step, rows = NATIVE_SIGNATURE(native.function), []
    for k in range(12):
        u, y = inputs(component, k), np.zeros(len(component.interface.outputs))
        vectors = (v.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for v in (u, y))
        assert step(native.self, k * STEP, (k + 1) * STEP, *vectors) == 0
        rows.append(y)
    np.testing.assert_array_equal(rows, run(other))
    np.testing.assert_array_equal(run(component, 12, 15), run(other, 12, 15))
    other.close()


def test_steps_of_other_lengths_are_taken_as_promised(component):
    if not component.capabilities.has_variable_step:
        pytest.skip("takes equal steps only")
    start(component)
    tick = 0
    for length in (STEP, STEP // 3, 7, 3 * STEP):
        report = component.step(tick, tick + length, inputs(component, 0))
        tick += length
        assert (report.status, report.end_tick) == (StepStatus.OK, tick)
