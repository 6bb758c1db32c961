"""C99 source of a step map, behind one small ABI.

    int NAME_initialize(const double *u, const double *p, double *memory, double *y);
    int NAME_step(double *memory, double t, double h, const double *u, const double *p,
                  double *y);

`NAME_step` returns 0 after a good step and 1 when it refused it (memory unchanged).
Nothing is allocated and nothing is global: the functions are reentrant, and different
instances may run in parallel threads.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

import casadi as ca

from packtwin.twin.step_map import StepMap

__all__ = ["CCode", "generate_c"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CCode:
    """Generated C source: one translation unit, everything `static` but the ABI."""

    name: str
    source: str
    n_memory: int
    n_inputs: int
    n_parameters: int
    n_outputs: int


_WRAPPER = """
/* ---- packtwin step-map ABI ------------------------------------------------ */
#include <string.h>

#define PT_N_MEMORY {n_memory}
#define PT_N_OUTPUTS {n_outputs}

static const char pt_is_mean[{n_flags}] = {{{flags}}};

static int pt_all_finite(const double *v, int n) {{
  int i;
  for (i = 0; i < n; ++i) {{
    if (!(v[i] - v[i] == 0.0)) return 0;
  }}
  return 1;
}}

{static}int {name}_pt_initialize(const double *u, const double *p, double *memory,
                          double *y) {{
  const casadi_real *arg[{init_arg}];
  casadi_real *res[{init_res}];
  casadi_int iw[{init_iw}];
  casadi_real w[{init_w}];
  arg[0] = u;
  arg[1] = p;
  res[0] = memory;
  res[1] = y;
  if ({name}_initialize(arg, res, iw, w, 0)) return 1;
  return !(pt_all_finite(memory, PT_N_MEMORY) && pt_all_finite(y, PT_N_OUTPUTS));
}}

{static}int {name}_pt_step(double *memory, double t, double h, const double *u,
                    const double *p, double *y) {{
  const casadi_real *arg[{step_arg}];
  casadi_real *res[{step_res}];
  casadi_int iw[{step_iw}];
  casadi_real w[{step_w}];
  double now[{dim_memory}], next[{dim_memory}], last[{dim_outputs}];
  double total[{dim_outputs}];
  const double limit = {substep};
  double t_i, h_i;
  int n = 1, i, k;
  if (limit > 0.0 && h > limit) {{
    n = (int)(h / limit - 1e-9);
    if ((double)n < h / limit - 1e-9) ++n;
  }}
  h_i = h / n;
  memcpy(now, memory, sizeof(double) * PT_N_MEMORY);
  for (k = 0; k < PT_N_OUTPUTS; ++k) total[k] = 0.0;
  for (i = 0; i < n; ++i) {{
    t_i = t + i * h_i;
    arg[0] = now;
    arg[1] = &t_i;
    arg[2] = &h_i;
    arg[3] = u;
    arg[4] = p;
    res[0] = next;
    res[1] = last;
    if ({name}_step(arg, res, iw, w, 0)) return 1;
    memcpy(now, next, sizeof(double) * PT_N_MEMORY);
    for (k = 0; k < PT_N_OUTPUTS; ++k) total[k] += last[k];
  }}
  if (!pt_all_finite(now, PT_N_MEMORY) || !pt_all_finite(total, PT_N_OUTPUTS)) {{
    return 1;
  }}
  memcpy(memory, now, sizeof(double) * PT_N_MEMORY);
  for (k = 0; k < PT_N_OUTPUTS; ++k) y[k] = pt_is_mean[k] ? total[k] / n : last[k];
  return 0;
}}
"""


def generate_c(step_map: StepMap, *, is_static: bool = False) -> CCode:
    """Generate the C source of a step map.

    Args:
        step_map: What to generate.
        is_static: Make the ABI functions `static` too (for one FMU source file).
    """
    name = step_map.name
    generator = ca.CodeGenerator(
        f"{name}_functions.c",
        {"with_header": False, "casadi_int": "int", "avoid_stack": False},
    )
    init = _renamed(step_map.initialize, f"{name}_initialize")
    step = _renamed(step_map.step, f"{name}_step")
    generator.add(init)
    generator.add(step)
    with tempfile.TemporaryDirectory() as folder:
        generator.generate(f"{folder}/")
        functions = (Path(folder) / f"{name}_functions.c").read_text()
    functions = _with_column_order(functions)
    n_m, n_y = len(step_map.memory), len(step_map.interface.outputs)
    limit = step_map.substep_s if math.isfinite(step_map.substep_s) else -1.0
    flags = ", ".join(str(int(f)) for f in step_map.is_mean_output) or "0"
    wrapper = _WRAPPER.format(
        name=name,
        static="static " if is_static else "",
        n_memory=n_m,
        n_outputs=n_y,
        dim_memory=max(1, n_m),
        dim_outputs=max(1, n_y),
        n_flags=max(1, n_y),
        flags=flags,
        substep=repr(float(limit)),
        **_work_sizes("init", init),
        **_work_sizes("step", step),
    )
    return CCode(
        name=name,
        source=functions + wrapper,
        n_memory=n_m,
        n_inputs=len(step_map.interface.inputs),
        n_parameters=len(step_map.interface.parameters),
        n_outputs=n_y,
    )


def _renamed(function: ca.Function, name: str) -> ca.Function:
    if function.name() == name:
        return function
    arguments = function.mx_in()
    return ca.Function(name, arguments, function.call(arguments))


# CasADi's dense product runs along rows; along columns the same sums are formed in the
# same order (bit-identical), but the compiler can vectorise them: 2x on networks.
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
      for (k = 0; k < ncol_x; ++k) {
        const casadi_real factor = y[k + i * ncol_x];
        const casadi_real* restrict column = x + k * nrow_x;
        casadi_real* restrict sum = z + i * nrow_x;
        for (j = 0; j < nrow_x; ++j) sum[j] += column[j] * factor;
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


def _work_sizes(prefix: str, function: ca.Function) -> dict[str, int]:
    return {
        f"{prefix}_arg": max(1, function.sz_arg()),
        f"{prefix}_res": max(1, function.sz_res()),
        f"{prefix}_iw": max(1, function.sz_iw()),
        f"{prefix}_w": max(1, function.sz_w()),
    }
