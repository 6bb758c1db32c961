"""Read and fill in the templates of what goes into an FMU."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping
from typing import Any

import jinja2

__all__ = ["read_template", "render_template"]


def read_template(name: str) -> str:
    """Return a file of `fmu/templates` as it is."""
    folder = importlib.resources.files("packtwin.fmu.templates")
    return (folder / name).read_text(encoding="utf-8")


def render_template(
    name: str, context: Mapping[str, Any], *, is_xml: bool = False
) -> str:
    """Fill in a file of `fmu/templates`.

    Args:
        name: The file.
        context: What it names.
        is_xml: Escape for XML and HTML.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=is_xml, keep_trailing_newline=True
    )
    environment.filters["c_double"] = _c_double
    environment.tests["finite"] = math.isfinite
    return environment.from_string(read_template(name)).render(context)


def _c_double(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "-DBL_MAX" if value < 0 else "DBL_MAX"
