"""One step of a step map through its C."""

from __future__ import annotations

import numpy as np

from packtwin.twin.compiler import Compiler
from packtwin.twin.library_cache import cached_library
from packtwin.twin.linkage import EXPORTED
from packtwin.twin.step_library import StepLibrary
from packtwin.twin.step_map import StepMap


def step_in_c(
    step_map: StepMap,
    memory: np.ndarray,
    u: np.ndarray,
    p: np.ndarray,
    *,
    compiler: Compiler | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return memory and outputs after a step of 1 s from time 0."""
    text = EXPORTED + step_map.c_code().source
    path = cached_library(step_map.name, text, compiler)
    library = StepLibrary(path, step_map.name, ("step",))
    after, y = memory.copy(), np.zeros(len(step_map.interface.outputs))
    assert library.call("step", after, 0.0, 1.0, u, p, y) == 0
    return after, y
