"""CasADi functions as C99, everything `static`; units follow each other in one file.

    static int NAME_call(const double *a0, ..., double *r0, ..., void *space);

Each function gets a call by its arguments and results in order; it returns 0 unless it
could not be computed (an algebraic loop that did not converge). `space` is scratch of
`sizeof(UNIT_space)`, in which nothing is kept.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import casadi as ca

from packtwin.twin.casadi_kernels import with_kernels

__all__ = ["casadi_unit"]

_CONSTANTS = re.compile(
    r"(static const casadi_real casadi_c\d+\[\d+\] =\s*\{)([^{}]*)(\};)"
)
_SMALL_BEGIN = """
#if defined(__clang__)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#pragma clang attribute push(__attribute__((noinline)), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("Os")
#endif
"""
_SMALL_END = """
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
"""


def casadi_unit(
    name: str, functions: Sequence[ca.Function], n_fast: int | None = None
) -> str:
    """Return the C source of functions and their calls.

    Args:
        name: Of the unit, a C identifier; prefix of what CasADi adds.
        functions: Their names become those of C functions.
        n_fast: How many of them, the first ones, are called in every step. The others
            are compiled for size: large derivatives cost compilers seconds otherwise.
    """
    generator = ca.CodeGenerator(
        f"{name}.c",
        {
            "with_header": False,
            "casadi_int": "int",
            "avoid_stack": False,
            "verbose": False,  # no comment on every operation: half of the text
        },
    )
    for function in functions:
        generator.add(function)
    with tempfile.TemporaryDirectory() as folder:
        generator.generate(f"{folder}/")
        source = (Path(folder) / f"{name}.c").read_text()
    source = _CONSTANTS.sub(_shortened, with_kernels(source))
    n_fast = len(functions) if n_fast is None else n_fast
    if 0 < n_fast < len(functions):
        last = functions[n_fast - 1].name()
        start = source.index(f"CASADI_SYMBOL_EXPORT casadi_int {last}_n_in(void)")
        at = source.index("\n", start)
        source = source[:at] + _SMALL_BEGIN + source[at:] + _SMALL_END
    n_arg, n_res, n_iw, n_w = (
        max(1, *(getattr(f, f"sz_{kind}")() for f in functions))
        for kind in ("arg", "res", "iw", "w")
    )
    space = f"""
typedef struct {{
  const casadi_real *arg[{n_arg}];
  casadi_real *res[{n_res}];
  casadi_real w[{n_w}];
  casadi_int iw[{n_iw}];
}} {name}_space;
"""
    fast, small = (
        "".join(_call(f, name) for f in part)
        for part in (functions[:n_fast], functions[n_fast:])
    )
    if small:  # inlined into their calls, functions would be as large as ever
        small = _SMALL_BEGIN + small + _SMALL_END
    return source + space + fast + small + _forget(source)


def _shortened(found: re.Match[str]) -> str:
    """Write each number as the shorter one of decimal and hexadecimal."""
    numbers = (float(text) for text in found[2].split(","))
    return f"{found[1]}{', '.join(map(_shortest, numbers))}{found[3]}"


def _shortest(value: float) -> str:
    mantissa, _, exponent = value.hex().partition("p")
    digits = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return min(repr(value), f"{digits}p{int(exponent)}", key=len)


def _forget(source: str) -> str:
    """Undefine what CasADi defined, so that another unit can follow."""
    names = re.findall(r"^#define (casadi_\w+) CASADI_PREFIX", source, re.MULTILINE)
    return "".join(f"#undef {name}\n" for name in [*names, "CASADI_PREFIX"])


def _call(function: ca.Function, unit: str) -> str:
    n_in, n_out = function.n_in(), function.n_out()
    given = [f"const double *a{i}" for i in range(n_in)]
    given += [f"double *r{i}" for i in range(n_out)]
    sets = [f"  s->arg[{i}] = a{i};" for i in range(n_in)]
    sets += [f"  s->res[{i}] = r{i};" for i in range(n_out)]
    name = function.name()
    return "\n".join(
        [
            "",
            f"static int {name}_call({', '.join(given)}, void *space) {{",
            f"  {unit}_space *s = ({unit}_space *)space;",
            *sets,
            f"  return {name}(s->arg, s->res, s->iw, s->w, 0);",
            "}",
            "",
        ]
    )
