"""The FMU under test, in the child process: its variables, a life cycle, a run."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, final

from packtwin.fmu.checker.calls import Calls, Instance

__all__ = ["Finding", "RunVariable", "Subject", "Trace"]

N_STEPS = 20
_N_READ = 2000
_AMPLITUDE = 0.01
_N_SHRINK = 5
CALL_TYPES = {
    "Real": "Real",
    "Integer": "Integer",
    "Enumeration": "Integer",
    "Boolean": "Boolean",
    "String": "String",
}

Trace: TypeAlias = list[tuple[int, bytes]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe found: a rule and what was got."""

    rule: str
    message: str
    variable: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunVariable:
    """What the probes need of a variable; `kind` is the type in the function names."""

    key: int
    name: str
    kind: str
    reference: int
    causality: str
    variability: str
    initial: str
    start: str | None
    minimum: float
    maximum: float
    nominal: float

    @property
    def number(self) -> float:
        """The start value as a number; 0 if there is none."""
        try:
            return float(self.start or 0.0)
        except ValueError:
            return 0.0

    def near(self, share: float) -> float:
        """Return a legal value: the start moved by a share of its size."""
        size = abs(self.number) or abs(self.nominal)
        value = self.number + share * size
        if not self.minimum <= value <= self.maximum:
            value = self.number - share * size
        return min(max(value, self.minimum), self.maximum)


@final
@dataclass(slots=True, kw_only=True)
class Subject:
    """The library, its description and what was learnt of it.

    Attributes:
        before: The settings of the process before the library was loaded.
        step_s: A step size that works; 0 while none is known.
    """

    calls: Calls
    plan: Mapping[str, Any]
    variables: tuple[RunVariable, ...]
    before: Mapping[str, Any] = field(default_factory=dict)
    step_s: float = 0.0
    _count: int = field(default=0)

    @property
    def folder(self) -> Path:
        """Where probes may leave files for another process."""
        return Path(self.plan["folder"])

    @property
    def is_exchange(self) -> bool:
        """Whether the model-exchange interface is tested."""
        return bool(self.plan["kind"] == "ModelExchange")

    @property
    def start_s(self) -> float:
        """Start time of the run."""
        return float(self.plan["start_s"])

    def flag(self, name: str) -> bool:
        """Whether a capability is declared."""
        return bool(self.plan["flags"].get(name) in ("true", "1"))

    def outputs(self, kind: str = "Real") -> list[RunVariable]:
        """Return the outputs of one type."""
        return [v for v in self.variables if v.causality == "output" and v.kind == kind]

    def inputs(self) -> list[RunVariable]:
        """Return the real inputs."""
        return [
            v for v in self.variables if v.causality == "input" and v.kind == "Real"
        ]

    def parameters(self) -> list[RunVariable]:
        """Return the real parameters."""
        return [
            v for v in self.variables if v.causality == "parameter" and v.kind == "Real"
        ]

    def readable(self) -> list[RunVariable]:
        """Return the variables that a run reads: outputs first, then others."""
        first = [v for v in self.variables if v.causality == "output"]
        others = [
            v for v in self.variables if v.causality not in ("output", "independent")
        ]
        return first + others[: max(0, _N_READ - len(first))]

    def new(self, token: str | None = None) -> Instance | None:
        """Return a new instance, or nothing if it cannot be made."""
        self._count += 1
        name = f"check{self._count}"
        address = self.calls.instantiate(
            name,
            0 if self.is_exchange else 1,
            self.plan["token"] if token is None else token,
            self.plan["resources"],
        )
        return Instance(self.calls, address, name) if address else None

    @contextmanager
    def instance(self) -> Iterator[Instance]:
        """Give a new instance and free it afterwards.

        Raises:
            RefusedError: It cannot be made.
        """
        made = self.new()
        if made is None:
            raise self.calls.refusal(3, "fmi2Instantiate")
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
            made.require("fmi2ExitInitializationMode")
            yield made

    def enter(self, made: Instance, start_s: float | None = None) -> None:
        """Bring a new instance into initialization mode."""
        tolerance = float(self.plan["tolerance"])
        begin_s = self.start_s if start_s is None else start_s
        made.require(
            "fmi2SetupExperiment", int(tolerance > 0), tolerance, begin_s, 0, 0.0
        )
        made.require("fmi2EnterInitializationMode")

    def input_values(self, seed: int, step: int) -> list[float]:
        """Return values near the starts; seed 0 is the starts themselves."""
        draw = random.Random(1000 * seed + step)
        return [
            v.near(_AMPLITUDE * draw.uniform(-1.0, 1.0)) if seed else v.number
            for v in self.inputs()
        ]

    def set_inputs(self, made: Instance, seed: int, step: int) -> None:
        """Set all real inputs."""
        inputs = self.inputs()
        if not inputs:
            return
        values = self.input_values(seed, step)
        status = made.set("Real", [v.reference for v in inputs], values)
        if status > 1:
            raise self.calls.refusal(status, "fmi2SetReal")

    def read(
        self, made: Instance, variables: Sequence[RunVariable] | None = None
    ) -> bytes:
        """Return the values of variables as bytes, so that equal means identical."""
        wanted = self.readable() if variables is None else variables
        parts = []
        for v in wanted:
            status, values = made.get(v.kind, [v.reference])
            if status > 1:
                parts.append(b"refused\0")
            elif v.kind == "Real":
                parts.append(struct.pack("<d", values[0]))
            elif v.kind == "String":
                parts.append(values[0][:8].ljust(8))
            else:
                parts.append(struct.pack("<q", values[0]))
        return b"".join(parts)

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
            self.set_inputs(made, seed, k)
            time = self.start_s + k * self.step_s
            status = made.call("fmi2DoStep", time, self.step_s, 1)
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
        for k, (one, other) in enumerate(zip(got, want, strict=False)):
            if one[0] != other[0]:
                return f"step {k + 1} returned status {one[0]}, then {other[0]}"
            if one[1] == other[1]:
                continue
            for i, v in enumerate(wanted):
                a, b = (row[1][8 * i : 8 * i + 8] for row in (one, other))
                if a != b:
                    shown = f"{_shown(v, a)} and {_shown(v, b)}"
                    return f"`{v.name}` after step {k + 1} is {shown}"
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
        reason = self.calls.reason()
        first, last = float(self.plan["step_s"]), step_s * 10
        message = f"No step of {first:g} s to {last:g} s succeeds: {reason}"
        return [Finding(rule="call-refused", message=message, variable="fmi2DoStep")]


def _shown(v: RunVariable, value: bytes) -> str:
    if v.kind == "Real" and len(value) == 8 and value != b"refused\0":
        return f"{struct.unpack('<d', value)[0]!r}"
    return repr(value)
