"""C99 source of a step map, behind one small ABI.

    size_t NAME_pt_space_size(void);
    int NAME_pt_initialize(const double *u, const double *p, double *memory, double *y,
                           void *space);
    int NAME_pt_step(double *memory, double t, double h, const double *u,
                     const double *p, double *y, void *space);

`u` of `NAME_pt_step` holds the inputs at `t`, then their first `input_order` time
derivatives; that of `NAME_pt_initialize` the inputs alone.
`NAME_pt_step` returns 0 after a good step and 1 when it refused it (memory unchanged).
`space` is scratch of `NAME_pt_space_size()` bytes, aligned for doubles: the caller owns
it and nothing is kept in it. Nothing is allocated and nothing is global: calls with
different memory and space may run in parallel threads, also those with a small stack.

Where a step may end at an event there is besides

    int NAME_pt_step_until(double *memory, double t, double h, const double *u,
                           const double *p, double *y, double *end, void *space);

which returns 2 if an event is due at `*end`, the time reached; with events that are
samples (see `Sampled`), also

    double NAME_pt_next(const double *memory, double t);
    int NAME_pt_sample(double *memory, double t, const double *u, const double *p,
                       double *y, void *space);

for the time of the next one, and to take those due at `t`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import casadi as ca

from packtwin.twin.casadi_c import casadi_unit
from packtwin.twin.linkage import STATIC
from packtwin.twin.step_derivatives import derivative_functions

__all__ = ["CCode", "generate_c"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CCode:
    """Generated C source: one translation unit, everything `static` but the ABI.

    Attributes:
        name: Prefix of the ABI's functions.
        source: The C99 text.
        n_memory: Length of the memory.
        input_order: Number of time derivatives of the inputs that a step takes.
        substep_s: A longer step is cut into equal substeps of at most this length.
        has_derivatives: Whether the calls `NAME_FUNCTION_call` (see `casadi_unit`) of
            the derivatives (see `step_derivatives`) are there too.
        has_events: Whether `NAME_pt_step_until` is there.
        has_samples: Whether its events are samples.
    """

    name: str
    source: str
    n_memory: int
    input_order: int = 0
    substep_s: float = math.inf
    has_derivatives: bool = False
    has_events: bool = False
    has_samples: bool = False


_WRAPPER = """
/* ---- packtwin step-map ABI ------------------------------------------------ */
#include <stddef.h>
#include <string.h>

#ifndef PT_ABI
#define PT_ABI
#endif
#define PTS_N_MEMORY {n_memory}
#define PTS_N_OUTPUTS {n_outputs}
{shift}
static const char pts_is_mean[{n_flags}] = {{{flags}}};

static int pts_all_finite(const double *v, int n) {{
  int i;
  for (i = 0; i < n; ++i) {{
    if (!(v[i] - v[i] == 0.0)) return 0;
  }}
  return 1;
}}

typedef struct {{
  {name}_functions_space call;
  double now[{dim_memory}], next[{dim_memory}], last[{dim_outputs}];
  double total[{dim_outputs}];
  double moved[{dim_moved}];
}} pts_space;

PT_ABI size_t {name}_pt_space_size(void) {{ return sizeof(pts_space); }}

PT_ABI int {name}_pt_initialize(const double *u, const double *p, double *memory,
                          double *y, void *space) {{
  if ({name}_initialize_call(u, p, memory, y, space)) return 1;
  return !(pts_all_finite(memory, PTS_N_MEMORY) && pts_all_finite(y, PTS_N_OUTPUTS));
}}

PT_ABI int {name}_pt_step(double *memory, double t, double h, const double *u,
                    const double *p, double *y, void *space) {{
  pts_space *s = (pts_space *)space;
  double *now = s->now, *next = s->next, *last = s->last, *total = s->total;
  const double limit = {substep};
  double t_i, h_i;
  int n = 1, i, k;
  if (limit > 0.0 && h > limit) {{
    n = (int)(h / limit - 1e-9);
    if ((double)n < h / limit - 1e-9) ++n;
  }}
  h_i = h / n;
  memcpy(now, memory, sizeof(double) * PTS_N_MEMORY);
  for (k = 0; k < PTS_N_OUTPUTS; ++k) total[k] = 0.0;
  for (i = 0; i < n; ++i) {{
    t_i = t + i * h_i;
    if ({name}_step_call(now, &t_i, &h_i, {inputs}, p, next, last, &s->call)) {{
      return 1;
    }}
    memcpy(now, next, sizeof(double) * PTS_N_MEMORY);
    for (k = 0; k < PTS_N_OUTPUTS; ++k) total[k] += last[k];
  }}
  if (!pts_all_finite(now, PTS_N_MEMORY) || !pts_all_finite(total, PTS_N_OUTPUTS)) {{
    return 1;
  }}
  memcpy(memory, now, sizeof(double) * PTS_N_MEMORY);
  for (k = 0; k < PTS_N_OUTPUTS; ++k) y[k] = pts_is_mean[k] ? total[k] / n : last[k];
  return 0;
}}
"""

_SHIFT = """
/* The polynomial inputs `u`, about an origin moved by `offset`. */
static const double *pts_shifted(const double *u, double offset, double *moved) {{
  int i, j, k;
  for (k = 0; k < {n_inputs}; ++k) {{
    for (i = 0; i <= {order}; ++i) {{
      double value = u[{order} * {n_inputs} + k];
      for (j = {order} - i; j > 0; --j) {{
        value = u[(i + j - 1) * {n_inputs} + k] + offset / j * value;
      }}
      moved[i * {n_inputs} + k] = value;
    }}
  }}
  return moved;
}}
"""


def generate_c(  # noqa: PLR0913 (one argument per part of the ABI)
    name: str,
    initialize: ca.Function,
    step: ca.Function,
    *,
    is_mean: Sequence[bool],
    substep_s: float = math.inf,
    input_order: int = 0,
    has_derivatives: bool = False,
    is_static: bool = False,
    also: Sequence[ca.Function] = (),
) -> CCode:
    """Generate the C source of a step map's two functions; see `StepMap`.

    Args:
        name: Prefix of the functions.
        initialize: `(u, p) -> (memory, y)`.
        step: `(memory, t, h, u, p) -> (memory, y)`.
        is_mean: Flags of the outputs that are means over the step.
        substep_s: A longer step is cut into equal substeps of at most this length.
        input_order: Number of time derivatives among the inputs of `step`.
        has_derivatives: Add the functions of `step_derivatives`.
        is_static: Make the ABI functions `static` too (for one FMU source file).
        also: Further functions, to be called by their names in code that follows.
    """
    start = _renamed(initialize, f"{name}_initialize")
    fast = [_renamed(step, f"{name}_step"), *also]
    small = [start]
    if has_derivatives:
        small += derivative_functions(name, start, fast[0])
    source = casadi_unit(f"{name}_functions", [*fast, *small], len(fast))
    n_m, n_y = initialize.numel_out(0), initialize.numel_out(1)
    n_u, order = initialize.numel_in(0), input_order
    limit = substep_s if math.isfinite(substep_s) else -1.0
    flags = ", ".join(str(int(f)) for f in is_mean) or "0"
    wrapper = _WRAPPER.format(
        name=name,
        n_memory=n_m,
        n_outputs=n_y,
        shift=_SHIFT.format(n_inputs=n_u, order=order) if order else "",
        inputs="n > 1 ? pts_shifted(u, i * h_i, s->moved) : u" if order else "u",
        dim_moved=max(1, n_u * (order + 1)) if order else 1,
        dim_memory=max(1, n_m),
        dim_outputs=max(1, n_y),
        n_flags=max(1, n_y),
        flags=flags,
        substep=repr(float(limit)),
    )
    return CCode(
        name=name,
        source=(STATIC if is_static else "") + source + wrapper,
        n_memory=n_m,
        input_order=order,
        substep_s=substep_s,
        has_derivatives=has_derivatives,
    )


def _renamed(function: ca.Function, name: str) -> ca.Function:
    if function.name() == name:
        return function
    arguments = function.mx_in()
    return ca.Function(name, arguments, function.call(arguments))
