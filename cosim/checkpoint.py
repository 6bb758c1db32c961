"""`Checkpoint`: the whole state of a run in a file, from which another process goes on.

The file is a NumPy archive: arrays, and one JSON document that says what they are.
Reading one runs no code that it brings.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.plain_state import from_plain, to_plain
from packtwin.twin.component import Component
from packtwin.twin.errors import InterfaceError, PackTwinError, ScenarioError

__all__ = [
    "Checkpoint",
    "check_savable",
    "not_savable",
    "read_checkpoint",
    "write_checkpoint",
]

Identity: TypeAlias = Mapping[str, Any]

_FORMAT, _VERSION = "packtwin.checkpoint", 1


@final
@dataclass(frozen=True, slots=True)
class Checkpoint:
    """When and where a run is saved.

    It is also saved when it is interrupted (Ctrl-C), at the next communication point.

    Attributes:
        path: The file; each time it is replaced as a whole.
        every: Communication steps between two times; None: not on the way.
        is_at_end: Save the end too, so that a later run can go on from it.
    """

    path: Path | str
    every: int | None = None
    is_at_end: bool = False

    def __post_init__(self) -> None:
        """Check it."""
        if self.every is not None and self.every < 1:
            msg = f"A run cannot be saved every {self.every} steps; give 1 or more."
            raise ScenarioError(msg)


def check_savable(components: list[Component]) -> None:
    """See that all components of a started run can be saved.

    Raises:
        ScenarioError: Names those that cannot, and says why.
    """
    reasons = {}
    for component in components:
        try:
            if component.capabilities.can_rewind:
                to_plain(component.save(), [])
                continue
            reason = "it cannot save its state"
        except PackTwinError as error:
            reason = str(error).rstrip(".")
        reasons[component.name] = reason
    if reasons:
        raise not_savable(reasons)


def not_savable(reasons: Mapping[str, str]) -> ScenarioError:
    """Return the error that names components that cannot be saved, with reasons."""
    told = ", ".join(f"`{name}` ({reason})" for name, reason in reasons.items())
    return ScenarioError(
        f"The run cannot be saved to a checkpoint because of {told}; leave "
        "`checkpoint` out, or replace them."
    )


def write_checkpoint(path: Path | str, identity: Identity, state: Any) -> None:
    """Write a state, wholly or not at all.

    Args:
        path: The file.
        identity: What must be the same for whoever goes on, as JSON can hold it.
        state: Plain values, and states of components.
    """
    arrays: list[NDArray[Any]] = []
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "identity": identity,
        "state": to_plain(state, arrays),
    }
    text = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            named: dict[str, Any] = {f"a{i}": a for i, a in enumerate(arrays)}
            np.savez(file, document=text, **named)
        temporary.replace(path)
    except OSError as error:
        msg = f"The checkpoint `{path}` cannot be written: {error}; choose another."
        raise ScenarioError(msg) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def read_checkpoint(path: Path | str, identity: Identity) -> Any:
    """Return the state in a file.

    Args:
        path: The file.
        identity: Of the run that is to go on.

    Raises:
        ScenarioError: It is missing, damaged, of another version or another run.
    """
    try:
        # A file handle: `np.load` leaves a file open that it refuses.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {int(k[1:]): stored[k] for k in stored.files if k != "document"}
            document = json.loads(stored["document"].tobytes())
            is_ours = document["format"] == _FORMAT
            version = document["version"]
    except FileNotFoundError as error:
        msg = f"There is no checkpoint `{path}`; check the path."
        raise ScenarioError(msg) from error
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
    ) as error:
        msg = f"`{path}` is cut off, damaged or no checkpoint; start the run anew."
        raise ScenarioError(msg) from error
    if not is_ours or version != _VERSION:
        msg = (
            f"`{path}` is a `{document['format']}` of version {version}, expected "
            f"`{_FORMAT}` of version {_VERSION}; start the run anew."
        )
        raise ScenarioError(msg)
    _compare(path, document["identity"], json.loads(json.dumps(identity)))
    try:
        return from_plain(document["state"], arrays)
    except InterfaceError as error:
        msg = f"`{path}` cannot be gone on from: {error}"
        raise ScenarioError(msg) from error


def _compare(path: Path | str, saved: Identity, wanted: Identity) -> None:
    for key in {**saved, **wanted}:
        got, expected = saved.get(key), wanted.get(key)
        if json.dumps(got) == json.dumps(expected):  # NaN equals itself so
            continue
        if isinstance(got, dict) and isinstance(expected, dict):
            name = next(k for k in {**got, **expected} if got.get(k) != expected.get(k))
            key, got, expected = f"{key} of `{name}`", got.get(name), expected.get(name)
        msg = (
            f"`{path}` was saved by another run: {key} was {_short(got)} there and is "
            f"{_short(expected)} here; go on with what saved it, or start anew."
        )
        raise ScenarioError(msg)


def _short(value: Any) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 300 else f"{text[:300]} ..."
