"""`CLoop`: C code of a step stepped by a loop in C, to time it and run it long."""

from __future__ import annotations

import ctypes
import time
from typing import Generic, TypeAlias, TypeVar, final

import numpy as np
import numpy.typing as npt

from packtwin.twin.errors import StepError
from packtwin.twin.library_cache import cached_library
from packtwin.twin.steppable import SteppableCode

__all__ = ["CLoop"]

Vector: TypeAlias = npt.NDArray[np.float64]
Code = TypeVar("Code", bound=SteppableCode)

_CLOCK = "#define _POSIX_C_SOURCE 199309L\n#include <time.h>\n"
_LOOP = """
#define PT_LOOP __attribute__((visibility("default")))
PT_LOOP size_t loop_space_size(void);
PT_LOOP int loop_start(const double *u, const double *p, double *memory, double *y,
                       void *space);
PT_LOOP int loop_run(int n, double h, const double *u, const double *p, double *memory,
                     double *y, void *space);
PT_LOOP int loop_trace(int n, double t, double h, const double *u, const double *p,
                       double *memory, double *y, double *took, void *space);

size_t loop_space_size(void) {{ return {name}_pt_space_size(); }}

int loop_start(const double *u, const double *p, double *memory, double *y,
               void *space) {{
  return {name}_pt_initialize(u, p, memory, y, space);
}}

int loop_run(int n, double h, const double *u, const double *p, double *memory,
             double *y, void *space) {{
  int k;
  for (k = 0; k < n; ++k) {{
    if ({name}_pt_step(memory, k * h, h, u + k * {n_u}, p, y, space)) return k;
  }}
  return n;
}}

int loop_trace(int n, double t, double h, const double *u, const double *p,
               double *memory, double *y, double *took, void *space) {{
  struct timespec a, b;
  int k, status;
  for (k = 0; k < n; ++k) {{
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    status = {name}_pt_step(memory, t + k * h, h, u + k * {n_u}, p, y + k * {n_y},
                            space);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    took[k] = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    if (status) return k;
  }}
  return n;
}}
"""


@final
class CLoop(Generic[Code]):
    """The compiled step map with its loops.

    Attributes:
        step_map: What was compiled.
    """

    def __init__(self, step_map: Code) -> None:
        """Generate and compile, or take from the cache.

        Raises:
            CompilerError: There is no working C compiler.
        """
        self.step_map = step_map
        code, ports = step_map.c_code(), step_map.interface
        loop = _LOOP.format(
            name=code.name,
            n_u=len(ports.inputs) * (code.input_order + 1),
            n_y=len(ports.outputs),
        )
        text = _CLOCK + code.source + loop
        self._n_memory, self._input_order = code.n_memory, code.input_order
        path = cached_library(f"{step_map.name}_loop", text)
        self._library = ctypes.CDLL(str(path))
        self._library.loop_space_size.restype = ctypes.c_size_t
        self._space = np.zeros(-(-int(self._library.loop_space_size()) // 8))

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return memory and outputs at the start."""
        memory = np.zeros(self._n_memory)
        y = np.zeros(len(self.step_map.interface.outputs))
        u, p = (np.ascontiguousarray(a, dtype=np.float64) for a in (u, p))
        status = self._library.loop_start(*map(_pointer, (u, p, memory, y)), self._at)
        if status:
            msg = (
                f"The C code of `{self.step_map.name}` refused its start; check inputs "
                "and parameters."
            )
            raise StepError(msg, component=self.step_map.name, time_s=0.0)
        return memory, y

    def run(
        self, memory: Vector, u: Vector, p: Vector, h: float = 1.0
    ) -> tuple[Vector, Vector]:
        """Take one step of `h` seconds per row of `u`; return memory and last outputs.

        Raises:
            StepError: A step was refused.
        """
        new = np.array(memory, dtype=np.float64)
        y = np.zeros(len(self.step_map.interface.outputs))
        u, p, n = self._held(u), np.ascontiguousarray(p, dtype=np.float64), len(u)
        done = self._library.loop_run(
            n, ctypes.c_double(h), *map(_pointer, (u, p, new, y)), self._at
        )
        if done < n:
            msg = (
                f"The C code of `{self.step_map.name}` refused step {done} of {n}; "
                "keep the inputs inside the cell's window."
            )
            raise StepError(msg, component=self.step_map.name, time_s=done * h)
        return new, y

    def trace(
        self, memory: Vector, u: Vector, p: Vector, *, t: float = 0.0, h: float = 1.0
    ) -> tuple[Vector, Vector, Vector]:
        """Take steps as `run` does and keep what each one said and took.

        Returns:
            Memory, outputs `(n, n_y)` and CPU seconds `(n,)`; fewer rows than those of
            `u` if a step was refused.
        """
        new, n = np.array(memory, dtype=np.float64), len(u)
        y = np.zeros((n, len(self.step_map.interface.outputs)))
        took_s = np.zeros(n)
        u, p = self._held(u), np.ascontiguousarray(p, dtype=np.float64)
        done = self._library.loop_trace(
            n,
            ctypes.c_double(t),
            ctypes.c_double(h),
            *map(_pointer, (u, p, new, y, took_s)),
            self._at,
        )
        return new, y[:done], took_s[:done]

    def step_time_s(self, u: Vector, p: Vector, n_repeat: int) -> float:
        """Return the median CPU seconds of a 1-s step over runs of all rows."""
        costs = []
        for _ in range(n_repeat):
            memory, _ = self.start(u[0], p)
            began = time.thread_time()
            self.run(memory, u, p)
            costs.append((time.thread_time() - began) / len(u))
        return float(np.median(costs))

    def _held(self, u: Vector) -> Vector:
        """Return constant inputs as the C code takes them: their derivatives are 0."""
        rows: Vector = np.pad(u, ((0, 0), (0, self._input_order * u.shape[1])))
        return np.ascontiguousarray(rows, dtype=np.float64)

    @property
    def _at(self) -> ctypes.c_void_p:
        return _pointer(self._space)


def _pointer(values: Vector) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)
