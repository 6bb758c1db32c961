"""`BatchProgram`: a `Program` as compiled C over the rows of matrices.

One row is one sample: its vectors stay in the processor's first caches, and the loops
over mesh nodes inside it are vectorised.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.compiler import Compiler
from packtwin.twin.library_cache import cached_library
from packtwin.twin.linkage import EXPORTED
from packtwin.twin.vector_c import preamble_to_c, program_to_c
from packtwin.twin.vector_program import Program

__all__ = ["BatchProgram"]

Matrix: TypeAlias = NDArray[np.float64]

_ROWS = 16  # per thread at least

_BATCH = """
#include <stddef.h>
PT_ABI int pt_work(void);
PT_ABI int pt_work(void) {{ return pt_program_WORK; }}
PT_ABI void pt_batch(ptrdiff_t first, ptrdiff_t last, const double *const *a,
                     const ptrdiff_t *stride, double *const *r, double *w);
PT_ABI void pt_batch(ptrdiff_t first, ptrdiff_t last, const double *const *a,
                     const ptrdiff_t *stride, double *const *r, double *w) {{
  ptrdiff_t i;
  (void)a;
  (void)stride;
  (void)r;
  for (i = first; i < last; ++i) {{
    pt_program({call});
  }}
}}
"""


@final
class BatchProgram:
    """A compiled program; instances may be called from several threads at once."""

    def __init__(
        self, program: Program, name: str, compiler: Compiler | None = None
    ) -> None:
        """Compile, or take from the cache, and load.

        Args:
            program: What to compile.
            name: C identifier, by which the library in the cache is recognised.
            compiler: Default: this machine's.

        Raises:
            CompilerError: no C compiler, or it failed.
            InterfaceError: an operation has no C form.
        """
        library = cached_library(name, _source(program), compiler)
        loaded = ctypes.CDLL(str(library))
        self._batch: Any = loaded.pt_batch
        self._batch.restype = None
        self._sizes = program.output_sizes
        self._n_work = int(loaded.pt_work())

    def __call__(
        self, arguments: Sequence[Matrix], n_thread: int = 1
    ) -> tuple[Matrix, ...]:
        """Return the outputs, one row per sample.

        Args:
            arguments: Matrices of as many rows each; rows may repeat (stride 0).
            n_thread: Threads that share the rows.
        """
        n = len(arguments[0])
        rows = [_with_dense_rows(a) for a in arguments]
        results = tuple(np.empty((n, size)) for size in self._sizes)
        strides = (ctypes.c_ssize_t * len(rows))(*(a.strides[0] // 8 for a in rows))
        inputs, outputs = _pointers(rows), _pointers(results)

        def compute(first: int, last: int) -> None:
            work = np.empty(self._n_work)
            self._batch(
                ctypes.c_ssize_t(first),
                ctypes.c_ssize_t(last),
                inputs,
                strides,
                outputs,
                ctypes.c_void_p(work.ctypes.data),
            )

        n_part = max(1, min(n_thread, n // _ROWS))
        edges = [n * k // n_part for k in range(n_part + 1)]
        if n_part == 1:
            compute(0, n)
        else:
            with ThreadPoolExecutor(n_part) as pool:
                list(pool.map(compute, edges[:-1], edges[1:]))
        return results


def _source(program: Program) -> str:
    n_in, sizes = len(program.argument_sizes), program.output_sizes
    call = [f"a[{k}] + i * stride[{k}]" for k in range(n_in)]
    call += [f"r[{k}] + i * {size}" for k, size in enumerate(sizes)]
    return "\n".join(
        [
            EXPORTED,
            preamble_to_c(program.lookups),
            program_to_c(program, "pt_program"),
            _BATCH.format(call=", ".join([*call, "w"])),
        ]
    )


def _with_dense_rows(matrix: Matrix) -> Matrix:
    """Return the matrix with neighbouring elements in every row."""
    is_dense = matrix.shape[1] <= 1 or matrix.strides[1] == matrix.itemsize
    is_aligned = matrix.strides[0] % matrix.itemsize == 0
    return matrix if is_dense and is_aligned else np.ascontiguousarray(matrix)


def _pointers(matrices: Sequence[Matrix]) -> Any:
    return (ctypes.c_void_p * len(matrices))(*(m.ctypes.data for m in matrices))
