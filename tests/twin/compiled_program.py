"""Run generated C from NumPy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.linkage import EXPORTED
from packtwin.twin.vector_c import preamble_to_c, program_to_c
from packtwin.twin.vector_program import Program

Call = Callable[..., list[np.ndarray]]


def load(source: str, folder: Path) -> ctypes.CDLL:
    """Compile C99 with all warnings as errors and load it."""
    folder.mkdir(parents=True, exist_ok=True)
    code, library = folder / "code.c", folder / "code.so"
    code.write_text(source, encoding="utf-8")
    flags = (*STRICT_FLAGS, "-fno-trapping-math", "-fno-tree-slp-vectorize")
    Compiler(command=find_compiler().command, extra_flags=flags).compile_library(
        code, library
    )
    return ctypes.CDLL(str(library))


def load_program(program: Program, folder: Path) -> Call:
    """Return the program as a function of vectors, through C."""
    n_in, sizes = len(program.argument_sizes), program.output_sizes
    pointers = [f"a[{k}]" for k in range(n_in)] + [f"r[{k}]" for k in range(len(sizes))]
    source = "\n".join(
        [
            EXPORTED,
            preamble_to_c(program.lookups),
            program_to_c(program, "program"),
            "PT_ABI void call(const double *const *a, double *const *r);",
            "PT_ABI void call(const double *const *a, double *const *r) {",
            "  double w[program_WORK];",
            f"  program({', '.join([*pointers, 'w'])});",
            "  (void)a; (void)r;",
            "}",
        ]
    )
    function = load(source, folder).call

    def call(*arguments: Sequence[float] | np.ndarray) -> list[np.ndarray]:
        vectors = [np.ascontiguousarray(a, dtype=np.float64) for a in arguments]
        results = [np.full(max(1, n), np.nan) for n in sizes]
        at = [(ctypes.c_void_p * max(1, len(v)))() for v in (vectors, results)]
        for place, owned in zip(at, (vectors, results), strict=True):
            for k, vector in enumerate(owned):
                place[k] = vector.ctypes.data
        function(*at)
        return [r[:n] for r, n in zip(results, sizes, strict=True)]

    return call
