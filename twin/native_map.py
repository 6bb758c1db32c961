"""The step of a step map in C, for a component that is one."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.c_function import c_function, load_function
from packtwin.twin.native_step import NativeStep, Resume

__all__ = ["map_step"]

Vector: TypeAlias = NDArray[np.float64]


class _Map(ctypes.Structure):
    _fields_ = (
        ("step", ctypes.c_void_p),
        ("memory", ctypes.c_void_p),
        ("u", ctypes.c_void_p),
        ("n_u", ctypes.c_size_t),
        ("p", ctypes.c_void_p),
        ("space", ctypes.c_void_p),
        ("place", ctypes.c_void_p),
    )


def map_step(
    library: tuple[Path, str],
    vectors: tuple[Vector, Vector, Vector, Vector],
    n_input: int,
    resume: Resume,
) -> NativeStep:
    """Return the step of a compiled step map.

    Args:
        library: The shared library and the prefix of its functions.
        vectors: Memory, inputs with their time derivatives, parameters, and what
            becomes end and length of the last step and 1. The step works on them, but
            does not change the parameters.
        n_input: Number of inputs.
        resume: As `NativeStep` says.
    """
    path, name = library
    size = ctypes.CFUNCTYPE(ctypes.c_size_t)(
        load_function(path, f"{name}_pt_space_size")
    )
    space = np.zeros(-(-int(size()) // 8))
    memory, u, p, place = vectors
    data = _Map(
        step=load_function(path, f"{name}_pt_step"),
        memory=memory.ctypes.data,
        u=u.ctypes.data,
        n_u=n_input,
        p=p.ctypes.data,
        space=space.ctypes.data,
        place=place.ctypes.data,
    )
    return NativeStep(
        function=c_function("packtwin.twin.c_sources", "native_map.c", "pt_map_step"),
        self=ctypes.addressof(data),
        resume=resume,
        kept=(data, space, *vectors),
    )
