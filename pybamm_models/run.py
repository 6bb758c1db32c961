"""One recorded run of the ground truth and its `.npz` file."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from packtwin.twin.errors import ModelError

__all__ = ["Run", "read_run", "write_run"]

Array = npt.NDArray[np.float64]

# What reading a file that is not whole may raise.
_DAMAGE = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Time-first arrays on a 1-s grid plus the run's scalars.

    The grid ends before the first stop event; `status` is `ok` (whole input) or
    `limit`, with the event's name in `limit` and its time in `end_time_s`.
    `first_limit_s` is the first crossing of the cell's voltage window (nan: none).
    """

    name: str
    kind: str
    cell: str
    status: str
    limit: str
    end_time_s: float
    first_limit_s: float
    start_soc: float
    heat_transfer_coefficient_W_per_m2_K: float
    solve_s: float
    time_s: Array
    current_A: Array
    coolant_temperature_K: Array
    soc: Array
    is_in_window: npt.NDArray[np.bool_]
    voltage_V: Array
    ocv_V: Array
    temperature_K: Array
    plating_potential_V: Array
    heat_total_W: Array
    heat_irreversible_W: Array
    heat_reversible_W: Array
    heat_mixing_W: Array
    stoichiometry_negative_mean: Array
    stoichiometry_positive_mean: Array
    stoichiometry_negative_surface: Array
    stoichiometry_positive_surface: Array
    stoichiometry_negative_separator: Array


def write_run(run: Run, path: Path, fingerprint: str = "") -> None:
    """Write `run` so that a file of that name is always whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {f.name: getattr(run, f.name) for f in fields(run)}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, fingerprint=fingerprint, **content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_run(path: Path, fingerprint: str | None = None) -> Run:
    """Read a run.

    Raises:
        ModelError: the file is missing, cut short, lacks an array or (where
            `fingerprint` is given) was made from another request.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            found = str(stored["fingerprint"])
            content = {f.name: _plain(stored[f.name]) for f in fields(Run)}
    except _DAMAGE as error:
        message = f"Run file `{path}` cannot be read ({error}). Generate it again."
        raise ModelError(message) from error
    if fingerprint is not None and found != fingerprint:
        message = (
            f"Run file `{path}` has fingerprint `{found}`, expected `{fingerprint}`: "
            "it was made from another cell, mesh or input. Generate it again."
        )
        raise ModelError(message)
    return Run(**content)


def _plain(value: npt.NDArray[Any]) -> Any:
    return value.item() if value.ndim == 0 else value
