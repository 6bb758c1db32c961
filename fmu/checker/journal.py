"""What an FMU under test logs, and what it does when it dies.

The name of the call in progress is kept in a file that survives a crash.
"""

from __future__ import annotations

import mmap
from collections import deque
from pathlib import Path
from typing import Any, final

from packtwin.twin.errors import FmuCallError

__all__ = ["BLACK_BOX_BYTES", "Journal", "RefusedError"]

BLACK_BOX_BYTES = 64
_N_MESSAGES = 200
_N_CHARACTERS = 500


@final
class RefusedError(FmuCallError):
    """A legal call did not succeed."""

    def __init__(self, function: str, status: str, reason: str) -> None:
        self.function = function
        super().__init__(f"`{function}` returned {status}: {reason}")


@final
class Journal:
    """The messages of a library, and the call in progress.

    Attributes:
        categories: The categories logged under, with the first message of each.
    """

    def __init__(self, black_box: Path) -> None:
        """Open the file that outlives this process."""
        self.categories: dict[str, str] = {}
        self._messages: deque[tuple[int, str]] = deque(maxlen=_N_MESSAGES)
        with black_box.open("r+b") as file:
            self._box = mmap.mmap(file.fileno(), BLACK_BOX_BYTES)

    def note(self, what: str) -> None:
        """Write what is being done where a crash does not reach it."""
        text = what.encode()[: BLACK_BOX_BYTES - 1]
        self._box[: len(text) + 1] = text + b"\0"

    def write(self, status: int, category: Any, text: Any) -> None:
        """Keep a message of the library, as it comes from C."""
        parts = [
            (part or b"")[:_N_CHARACTERS].decode("utf-8", "replace")
            for part in (category, text)
        ]
        self._messages.append((status, parts[1]))
        if len(self.categories) < _N_MESSAGES:
            self.categories.setdefault(*parts)

    def reason(self) -> str:
        """Return the last message of a problem, or that there is none."""
        for status, text in reversed(self._messages):
            if status != 0 and text.strip():
                return text.strip()
        return "it logs no reason."
