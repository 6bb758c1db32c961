"""Ten-line components with exact answers, for tests of what steps them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.component import Capabilities, StepReport, seconds
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface, Variable

Vector = NDArray[np.float64]
Law = Callable[[float, Vector], "list[float]"]


class Fake:
    """Outputs are a law of the end time and the inputs; it logs every call."""

    def __init__(
        self,
        name: str,
        law: Law = lambda t, u: [1.0],
        *,
        inputs: tuple[str, ...] = (),
        outputs: tuple[str, ...] = ("output_A",),
        mean: tuple[str, ...] = (),
        feedthrough: tuple[tuple[str, str], ...] = (),
        capabilities: Capabilities | None = None,
    ) -> None:
        self.name = name
        self.law = law
        self.interface = Interface(
            inputs=tuple(Variable(name=n) for n in inputs),
            outputs=tuple(
                Variable(name=n, sampling="mean" if n in mean else "end")
                for n in outputs
            ),
        )
        self.feedthrough = frozenset(feedthrough)
        self.capabilities = capabilities or Capabilities()
        self.log: list[tuple[str, Any]] = []

    def initialize(self, tick: int, u: Vector) -> Vector:
        self.log.append(("initialize", (tick, *u)))
        return np.array(self.law(seconds(tick), u), dtype=float)

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        self.log.append(("step", (tick, end_tick, *u)))
        y = np.array(self.law(seconds(end_tick), u), dtype=float)
        return StepReport(outputs=y, end_tick=end_tick)

    def save(self) -> Any:
        raise NotImplementedError

    def restore(self, state: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.log.append(("close", ()))


class Clock(Fake):
    """Its output is the time."""

    def __init__(self, name: str = "clock") -> None:
        super().__init__(name, lambda t, u: [t], outputs=("time_s",))


class Gain(Fake):
    """output = gain * input, at once."""

    def __init__(self, name: str, gain: float = 1.0) -> None:
        super().__init__(
            name,
            lambda t, u: [gain * u[0]],
            inputs=("input_A",),
            feedthrough=(("input_A", "output_A"),),
        )


class Accumulator(Fake):
    """Holds a charge; `input_A` is what it gains, constant over each step."""

    def __init__(self, name: str, charge_Ah: float = 0.0) -> None:
        super().__init__(name, inputs=("input_A",), outputs=("charge_Ah",))
        self.start_Ah = charge_Ah

    def initialize(self, tick: int, u: Vector) -> Vector:
        self.charge_Ah = self.start_Ah
        return np.array([self.charge_Ah])

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        self.charge_Ah += float(u[0]) * seconds(end_tick - tick) / 3600.0
        return StepReport(outputs=np.array([self.charge_Ah]), end_tick=end_tick)


class Troubled(Fake):
    """Counts its steps in its output and fails in one of them, in a chosen way."""

    def __init__(self, how: str, failing_step: int = 3, name: str = "troubled") -> None:
        super().__init__(name, inputs=("input_A",), outputs=("count",))
        self.how, self.failing_step = how, failing_step

    def initialize(self, tick: int, u: Vector) -> Vector:
        self.count = 0
        return np.array([math.nan if self.failing_step == 0 else 0.0])

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        y = np.array([float(self.count + 1)])
        if self.count + 1 == self.failing_step:
            if self.how == "refuse":
                return StepReport(
                    outputs=y,
                    end_tick=tick,
                    status=StepStatus.REFUSED,
                    message="the voltage is too low",
                )
            if self.how == "end":
                return StepReport(
                    outputs=y, end_tick=tick, status=StepStatus.ENDED, message="done"
                )
            if self.how == "early":
                return StepReport(outputs=y, end_tick=(tick + end_tick) // 2)
            if self.how == "raise":
                raise ZeroDivisionError(self.how)
            y = np.array([{"nan": math.nan, "inf": -math.inf}[self.how]])
        self.count += 1
        return StepReport(outputs=y, end_tick=end_tick)


def savable(law: Law = lambda t, u: [t]) -> Fake:
    """A component without a state, which can be saved."""
    fake = Fake("fake", law, capabilities=Capabilities(can_rewind=True))
    fake.save = lambda: None
    fake.restore = lambda state: None
    return fake
