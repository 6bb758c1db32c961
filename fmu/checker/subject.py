"""The FMU under test, in the child process: its variables, a life cycle, a run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, final

from packtwin.fmu.checker.calls import AbstractCalls, Instance
from packtwin.fmu.checker.run_variable import RunVariable

__all__ = ["N_STEPS", "Finding", "Subject", "Trace"]

N_STEPS = 20
_N_READ = 2000
_AMPLITUDE = 0.01
_N_SHRINK = 5
_N_BUDGETS = 20.0
Trace: TypeAlias = list[tuple[int, bytes]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe found: a rule and what was got."""

    rule: str
    message: str
    variable: str = ""


@final
@dataclass(slots=True, kw_only=True)
class Subject:
    """The library, its description and what was learnt of it.

    Attributes:
        before: The settings of the process before the library was loaded.
        beat: A sign of life in a long probe.
        step_s: A step size that works; 0 while none is known.
    """

    calls: AbstractCalls
    plan: Mapping[str, Any]
    variables: tuple[RunVariable, ...]
    beat: Callable[[], None]
    before: Mapping[str, Any] = field(default_factory=dict)
    step_s: float = 0.0
    _count: int = field(default=0)

    @property
    def folder(self) -> Path:
        """Where probes may leave files for another process."""
        return Path(self.plan["folder"])

    @property
    def resources(self) -> Path:
        """The folder of the FMU's resources."""
        return Path(self.plan["resources"])

    @property
    def is_exchange(self) -> bool:
        """Whether the model-exchange interface is tested."""
        return bool(self.plan["kind"] == "ModelExchange")

    @property
    def start_s(self) -> float:
        """Start time of the run."""
        return float(self.plan["start_s"])

    def flag(self, name: str) -> str:
        """Return a declared capability as the file spells it; empty if it is not.

        Args:
            name: As in FMI 3.0; both versions differ in one letter at most.
        """
        for spelling, value in self.plan["flags"].items():
            if _plain(spelling) == _plain(name) and value in ("true", "1"):
                return str(spelling)
        return ""

    def outputs(self) -> list[RunVariable]:
        """Return the real outputs."""
        return [v for v in self.variables if v.causality == "output" and v.is_real]

    def inputs(self) -> list[RunVariable]:
        """Return the real inputs."""
        return [v for v in self.variables if v.causality == "input" and v.is_real]

    def parameters(self) -> list[RunVariable]:
        """Return the real parameters."""
        return [v for v in self.variables if v.causality == "parameter" and v.is_real]

    def tunable(self) -> list[RunVariable]:
        """Return the real parameters that can change during the run."""
        return [v for v in self.parameters() if v.variability == "tunable"]

    def states(self) -> list[RunVariable]:
        """Return the continuous states, in the order of their derivatives."""
        known = {v.key: v for v in self.variables}
        return [known[key] for key in self.plan["states"] if key in known]

    @property
    def n_states(self) -> int:
        """Number of continuous states, elements counted."""
        return sum(v.size for v in self.states())

    def unknowns(self, *sections: str) -> dict[int, tuple[int, ...] | None]:
        """Return what parts of the model structure list: dependencies by key."""
        return {
            unknown["key"]: unknown["dependencies"]
            for unknown in self.plan["unknowns"]
            if unknown["section"] in sections
        }

    def named(self, function: str) -> str:
        """Return the full name of a function."""
        return self.calls.named(function)

    @property
    def maker(self) -> str:
        """The name of the function that makes instances."""
        kind = "ModelExchange" if self.is_exchange else "CoSimulation"
        return f"Instantiate{kind}"

    def said(self, status: int) -> str:
        """Return FMI's name of a status."""
        return self.calls.dialect.status_name(status)

    def in_time(self, variables: Sequence[RunVariable]) -> Iterator[RunVariable]:
        """Give variables in a random order, as many as there is time for."""
        end = time.monotonic() + _N_BUDGETS * float(self.plan["budget_s"])
        for v in random.Random(0).sample(variables, len(variables)):
            if time.monotonic() > end:
                return
            self.beat()
            yield v

    def readable(self) -> list[RunVariable]:
        """Return the variables that a run reads: outputs first, then others."""
        first = [v for v in self.variables if v.causality == "output"]
        others = [
            v for v in self.variables if v.causality not in ("output", "independent")
        ]
        return first + others[: max(0, _N_READ - len(first))]

    def new(self, token: str | None = None) -> Instance | None:
        """Return a new instance, or nothing if it cannot be made."""
        name = self.new_name()
        address = self.calls.instantiate(
            name,
            self.plan["token"] if token is None else token,
            self.resources,
            is_exchange=self.is_exchange,
        )
        return Instance(self.calls, address, name) if address else None

    def new_name(self) -> str:
        """Return a name that no instance has yet."""
        self._count += 1
        return f"check{self._count}"

    @contextmanager
    def instance(self) -> Iterator[Instance]:
        """Give a new instance and free it afterwards.

        Raises:
            RefusedError: It cannot be made.
        """
        made = self.new()
        if made is None:
            raise self.calls.refusal(3, self.maker)
        try:
            yield made
        finally:
            if made.handle:
                made.free()

    @contextmanager
    def running(self, seed: int = 0) -> Iterator[Instance]:
        """Give an instance after initialization, with inputs of a seed."""
        with self.instance() as made:
            self.enter(made)
            self.set_inputs(made, seed, 0)
            made.require("ExitInitializationMode")
            yield made

    def enter(self, made: Instance, start_s: float | None = None) -> None:
        """Bring a new instance into initialization mode."""
        begin_s = self.start_s if start_s is None else start_s
        for function, arguments in self.calls.entry(
            float(self.plan["tolerance"]), begin_s
        ):
            made.require(function, *arguments)

    def input_values(self, seed: int, step: int) -> list[float]:
        """Return values near the starts; seed 0 is the starts themselves."""
        draw = random.Random(1000 * seed + step)
        values: list[float] = []
        for v in self.inputs():
            share = _AMPLITUDE * draw.uniform(-1.0, 1.0)
            values += v.near(share) if seed else v.numbers
        return values

    def set_inputs(self, made: Instance, seed: int, step: int) -> None:
        """Set all real inputs."""
        inputs = self.inputs()
        if not inputs:
            return
        status = made.set(inputs, self.input_values(seed, step))
        if status > 1:
            raise self.calls.refusal(status, f"Set{inputs[0].kind}")

    def set_near(
        self, made: Instance, variables: Sequence[RunVariable], share: float
    ) -> None:
        """Move variables from their starts, one by one, refused or not."""
        for v in variables:
            made.set([v], v.near(share))

    def read(
        self, made: Instance, variables: Sequence[RunVariable] | None = None
    ) -> bytes:
        """Return the values of variables as bytes, so that equal means identical."""
        wanted = self.readable() if variables is None else variables
        return b"".join(v.pack(*made.get([v])) for v in wanted)

    def run(
        self,
        made: Instance,
        *,
        seed: int = 1,
        first: int = 0,
        n: int = N_STEPS,
        variables: Sequence[RunVariable] | None = None,
    ) -> Trace:
        """Take co-simulation steps; the trace ends with the first that is refused."""
        trace: Trace = []
        for k in range(first, first + n):
            self.beat()
            self.set_inputs(made, seed, k)
            status = made.step(self.start_s + k * self.step_s, self.step_s)
            if status > 1:
                trace.append((status, b""))
                break
            trace.append((0, self.read(made, variables)))
        return trace

    def difference(
        self,
        got: Trace,
        want: Trace,
        variables: Sequence[RunVariable] | None = None,
    ) -> str:
        """Return where two traces differ first, in words; nothing if they do not."""
        wanted = self.readable() if variables is None else variables
        cells = [(v, element) for v in wanted for element in range(v.size)]
        for k, (one, other) in enumerate(zip(got, want, strict=False)):
            if one[0] != other[0]:
                return f"step {k + 1} returned status {one[0]}, then {other[0]}"
            if one[1] == other[1]:
                continue
            for i, (v, element) in enumerate(cells):
                a, b = (row[1][8 * i : 8 * i + 8] for row in (one, other))
                if a != b:
                    shown = f"{v.show(a)} and {v.show(b)}"
                    return f"`{v.label(element)}` after step {k + 1} is {shown}"
        return "" if len(got) == len(want) else "one run is shorter"

    def find_step(self) -> list[Finding]:
        """Find a step size with which the FMU runs; say so if there is none."""
        step_s = float(self.plan["step_s"])
        for _ in range(_N_SHRINK):
            self.step_s = step_s
            with self.running() as made:
                trace = self.run(made, seed=0, n=3, variables=())
            if trace[-1][0] <= 1:
                return []
            step_s /= 10.0
        self.step_s = 0.0
        reason = self.calls.journal.reason()
        first, last = float(self.plan["step_s"]), step_s * 10
        message = f"No step of {first:g} s to {last:g} s succeeds: {reason}"
        function = self.named("DoStep")
        return [Finding(rule="call-refused", message=message, variable=function)]


def _plain(capability: str) -> str:
    return capability.lower().removesuffix("s")
