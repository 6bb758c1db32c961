"""`Switched`: a fast step map that hands over to exact physics where its guard trips.

    memory = [ fast | side | seconds | past inputs | exact ]

Every step runs the fast part: in domain it is the answer, outside it goes on in the
shadow of the exact part. A step that trips the guard is answered by the exact part
already: `Lift` makes its memory from the past inputs and the fast memory. After every
step of the exact part `project` brings the fast memory to the same totals. So the way
back costs nothing; it is taken when the distance is at most `Guard.back` and the exact
part has answered for `Guard.dwell_s`: there is at most one pair of switches in that
time, whatever the guard says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import Final, final

import casadi as ca

from packtwin.twin.c_code import CCode
from packtwin.twin.errors import InterfaceError
from packtwin.twin.feedthrough import Dependencies, dependencies_through
from packtwin.twin.guarded_model import guarded_model
from packtwin.twin.implicit import ImplicitSource
from packtwin.twin.linkage import VISIBLE
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = ["FLAGS", "Guard", "Lift", "Switched"]

FLAGS: Final = (
    Variable(
        name="is_in_domain",
        description="1 where the guard's distance is at most 1, else 0.",
        start=1.0,
        variability="discrete",
    ),
    Variable(
        name="is_physics",
        description="1 where the exact physics answered, 0 where the fast part did.",
        variability="discrete",
    ),
)
"""Outputs after those of the fast part."""

_GLUE = ("distance", "correct", "project", "answer")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """When the exact part answers.

    Attributes:
        distance: `casadi.Function (y_fast, u, p) -> (distance,)`; above 1, or not a
            number, the fast part is not trusted.
        back: It is trusted again at this distance.
        dwell_s: For how long the exact part answers at least.
    """

    distance: ca.Function
    back: float = 0.8
    dwell_s: float = 240.0

    def __post_init__(self) -> None:
        """Refuse a guard without hysteresis."""
        if not (0.0 <= self.back <= 1.0 and self.dwell_s > 0.0):
            msg = (
                f"A guard returns at a distance of {self.back} after {self.dwell_s} s, "
                "expected a distance of 0 to 1 and a dwell above 0 s."
            )
            raise InterfaceError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """How the exact memory is made where only fast memory and past inputs are known.

    The exact part runs from its start through the past inputs, which are kept as knots
    of their integrals: exact in sum, fine in the latest minute, ever coarser before.
    Then `correct` sets what the fast memory knows exactly.

    Attributes:
        correct: `casadi.Function (fast, x, p) -> (x,)`: continuous states of the exact
            part with the totals (lithium, heat) of the fast memory.
        scales: Size of each input: a change that matters.
        n_knot: Knots that are kept.
        fade_s: Age beyond which a knot matters less.
        relative_tolerance: Of the exact part while it runs through the past.
    """

    correct: ca.Function
    scales: tuple[float, ...]
    n_knot: int = 64
    fade_s: float = 2.0
    relative_tolerance: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse a history of nothing."""
        sound = self.n_knot >= 3 and self.fade_s > 0.0 and self.relative_tolerance > 0.0
        if not sound or min(self.scales, default=1.0) <= 0.0:
            msg = (
                f"A lift keeps {self.n_knot} knots, fades after {self.fade_s} s, runs "
                f"at tolerance {self.relative_tolerance} and scales inputs by "
                f"{self.scales}; expected at least 3 knots and the rest above 0."
            )
            raise InterfaceError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Switched:
    """A fast and an exact step map behind one memory; a `SteppableCode`.

    Both have the same inputs and parameters. Outputs are those of the fast part and
    `FLAGS`.

    Attributes:
        name: C identifier; prefix of the C functions.
        fast: What answers in domain.
        exact: What answers outside.
        guard: When.
        lift: From fast to exact.
        project: `casadi.Function (x, fast, p) -> (fast,)`: fast memory with the totals
            of the exact part's continuous states.
        answer: `casadi.Function (before, after, y_fast, y_exact, h, u, p) -> (y,)`: the
            fast part's outputs where the exact part answers a step of length `h` (0
            at the start) between two fast memories.
    """

    name: str
    fast: StepMap
    exact: ImplicitSource
    guard: Guard
    lift: Lift
    project: ca.Function
    answer: ca.Function

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        fast, exact = self.fast.interface, self.exact.interface
        for label in ("input_names", "parameter_names"):
            a, b = getattr(fast, label), getattr(exact, label)
            if a != b:
                msg = (
                    f"`{self.name}`: `{self.fast.name}` has {label} {a}, but "
                    f"`{self.exact.name}` has {b}; both need the same."
                )
                raise InterfaceError(msg)
        if len({self.name, self.fast.name, self.exact.name}) < 3:
            msg = f"`{self.name}` and its parts need three different names."
            raise InterfaceError(msg)
        n_u, n_p = len(fast.inputs), len(fast.parameters)
        n_f, n_y = self.fast.n_memory, len(fast.outputs)
        n_x, n_e = len(self.exact.model.states), len(exact.outputs)
        wanted = (
            ("distance", (n_y, n_u, n_p), 1),
            ("correct", (n_f, n_x, n_p), n_x),
            ("project", (n_x, n_f, n_p), n_f),
            ("answer", (n_f, n_f, n_y, n_e, 1, n_u, n_p), n_y),
        )
        for (label, given, made), function in zip(wanted, self._glue(), strict=True):
            got = tuple(function.numel_in(k) for k in range(function.n_in()))
            if got != given or function.n_out() != 1 or function.numel_out(0) != made:
                msg = (
                    f"`{label}` of `{self.name}` takes sizes {got}, expected {given} "
                    f"and one result of {made}."
                )
                raise InterfaceError(msg)
        if len(self.lift.scales) != n_u:
            msg = (
                f"`{self.name}` scales {len(self.lift.scales)} inputs in its past, "
                f"expected {n_u}."
            )
            raise InterfaceError(msg)

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        own = self.fast.interface
        return replace(own, outputs=(*own.outputs, *FLAGS))

    @property
    def remark(self) -> str:
        """What those who import its FMU must know."""
        return " ".join(
            [
                f"`is_physics` says which steps `{self.exact.name}` answered instead "
                f"of `{self.fast.name}`, for {self.guard.dwell_s:g} s at least.",
                self.exact.remark,
            ]
        ).strip()

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        return self.at_exact + self.exact.n_memory

    @property
    def at_side(self) -> int:
        """Place in the memory of 1 where the exact part answers; then its seconds."""
        return self.fast.n_memory

    @property
    def at_exact(self) -> int:
        """Place in the memory where that of the exact part begins."""
        width = 2 + len(self.fast.interface.inputs)
        return self.fast.n_memory + 3 + (self.lift.n_knot + 1) * width

    def dependencies(self) -> Dependencies:
        """Return what each output depends on at once: through either part."""
        fast, exact = self.fast.dependencies(), self.exact.dependencies()
        answer = dependencies_through(self.answer, {2: fast, 3: exact}, (5, 6))
        tripped = dependencies_through(self.guard.distance, {0: fast}, (1, 2))
        n = len(FLAGS)
        return Dependencies(
            on_inputs=answer.on_inputs + n * tripped.on_inputs,
            on_parameters=answer.on_parameters + n * tripped.on_parameters,
        )

    @property
    def equations(self) -> Model | None:
        """Those of the fast part, if it has any, and whether they are trusted."""
        own = self.fast.equations
        if own is None:
            return None
        return guarded_model(self.name, own, self.guard.distance, self.interface)

    def c_code(
        self,
        *,
        is_static: bool = False,
        has_derivatives: bool = False,
        with_explain: bool = False,
    ) -> CCode:
        """Return the C source; see `c_code`.

        Args:
            is_static: Make the functions of the ABI `static` too.
            has_derivatives: Ignored: a step that may switch has none.
            with_explain: Add `NAME_pt_explain` and `NAME_pt_lift` (`switched.c`).
        """
        glue = [
            _named(f, f"{self.name}_{label}")
            for label, f in zip(_GLUE, self._glue(), strict=True)
        ]
        folder = resources.files("packtwin.twin.c_sources")
        linkage = "static" if is_static else VISIBLE
        scales = ", ".join(repr(1.0 / s) for s in self.lift.scales) or "0.0"
        text = "\n".join(
            [
                self.fast.c_code(is_static=True, also=glue).source,
                self.exact.c_code(is_static=True).source,
                *(f"#define {k} {v}" for k, v in self._macros(glue).items()),
                f"#define PTW_ABI {linkage}",
                "#define PTW_WITH_EXPLAIN" if with_explain else "",
                f"static const double ptw_weight[PTI_DIM(PTI_NU)] = {{{scales}}};",
                (folder / "switched.c").read_text(),
            ]
        )
        return CCode(name=self.name, source=text, n_memory=self.n_memory)

    def _macros(self, glue: list[ca.Function]) -> dict[str, object]:
        tolerance = self.lift.relative_tolerance
        return {
            "PTW_NAME(x)": f"{self.name}_pt_##x",
            "PTW_FAST(x)": f"{self.fast.name}_pt_##x",
            "PTW_EXACT(x)": f"{self.exact.name}_pt_##x",
            "PTW_CALL(x)": f"{self.name}_##x",
            "PTW_N_FAST": self.fast.n_memory,
            "PTW_N_Y": len(self.fast.interface.outputs),
            "PTW_N_KNOT": self.lift.n_knot,
            "PTW_FADE_S": repr(float(self.lift.fade_s)),
            "PTW_PAST_RTOL": repr(float(tolerance)),
            "PTW_PAST_ATOL": repr(0.1 * float(tolerance)),
            "PTW_BACK": repr(float(self.guard.back)),
            "PTW_DWELL_S": repr(float(self.guard.dwell_s)),
            "PTW_N_ARG": max(f.sz_arg() for f in glue),
            "PTW_N_RES": max(f.sz_res() for f in glue),
            "PTW_N_IW": max(1, *(f.sz_iw() for f in glue)),
            "PTW_N_W": max(1, *(f.sz_w() for f in glue)),
        }

    def _glue(self) -> tuple[ca.Function, ...]:
        return (self.guard.distance, self.lift.correct, self.project, self.answer)


def _named(function: ca.Function, name: str) -> ca.Function:
    arguments = function.mx_in()
    return ca.Function(name, arguments, [ca.densify(function(*arguments))])
