"""`integrate_implicitly(model)`: a stiff model or DAE as a step map in C.

The equations are expanded to scalars once; right-hand side, exact Jacobian, sparse
factorisation and solves are vectorised (`vector_program`) and written as C beside the
integrator (`c_sources/rosenbrock.c`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, final

import casadi as ca

from packtwin.twin.c_code import CCode
from packtwin.twin.expand import expand
from packtwin.twin.feedthrough import Dependencies, dependencies_of_model
from packtwin.twin.linkage import STATIC
from packtwin.twin.lookup import Lookup
from packtwin.twin.memory_layout import MemoryLayout, memory_layout
from packtwin.twin.model import Model
from packtwin.twin.scalar_tape import record_tape
from packtwin.twin.sparse_lu import eliminate
from packtwin.twin.variable import Interface, Variable
from packtwin.twin.vector_c import preamble_to_c, program_to_c
from packtwin.twin.vector_program import Program, vectorise, vectorise_sorted

__all__ = [
    "ABSOLUTE_TOLERANCE",
    "RELATIVE_TOLERANCE",
    "ImplicitSource",
    "argument_blocks",
    "block_numbers",
    "implicit_source",
]

ABSOLUTE_TOLERANCE = 1e-5
RELATIVE_TOLERANCE = 1e-4


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImplicitSource:
    """C source of the implicit step map of a model and the sizes it uses.

    Beside the ABI of `c_code` it has `NAME_pt_advance`, `NAME_pt_run` and
    `NAME_pt_explain` (see `rosenbrock.c`).
    """

    model: Model
    source: str
    layout: MemoryLayout
    statistics: dict[str, int]

    @property
    def name(self) -> str:
        """Name of the model; prefix of the C functions."""
        return self.model.name

    @property
    def interface(self) -> Interface:
        """Inputs, outputs and parameters."""
        return self.model.interface

    @property
    def n_memory(self) -> int:
        """Length of the memory."""
        return self.layout.size

    @property
    def remark(self) -> str:
        """How steps of the C meet the model's events."""
        names = ", ".join(f"`{event.name}`" for event in self.model.events)
        if not names:
            return ""
        return f"Steps go on through the events {names}, except in event mode."

    def dependencies(self) -> Dependencies:
        """Return what each output depends on at once."""
        return dependencies_of_model(self.model)

    @property
    def equations(self) -> Model:
        """The model, whose states begin the memory."""
        return self.model

    def c_code(
        self, *, is_static: bool = False, has_derivatives: bool = False
    ) -> CCode:
        """Return the C source; see `c_code`.

        Args:
            is_static: Make the functions of the ABI `static` too.
            has_derivatives: Ignored: the length of a step's parts depends on the state.
        """
        del has_derivatives
        return CCode(
            name=self.name,
            source=(STATIC if is_static else "") + self.source,
            n_memory=self.n_memory,
            input_order=1,
            has_events=bool(self.model.events),
        )


def implicit_source(
    model: Model,
    *,
    relative_tolerance: float = RELATIVE_TOLERANCE,
    absolute_tolerance: float = ABSOLUTE_TOLERANCE,
) -> ImplicitSource:
    """Generate the C source of a model's implicit step map.

    Args:
        model: The equations.
        relative_tolerance: Of every state, in the error norm (see `rosenbrock.c`).
        absolute_tolerance: The same as a fraction of the state's `nominal`.
    """
    tapes, sizes, lookups = _record(model)
    layout = memory_layout(model)
    sizes |= layout.macros() | {
        "PTI_RTOL": repr(float(relative_tolerance)),
        "PTI_ATOL": repr(float(absolute_tolerance)),
    }
    folder = resources.files("packtwin.twin.c_sources")
    text = "\n".join(
        [
            preamble_to_c(lookups),
            *(f"#define {k} {v}" for k, v in sizes.items()),
            *(program_to_c(p, f"pti_{name}") for name, p in tapes.items()),
            _largest_work([f"pti_{name}_WORK" for name in tapes]),
            *_tables(model),
            f"#define PTI_NAME(x) {model.name}_pt_##x",
            (folder / "rosenbrock.c").read_text(),
        ]
    )
    return ImplicitSource(
        model=model,
        source=text,
        layout=layout,
        statistics={
            name: program.n_scalar_operations for name, program in tapes.items()
        },
    )


def _largest_work(names: Sequence[str]) -> str:
    # A union's size is the largest one's, without nesting conditionals.
    members = " ".join(f"double m{k}[{name}];" for k, name in enumerate(names))
    return (
        f"typedef union {{ {members} }} pti_work;\n"
        "#define PTI_WORK ((int)(sizeof(pti_work) / sizeof(double)))"
    )


def _record(
    model: Model,
) -> tuple[dict[str, Program], dict[str, Any], tuple[Lookup, ...]]:
    """Make every function that the integrator calls, and its sizes."""
    given = [f for f in (model.algebraic, model.indicators) if f is not None]
    e = expand([model.rhs, model.outputs, *given], model.lookups, model.name)
    start = expand([model.initial], model.lookups, model.name)
    used = {c.name for c in (*e.calls, *start.calls)}
    lookups = tuple(table for table in model.lookups if table.name in used)
    rhs, outputs, *rest = e.expressions
    none = ca.SX(0, 1)
    algebraic = rest.pop(0) if model.algebraic is not None else none
    indicators = rest.pop(0) if model.indicators is not None else none
    time, x, z, *_ = e.symbols
    y, equations = ca.vertcat(x, z), ca.vertcat(rhs, algebraic)
    means = _means(model)
    flows = outputs[means, 0] if means else none
    slopes, flow_slopes = ca.jacobian(equations, y), ca.jacobian(flows, y)
    algebraic_slopes = ca.jacobian(algebraic, z)
    has_time = bool(ca.depends_on(ca.vertcat(equations, flows), time))
    inputs = e.symbols[3]
    slope = ca.SX.sym("du", inputs.numel())
    drift = [
        ca.densify(ca.jacobian(v, time) + ca.jtimes(v, inputs, slope))
        for v in (equations, flows)
    ]
    blocks = argument_blocks(model)

    def program(*expressions: Any) -> Program:
        return vectorise(e.tape(*expressions, lookups=lookups), blocks, lookups)

    def with_slopes(at: int, *expressions: Any) -> tuple[Program, list[int], list[int]]:
        """Order the entries of the matrix `expressions[at]` as they are computed."""
        tape = e.tape(*expressions, lookups=lookups)
        made, order = vectorise_sorted(tape, at, blocks, lookups)
        places = expressions[at].sparsity().get_triplet()
        rows, columns = ([numbers[k] for k in order] for numbers in places)
        return made, rows, columns

    n_x, n_z = len(model.states), len(model.algebraic_states)
    fj, rows, columns = with_slopes(1, equations, slopes, flows, flow_slopes)
    names = [v.name for v in (*model.states, *model.algebraic_states)]
    elimination = eliminate(n_x + n_z, rows, columns, n_x, names)
    programs = {
        "f": program(equations, flows),
        "fj": fj,
        "factor": vectorise(elimination.factor),
        "solve": vectorise(elimination.solve),
        "outputs": program(outputs),
        "start": vectorise(
            start.tape(*start.expressions, lookups=lookups), None, lookups
        ),
        "drift": vectorise(
            e.tape(*drift, lookups=lookups, symbols=[*e.symbols, slope]),
            [*blocks, list(range(inputs.numel()))],
            lookups,
        ),
    }
    if means:
        programs["quadrature"] = _product(flow_slopes)
    if model.events:
        programs["indicators"] = program(indicators)
    n_zlu = 0
    if n_z:
        gj, rows, columns = with_slopes(1, algebraic, algebraic_slopes)
        inner = eliminate(n_z, rows, columns, 0, names[n_x:])
        programs |= {
            "gj": gj,
            "zfactor": vectorise(inner.factor),
            "zsolve": vectorise(inner.solve),
        }
        n_zlu = inner.n_factor
    sizes = {
        "PTI_NX": n_x,
        "PTI_NZ": n_z,
        "PTI_NU": len(model.interface.inputs),
        "PTI_NP": len(model.interface.parameters),
        "PTI_NY": len(model.interface.outputs),
        "PTI_NG": len(model.events),
        "PTI_NQ": len(means),
        "PTI_NJ": slopes.nnz(),
        "PTI_NJQ": flow_slopes.nnz(),
        "PTI_NLU": elimination.n_factor,
        "PTI_NZJ": algebraic_slopes.nnz(),
        "PTI_NZLU": n_zlu,
        "PTI_HAS_TIME": int(has_time),
        "PTI_H_JUMP": "0.1",
        "PTI_H_SMOOTH": "0.1",
    }
    return programs, sizes, lookups


def _means(model: Model) -> list[int]:
    outputs = model.interface.outputs
    return [i for i, v in enumerate(outputs) if v.sampling == "mean"]


def argument_blocks(model: Model) -> list[list[int]]:
    """Number the quantities, so that different ones share no group."""
    return [
        [0],
        block_numbers(model.states),
        block_numbers(model.algebraic_states),
        list(range(len(model.interface.inputs))),
        list(range(len(model.interface.parameters))),
    ]


def _tables(model: Model) -> list[str]:
    states = (*model.states, *model.algebraic_states)
    n, means = max(1, len(states)), _means(model)
    n_u = max(1, len(model.interface.inputs))
    nominal = ", ".join(repr(float(v.nominal)) for v in states) or "1.0"
    block = ", ".join(str(b) for b in block_numbers(states)) or "0"
    mean = ", ".join(str(i) for i in means) or "0"
    return [
        f"static const double pti_nominal[{n}] = {{{nominal}}};",
        f"static const int pti_block[{n}] = {{{block}}};",
        f"static const double pti_zeros[{n_u}] = {{0}};",
        f"static const int pti_mean[{max(1, len(means))}] = {{{mean}}};",
    ]


def block_numbers(variables: Sequence[Variable]) -> list[int]:
    """Number the quantities of variables: `c[1]` and `c[2]` are the same one."""
    numbers: dict[str, int] = {}
    return [
        numbers.setdefault(v.name.partition("[")[0], len(numbers)) for v in variables
    ]


def _product(matrix: Any) -> Program:
    values = ca.SX.sym("m", matrix.nnz())
    vector = ca.SX.sym("v", matrix.size2())
    product = ca.mtimes(ca.SX(matrix.sparsity(), values), vector)
    return vectorise(record_tape([values, vector], [ca.densify(product)]))
