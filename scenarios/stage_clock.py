"""How long a stage took, over all the attempts that it needed."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

__all__ = ["Spent", "StageClock"]

_SAVE_EVERY_S = 2.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Time of a stage.

    Attributes:
        wall_s: On the wall.
        processor_s: Of all cores, of this process and of the children that ended.
    """

    wall_s: float = 0.0
    processor_s: float = 0.0


@final
class StageClock:
    """Counts on where a killed attempt at the same stage has stopped."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        """Start.

        Args:
            path: File that keeps the time until the stage ends.
            fingerprint: Of the stage; the time of another one does not count.
        """
        self._path, self._fingerprint = path, fingerprint
        self._earlier = _kept(path, fingerprint)
        self._began = _now()
        self._saved_s = self._began.wall_s

    def spent(self) -> Spent:
        """Return the time until now, of earlier attempts too."""
        now = _now()
        return Spent(
            wall_s=self._earlier.wall_s + now.wall_s - self._began.wall_s,
            processor_s=self._earlier.processor_s
            + now.processor_s
            - self._began.processor_s,
        )

    def save(self) -> None:
        """Keep the time in the file, every other second at most."""
        now_s = time.perf_counter()
        if now_s < self._saved_s + _SAVE_EVERY_S:
            return
        self._saved_s = now_s
        text = json.dumps({"fingerprint": self._fingerprint, **asdict(self.spent())})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(text + "\n", encoding="utf-8")

    def stop(self) -> Spent:
        """Return the time and forget it: the stage is done."""
        self._path.unlink(missing_ok=True)
        return self.spent()


def _now() -> Spent:
    used = os.times()
    return Spent(wall_s=time.perf_counter(), processor_s=sum(used[:4]))


def _kept(path: Path, fingerprint: str) -> Spent:
    """Return what an earlier attempt left; a file cut short counts as none."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("fingerprint") != fingerprint:
            return Spent()
        return Spent(**kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Spent()
