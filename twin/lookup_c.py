"""C99 tables and functions of lookups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packtwin.twin.lookup import Lookup

__all__ = ["lookups_to_c"]

_LOOKUP = """static int {name}_piece(double x) {{
{search}
}}
static inline double {name}_value(double x) {{
  const int i = {name}_piece(x);
  const double *c = {name}_c + 4 * i, d = x - {name}_b[i];
  return c[0] + d * (c[1] + d * (c[2] + d * c[3]));
}}
static inline double {name}_slope(double x) {{
  const int i = {name}_piece(x);
  const double *c = {name}_c + 4 * i, d = x - {name}_b[i];
  return c[1] + d * (2.0 * c[2] + 3.0 * d * c[3]);
}}"""
_UNIFORM = """  double s = (x - ({lower})) * {scale};
  int i = s > 0.0 ? (s < {last}.0 ? (int)s : {last}) : 0;
  if (i > 0 && x < {name}_b[i]) --i;
  if (i < {last} && x >= {name}_b[i + 1]) ++i;
  return i;"""
_BISECTION = """  int low = 0, high = {last} + 1;
  while (high - low > 1) {{
    const int middle = (low + high) / 2;
    if (x < {name}_b[middle]) high = middle;
    else low = middle;
  }}
  return low;"""


def lookups_to_c(lookups: Sequence[Lookup]) -> Iterator[str]:
    """Yield the tables and functions `NAME_value` and `NAME_slope` of each lookup."""
    for table in lookups:
        b, c = table.breakpoints, table.coefficients.reshape(-1)
        for label, values in (("b", b), ("c", c)):
            texts = ", ".join(repr(float(v)) for v in values)
            size = f"[{len(values)}]"
            yield f"static const double {table.name}_{label}{size} = {{{texts}}};"
        last = len(b) - 2
        form = _UNIFORM if table.is_uniform else _BISECTION
        search = form.format(
            name=table.name,
            last=last,
            lower=repr(float(b[0])),
            scale=repr(float((last + 1) / (b[-1] - b[0]))),
        )
        yield _LOOKUP.format(name=table.name, search=search)
