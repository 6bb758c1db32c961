"""A BPX file as PyBaMM parameter values.

BPX, the Battery Parameter eXchange (https://bpxstandard.com), is read by the `bpx`
package and translated by PyBaMM.
"""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pybamm

from packtwin.twin.errors import ModelError

__all__ = ["BpxFile", "read_bpx_file"]

_LARGEST_BYTES = 50_000_000
_ENTROPY = "Entropic change coefficient [V.K-1]"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BpxFile:
    """What a BPX file holds.

    Attributes:
        content: The JSON object.
        values: `pybamm.ParameterValues`.
        notes: What `bpx` and PyBaMM remarked about it.
    """

    content: dict[str, Any]
    values: Any
    notes: tuple[str, ...]


def read_bpx_file(path: Path) -> BpxFile:
    """Read and translate a BPX file.

    Raises:
        ModelError: it cannot be read, breaks the standard, or PyBaMM cannot use it.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            message = (
                f"BPX file `{path}` has {path.stat().st_size} bytes, expected at most "
                f"{_LARGEST_BYTES}. Remove its validation data."
            )
            raise ModelError(message)
        content = json.loads(path.read_text(encoding="utf-8"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            filled, defaults = _with_entropy(content)
            values = pybamm.ParameterValues.create_from_bpx_obj(filled)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        message = (
            f"BPX file `{path}` cannot be read: {error}. Give a JSON file that follows "
            "the BPX standard."
        )
        raise ModelError(message) from error
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        NotImplementedError,
        pybamm.SolverError,
    ) as error:
        reason = " ".join(str(error).split())
        message = (
            f"BPX file `{path}` cannot become a cell: {reason[:600]}. Correct the "
            "file; PyBaMM needs a full DFN or SPMe parameterisation."
        )
        raise ModelError(message) from error
    remarks = [
        " ".join(str(w.message).split())
        for w in caught
        if issubclass(w.category, UserWarning)
    ]
    notes = tuple(dict.fromkeys([*defaults, *remarks]))
    return BpxFile(content=content, values=values, notes=notes)


def _with_entropy(content: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Fill in the entropic coefficient, optional in BPX but not in PyBaMM, by zero."""
    filled, notes = copy.deepcopy(content), []
    for side in ("Negative electrode", "Positive electrode"):
        electrode = filled.get("Parameterisation", {}).get(side) or {}
        for part in (electrode.get("Particle") or {"": electrode}).values():
            if _ENTROPY not in part:
                part[_ENTROPY] = 0.0
                notes.append(f"{side} has no `{_ENTROPY}`; 0 is used.")
    return filled, notes
