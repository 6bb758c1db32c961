"""Vectors of a MATLAB file (version 7.2 or older), by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import PackTwinError, ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["read_matlab"]

Vector: TypeAlias = NDArray[np.float64]

_DEPTH = 4


def read_matlab(path: Path, names: Sequence[str]) -> dict[str, Vector]:
    """Return vectors by name; those in structures are `structure.field`.

    Raises:
        ScenarioError: the file cannot be read, or a vector is missing.
        PackTwinError: SciPy is not installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        msg = (
            f"Reading the MATLAB file `{path}` needs `scipy`, which is not installed; "
            'run `pip install "packtwin[physics]"` or give a CSV file.'
        )
        raise PackTwinError(msg) from error
    try:
        content: Any = loadmat(path, squeeze_me=True, struct_as_record=False)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        msg = (
            f"MATLAB file `{path}` cannot be read: {error}. Save it with "
            "`save(..., '-v7')` or give a CSV file."
        )
        raise ScenarioError(msg) from error
    vectors: dict[str, Vector] = {}
    for name, value in content.items():
        if not name.startswith("__"):
            _collect(name, value, vectors, 0)
    for name in names:
        if name not in vectors:
            known = nearest_names(name, list(vectors)) if vectors else "none"
            msg = (
                f"MATLAB file `{path}` has no vector of numbers `{name}`; nearest: "
                f"{known}. Correct the column map."
            )
            raise ScenarioError(msg)
    return {name: vectors[name] for name in names}


def _collect(name: str, value: Any, vectors: dict[str, Vector], depth: int) -> None:
    if depth > _DEPTH:
        return
    if hasattr(value, "_fieldnames"):
        for inner in value._fieldnames:  # noqa: SLF001 (SciPy's only way)
            _collect(f"{name}.{inner}", getattr(value, inner), vectors, depth + 1)
        return
    array = np.asarray(value)
    if array.dtype.kind in "fiub" and array.size > 1 and array.ndim == 1:
        vectors[name] = array.astype(np.float64)
