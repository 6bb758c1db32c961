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
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import casadi as ca

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
    """

    name: str
    source: str
    n_memory: int
    input_order: int = 0


_WRAPPER = """
/* ---- packtwin step-map ABI ------------------------------------------------ */
#include <stddef.h>
#include <string.h>

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
  const casadi_real *arg[{n_arg}];
  casadi_real *res[{n_res}];
  casadi_real w[{n_w}];
  double now[{dim_memory}], next[{dim_memory}], last[{dim_outputs}];
  double total[{dim_outputs}];
  double moved[{dim_moved}];
  casadi_int iw[{n_iw}];
}} pts_space;

{static}size_t {name}_pt_space_size(void) {{ return sizeof(pts_space); }}

{static}int {name}_pt_initialize(const double *u, const double *p, double *memory,
                          double *y, void *space) {{
  pts_space *s = (pts_space *)space;
  s->arg[0] = u;
  s->arg[1] = p;
  s->res[0] = memory;
  s->res[1] = y;
  if ({name}_initialize(s->arg, s->res, s->iw, s->w, 0)) return 1;
  return !(pts_all_finite(memory, PTS_N_MEMORY) && pts_all_finite(y, PTS_N_OUTPUTS));
}}

{static}int {name}_pt_step(double *memory, double t, double h, const double *u,
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
    s->arg[0] = now;
    s->arg[1] = &t_i;
    s->arg[2] = &h_i;
    s->arg[3] = {inputs};
    s->arg[4] = p;
    s->res[0] = next;
    s->res[1] = last;
    if ({name}_step(s->arg, s->res, s->iw, s->w, 0)) return 1;
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


def generate_c(
    name: str,
    initialize: ca.Function,
    step: ca.Function,
    *,
    is_mean: Sequence[bool],
    substep_s: float = math.inf,
    input_order: int = 0,
    is_static: bool = False,
) -> CCode:
    """Generate the C source of a step map's two functions; see `StepMap`.

    Args:
        name: Prefix of the functions.
        initialize: `(u, p) -> (memory, y)`.
        step: `(memory, t, h, u, p) -> (memory, y)`.
        is_mean: Flags of the outputs that are means over the step.
        substep_s: A longer step is cut into equal substeps of at most this length.
        input_order: Number of time derivatives among the inputs of `step`.
        is_static: Make the ABI functions `static` too (for one FMU source file).
    """
    generator = ca.CodeGenerator(
        f"{name}_functions.c",
        {"with_header": False, "casadi_int": "int", "avoid_stack": False},
    )
    functions = (
        _renamed(initialize, f"{name}_initialize"),
        _renamed(step, f"{name}_step"),
    )
    for function in functions:
        generator.add(function)
    with tempfile.TemporaryDirectory() as folder:
        generator.generate(f"{folder}/")
        source = (Path(folder) / f"{name}_functions.c").read_text()
    n_m, n_y = initialize.numel_out(0), initialize.numel_out(1)
    n_u, order = initialize.numel_in(0), input_order
    limit = substep_s if math.isfinite(substep_s) else -1.0
    flags = ", ".join(str(int(f)) for f in is_mean) or "0"
    wrapper = _WRAPPER.format(
        name=name,
        static="static " if is_static else "",
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
        n_arg=max(1, *(f.sz_arg() for f in functions)),
        n_res=max(1, *(f.sz_res() for f in functions)),
        n_iw=max(1, *(f.sz_iw() for f in functions)),
        n_w=max(1, *(f.sz_w() for f in functions)),
    )
    return CCode(
        name=name,
        source=_with_column_order(source) + wrapper,
        n_memory=n_m,
        input_order=order,
    )


def _renamed(function: ca.Function, name: str) -> ca.Function:
    if function.name() == name:
        return function
    arguments = function.mx_in()
    return ca.Function(name, arguments, function.call(arguments))


# CasADi's dense product runs along rows; along columns, four at a time, the same sums
# are formed in the same order (bit-identical), but the compiler can vectorise them: 3x
# on networks.
_PRODUCT = """void casadi_mtimes_dense(const casadi_real* x, casadi_int nrow_x,
    casadi_int ncol_x, const casadi_real* y, casadi_int ncol_y, casadi_real* z,
    casadi_int tr) {
  casadi_int i, j, k;
  for (i = 0; i < ncol_y; ++i) {
    if (tr) {
      for (j = 0; j < ncol_x; ++j) {
        for (k = 0; k < nrow_x; ++k) {
          z[j + i * ncol_x] += x[k + j * nrow_x] * y[k + i * nrow_x];
        }
      }
    } else {
      casadi_real* restrict sum = z + i * nrow_x;
      const casadi_real* restrict f = y + i * ncol_x;
      for (k = 0; k + 4 <= ncol_x; k += 4) {
        const casadi_real* restrict a = x + k * nrow_x;
        const casadi_real* restrict b = a + nrow_x;
        const casadi_real* restrict c = b + nrow_x;
        const casadi_real* restrict d = c + nrow_x;
        const casadi_real f0 = f[k], f1 = f[k + 1], f2 = f[k + 2], f3 = f[k + 3];
        for (j = 0; j < nrow_x; ++j) {
          sum[j] = (((sum[j] + a[j] * f0) + b[j] * f1) + c[j] * f2) + d[j] * f3;
        }
      }
      for (; k < ncol_x; ++k) {
        const casadi_real* restrict a = x + k * nrow_x;
        const casadi_real f0 = f[k];
        for (j = 0; j < nrow_x; ++j) sum[j] += a[j] * f0;
      }
    }
  }
}
"""


def _with_column_order(source: str) -> str:
    begin = source.find("void casadi_mtimes_dense(")
    if begin < 0:
        return source
    end = source.index("\n}\n", begin) + 3
    return source[:begin] + _PRODUCT + source[end:]
