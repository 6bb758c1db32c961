"""`Sampled`: a discrete law with a period as a step map that steps by any length.

    memory = [ law | held outputs | first sample, samples taken ]

The law is a step map of its own: its `initialize` gives the idle outputs, its `step` is
taken once per sample, over the period, with the inputs at that instant. Between samples
the outputs are held. Instants are the start of the first step plus whole periods, as
products, so that they do not drift; a step from t to t + h takes those in [t, t + h).
So it may take none, or many, and a sample at its end waits for the inputs of the next
step. Rounding in the importer's times, up to a microsecond, shifts none of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.c_code import CCode
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.feedthrough import (
    Dependencies,
    dependencies_of_step,
    feedthrough_of,
)
from packtwin.twin.input_polynomial import MAXIMUM_ROWS, input_rows, value_at
from packtwin.twin.library_cache import cached_library
from packtwin.twin.linkage import EXPORTED, VISIBLE
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.variable import Interface, Variable

__all__ = ["Sampled"]

Vector: TypeAlias = NDArray[np.float64]

_SLACK = 1e-6  # of a period of 1 s or less; of longer ones as much as of 1 s
_PLACE = (
    Variable(name="first_sample_s", description="When the first sample was taken."),
    Variable(
        name="sample_count",
        description="Samples taken; -1 before the first, which is due at once.",
        start=-1.0,
    ),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """A step map that acts once per period and holds its outputs; a `SteppableCode`.

    Attributes:
        name: C identifier; prefix of the C functions.
        law: What happens at a sample: constant inputs, no means over the step.
        period_s: Time between two samples; > 0.
    """

    name: str
    law: StepMap
    period_s: float

    def __post_init__(self) -> None:
        """Refuse a law that cannot be sampled."""
        if not (self.period_s > 0.0 and math.isfinite(self.period_s)):
            msg = (
                f"`period_s` of `{self.name}` is {self.period_s} s, expected more "
                "than 0 s and finite."
            )
            raise InterfaceError(msg)
        if self.name == self.law.name:
            msg = f"`{self.name}` and its law need two different names."
            raise InterfaceError(msg)
        means = [v.name for v in self.law.interface.outputs if v.sampling == "mean"]
        if means or self.law.input_order:
            msg = (
                f"The law `{self.law.name}` of `{self.name}` follows inputs of order "
                f"{self.law.input_order} and has the mean outputs {means}; a sample is "
                "an instant: expected order 0 and none."
            )
            raise InterfaceError(msg)

    @property
    def interface(self) -> Interface:
        """That of the law, with outputs that change at samples only."""
        own = self.law.interface
        outputs = tuple(replace(v, variability="discrete") for v in own.outputs)
        return replace(own, outputs=outputs)

    @property
    def memory(self) -> tuple[Variable, ...]:
        """Layout of the memory."""
        held = tuple(
            replace(v, name=f"held_{v.name}") for v in self.law.interface.outputs
        )
        return (*self.law.memory, *held, *_PLACE)

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        return self._at_place + len(_PLACE)

    @property
    def input_order(self) -> int:
        """Polynomial inputs are taken at the instants, whatever their order."""
        return MAXIMUM_ROWS - 1

    @property
    def remark(self) -> str:
        """What those who import its FMU must know."""
        return (
            f"Outputs change only at samples, every {self.period_s:g} s from the start "
            "of the first step."
        )

    @property
    def equations(self) -> None:
        """There are none: all that changes, jumps."""
        return

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Pairs (input, output) at once: those of the idle outputs."""
        return feedthrough_of(self.interface, self.dependencies())

    def dependencies(self) -> Dependencies:
        """Return what each output depends on at once, where no sample is taken."""
        return self.law.dependencies()

    def sample_dependencies(self) -> Dependencies:
        """Return what each output depends on where a sample is taken."""
        return dependencies_of_step(self.law.step)

    def next_sample_s(self, memory: Vector, t: float) -> float:
        """Return when the next sample is due; at once, `t`, before the first."""
        first, count = memory[self._at_place :]
        return float(t if count < 0.0 else first + count * self.period_s)

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return the memory and the idle outputs; the first sample is yet to come."""
        memory, y = self.law.start(u, p)
        return np.concatenate([memory, y, [v.start for v in _PLACE]]), y

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Advance by `h` seconds from time `t`; see `StepMap.advance`."""
        rows = list(input_rows(u, len(self.law.interface.inputs), self.name))
        now, end = memory.copy(), t + h - min(self._slack_s, 0.25 * h)
        n, m = self.law.n_memory, self._at_place
        while (due := self.next_sample_s(now, t)) < end:
            given = value_at(rows, due - t if due > t else 0.0)
            if now[m + 1] < 0.0:
                now[m:] = due, 0.0
            after = self.law.advance(now[:n], due, self.period_s, given, p)
            now[:n], now[n:m], status = after
            if status is not StepStatus.OK:
                return memory, memory[n:m].copy(), status
            now[m + 1] += 1.0
        return now, now[n:m].copy(), StepStatus.OK

    def c_code(
        self, *, is_static: bool = False, has_derivatives: bool = False
    ) -> CCode:
        """Return the C source; see `c_code`.

        Args:
            is_static: Make the functions of the ABI `static` too.
            has_derivatives: Ignored: what jumps has none.
        """
        del has_derivatives
        folder = resources.files("packtwin.twin.c_sources")
        macros = {
            "PTD_NAME(x)": f"{self.name}_pt_##x",
            "PTD_LAW(x)": f"{self.law.name}_pt_##x",
            "PTD_ABI": "static" if is_static else VISIBLE,
            "PTD_N_LAW": self.law.n_memory,
            "PTD_N_U": len(self.law.interface.inputs),
            "PTD_N_Y": len(self.law.interface.outputs),
            "PTD_ORDER": self.input_order,
            "PTD_PERIOD": repr(float(self.period_s)),
            "PTD_SLACK": repr(self._slack_s),
        }
        text = "\n".join(
            [
                self.law.c_code(is_static=True).source,
                *(f"#define {k} {v}" for k, v in macros.items()),
                (folder / "sampled.c").read_text(),
            ]
        )
        return CCode(
            name=self.name,
            source=text,
            n_memory=self.n_memory,
            input_order=self.input_order,
            has_events=True,
            has_samples=True,
        )

    def library(self) -> Path:
        """Return it compiled, from the cache if it is there.

        Raises:
            CompilerError: No C compiler, or it failed.
        """
        return cached_library(self.name, EXPORTED + self.c_code().source)

    def refusal(
        self,
        memory: Vector,
        t: float,
        h: float,
        u: Vector,
        p: Vector,
        *,
        slope: Vector | None = None,
    ) -> StepError:
        """Return the error to raise for a refused step, given what was refused."""
        return self.law.refusal(memory, t, h, u, p, slope=slope)

    @property
    def _at_place(self) -> int:
        return self.law.n_memory + len(self.law.interface.outputs)

    @property
    def _slack_s(self) -> float:
        return _SLACK * min(1.0, float(self.period_s))
