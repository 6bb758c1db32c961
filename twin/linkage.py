"""What generated C begins with, so that its ABI is seen outside a library or not."""

from __future__ import annotations

__all__ = ["EXPORTED", "STATIC", "VISIBLE"]

VISIBLE = '__attribute__((visibility("default")))'
"""Linkage of functions that a shared library exports."""

EXPORTED = f"#define PT_ABI {VISIBLE}\n"
"""Before the preamble: the functions of the ABI are seen outside a shared library."""

STATIC = "#define PT_ABI static\n"
"""Before the preamble: they are seen in their translation unit only."""
