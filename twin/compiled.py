"""`CompiledStepMap`: a step map that runs as compiled C, with the surface of `StepMap`.

Libraries are kept in a cache folder under the hash of source and compiler, so that a
model is compiled once per machine.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.compiler import Compiler, find_compiler
from packtwin.twin.errors import StepError
from packtwin.twin.implicit import ImplicitSource
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface

__all__ = [
    "CompiledStepMap",
    "RunOutcome",
    "StepOutcome",
    "cache_folder",
    "compile_step_map",
]

Vector: TypeAlias = NDArray[np.float64]

_COUNTS = ("rhs", "jacobian", "factorisation", "step", "rejection", "newton")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepOutcome:
    """What one step did.

    Attributes:
        memory: New memory; the old one if the step was refused.
        outputs: Outputs at the end, means over the time covered.
        status: `OK`, `EVENT` (stopped early) or `REFUSED`.
        end_time_s: Time reached.
        event: Name of the event that happened, empty if none.
    """

    memory: Vector
    outputs: Vector
    status: StepStatus
    end_time_s: float
    event: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunOutcome:
    """What many steps did.

    Attributes:
        memory: Memory at the end; if a step was refused, at the start of that step.
        outputs: One row per step taken; an event's row is the last and shorter.
        status: Of the last step.
        end_time_s: Time reached.
        event: Name of the event that ended the run, empty if none.
    """

    memory: Vector
    outputs: Vector
    status: StepStatus
    end_time_s: float
    event: str = ""


def cache_folder() -> Path:
    """Return where compiled step maps are kept: `PACKTWIN_CACHE`, or the user's."""
    chosen = os.environ.get("PACKTWIN_CACHE", "").strip()
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "").strip() or str(Path.home() / ".cache")
    return Path(base) / "packtwin"


def compile_step_map(
    source: ImplicitSource, compiler: Compiler | None = None
) -> CompiledStepMap:
    """Compile, or take from the cache, and load.

    Raises:
        CompilerError: no C compiler, or it failed.
    """
    chosen = compiler or find_compiler()
    chosen = replace(chosen, extra_flags=(*_FLAGS, *chosen.extra_flags))
    text = _EXPORTED + source.source
    key = hashlib.sha256(
        "\0".join([text, *chosen.command, *chosen.extra_flags]).encode()
    ).hexdigest()[:32]
    folder = cache_folder()
    library = folder / f"{source.model.name}-{key}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            code = Path(scratch) / f"{source.model.name}.c"
            code.write_text(text, encoding="utf-8")
            made = Path(scratch) / library.name
            chosen.compile_library(code, made)
            made.replace(library)
    return CompiledStepMap(source=source, library=library)


# Vectorise comparisons too; do not search long straight code for vectors.
_FLAGS = ("-fno-trapping-math", "-fno-tree-slp-vectorize")
_EXPORTED = '#define PT_ABI __attribute__((visibility("default")))\n'


@final
class CompiledStepMap:
    """A compiled implicit step map.

    Attributes:
        source: What it was compiled from.
    """

    substep_s = float("inf")

    def __init__(self, *, source: ImplicitSource, library: Path) -> None:
        self.source = source
        model = source.model
        loaded = ctypes.CDLL(str(library))
        self._initialize: Any = getattr(loaded, f"{model.name}_pt_initialize")
        self._advance: Any = getattr(loaded, f"{model.name}_pt_advance")
        self._run: Any = getattr(loaded, f"{model.name}_pt_run")
        n_x, n_z = len(model.states), len(model.algebraic_states)
        self._at_arm = n_x + n_z + len(model.interface.inputs)
        self._at_arm += len(model.interface.parameters)
        self._at_tolerance = self._at_arm + len(model.events) + 2

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.source.model.name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self.source.model.interface

    def start(
        self, u: Vector, p: Vector, *, tolerance: tuple[float, float] | None = None
    ) -> tuple[Vector, Vector]:
        """Return the memory and the outputs at the start time.

        Args:
            u: Inputs.
            p: Parameters.
            tolerance: Relative and absolute, instead of the generated ones.

        Raises:
            StepError: no consistent start, or it lies outside an event's limit.
        """
        memory = np.zeros(self.source.n_memory)
        y = np.zeros(max(1, len(self.interface.outputs)))
        u, p = _vector(u), _vector(p)
        status = self._initialize(_at(u), _at(p), _at(memory), _at(y))
        if status != StepStatus.OK:
            msg = (
                f"Model `{self.name}` has no consistent start for inputs "
                f"{self._named(self.interface.input_names, u)} and parameters "
                f"{self._named(self.interface.parameter_names, p)}; start within the "
                "model's limits and at a smaller load."
            )
            raise StepError(msg, component=self.name, time_s=0.0, reason="start")
        events = self.source.model.events
        arms = memory[self._at_arm : self._at_arm + len(events)]
        outside = [e.name for e, arm in zip(events, arms, strict=True) if arm == 0.0]
        if outside:
            msg = (
                f"Model `{self.name}` starts outside its limits "
                f"{', '.join(f'`{name}`' for name in outside)} with inputs "
                f"{self._named(self.interface.input_names, u)} and parameters "
                f"{self._named(self.interface.parameter_names, p)}; start inside."
            )
            raise StepError(msg, component=self.name, time_s=0.0, reason="start")
        if tolerance is not None:
            memory[self._at_tolerance : self._at_tolerance + 2] = tolerance
        return memory, y[: len(self.interface.outputs)]

    def step_until_event(
        self,
        memory: Vector,
        t: float,
        h: float,
        u: Vector,
        p: Vector,
        *,
        slope: Vector | None = None,
        stops: bool = True,
    ) -> StepOutcome:
        """Advance by `h` seconds, at most to the first event.

        Args:
            memory: As returned by `start` or the last step.
            t: Start time, s.
            h: Length, s.
            u: Inputs at `t`.
            p: Parameters.
            slope: Time derivatives of the inputs; default 0.
            stops: End at an event; otherwise go on through it.
        """
        new = np.array(memory, dtype=np.float64)
        y = np.full(max(1, len(self.interface.outputs)), np.nan)
        end, event = ctypes.c_double(t), ctypes.c_int(-1)
        u, p = _vector(u), _vector(p)
        status = self._advance(
            _at(new),
            ctypes.c_double(t),
            ctypes.c_double(h),
            _at(u),
            None if slope is None else _at(_vector(slope)),
            _at(p),
            _at(y),
            int(stops),
            ctypes.byref(end),
            ctypes.byref(event),
        )
        names = [v.name for v in self.source.model.events]
        return StepOutcome(
            memory=new,
            outputs=y[: len(self.interface.outputs)],
            status=StepStatus(status),
            end_time_s=end.value,
            event=names[event.value] if event.value >= 0 else "",
        )

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Advance by `h` seconds through any events; see `StepMap.advance`."""
        outcome = self.step_until_event(memory, t, h, u, p, stops=False)
        return outcome.memory, outcome.outputs, outcome.status

    def run(
        self,
        memory: Vector,
        times_s: Vector,
        u: Vector,
        p: Vector,
        *,
        slopes: Vector | None = None,
        stops: bool = True,
    ) -> RunOutcome:
        """Take many steps without returning to Python.

        Args:
            memory: As returned by `start` or the last step.
            times_s: Start of every step and end of the last, shape `(n + 1,)`.
            u: Inputs at the start of every step, shape `(n, n_u)`.
            p: Parameters.
            slopes: Time derivatives of the inputs in every step, like `u`; default 0.
            stops: End at the first event.
        """
        n = len(times_s) - 1
        n_y = len(self.interface.outputs)
        new, y = np.array(memory, dtype=np.float64), np.zeros((n, max(1, n_y)))
        times_s, u, p = _vector(times_s), _vector(u), _vector(p)
        end, event, done = ctypes.c_double(), ctypes.c_int(-1), ctypes.c_int(0)
        status = self._run(
            _at(new),
            _at(times_s),
            n,
            _at(u),
            None if slopes is None else _at(_vector(slopes)),
            _at(p),
            _at(y),
            int(stops),
            ctypes.byref(end),
            ctypes.byref(event),
            ctypes.byref(done),
        )
        return RunOutcome(
            memory=new,
            outputs=y[: done.value, :n_y],
            status=StepStatus(status),
            end_time_s=end.value,
            event=self.source.model.events[event.value].name
            if event.value >= 0
            else "",
        )

    def counts(self, memory: Vector) -> dict[str, int]:
        """Return how much work the memory's run took since its start."""
        last = memory[-len(_COUNTS) :]
        return {name: int(n) for name, n in zip(_COUNTS, last, strict=True)}

    @staticmethod
    def _named(names: tuple[str, ...], values: Vector) -> str:
        pairs = zip(names, values, strict=True)
        return ", ".join(f"`{name}` = {value:.6g}" for name, value in pairs) or "none"


def _vector(values: Vector) -> Vector:
    return np.ascontiguousarray(values, dtype=np.float64)


def _at(values: Vector) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)
