"""`Pipeline`: stages in order, each skipped when its manifest and outputs are whole.

A stage's manifest is written last and atomically, and removed first. So a killed run
leaves a stage without a manifest, and the stage is done again (a stage that can resume
does so by itself); no half-written output is ever taken for whole.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from packtwin.scenarios.fingerprints import file_digest
from packtwin.scenarios.stage_clock import Spent, StageClock
from packtwin.twin.errors import ScenarioError

__all__ = [
    "Manifest",
    "Pipeline",
    "Progress",
    "Stage",
    "StageOutcome",
    "read_manifest",
    "write_text",
]

logger = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[float, str], None]

_LIBRARIES = ("packtwin", "numpy", "casadi", "fmpy", "pybamm", "torch")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a job.

    Attributes:
        name: Its name, that of its manifest too.
        fingerprint: Hash of everything it depends on.
        seed: Of its random numbers.
        upstream: Stage whose outputs it reads; empty if none.
        work: Does it, given the run folder and a progress callback, and returns the
            files written.
    """

    name: str
    fingerprint: str
    work: Callable[[Path, Progress], Sequence[Path]]
    seed: int = 0
    upstream: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a stage did: inputs, seed, versions, outputs with SHA-256, and how long.

    `seconds` on the wall and `processor_s` of all cores count killed attempts too.
    """

    stage: str
    fingerprint: str
    upstream: dict[str, str]
    seed: int
    versions: dict[str, str]
    seconds: float
    outputs: dict[str, str]
    processor_s: float = 0.0

    @property
    def spent(self) -> Spent:
        """Its time."""
        return Spent(wall_s=self.seconds, processor_s=self.processor_s)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutcome:
    """How a stage ended, with the reason why it ran or why it did not."""

    name: str
    status: Literal["run", "up to date"]
    spent: Spent
    fingerprint: str
    reason: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Stages in order and the folder they work in.

    Attributes:
        folder: The run folder.
        stages: In order; an `upstream` comes before what reads it.
        progress: Called with the stage, the fraction done and a message.
    """

    folder: Path
    stages: tuple[Stage, ...]
    progress: Callable[[str, float, str], None] = field(
        default=lambda _stage, _fraction, _message: None
    )

    def run(self, *, forced: frozenset[str] = frozenset()) -> tuple[StageOutcome, ...]:
        """Run every stage that is not up to date.

        Args:
            forced: Stages to run in any case.
        """
        return tuple(
            self.run_stage(stage.name, is_forced=stage.name in forced)
            for stage in self.stages
        )

    def run_stage(self, name: str, *, is_forced: bool = False) -> StageOutcome:
        """Run one stage if it is not up to date; its upstream must be.

        Raises:
            ScenarioError: The upstream stage is missing or out of date.
        """
        stage = self._stage(name)
        if stage.upstream:
            self._require(stage)
        reason = "forced" if is_forced else self.staleness(name)
        if not reason:
            manifest = read_manifest(self.folder, name)
            spent = manifest.spent if manifest else Spent()
            self.progress(name, 1.0, "up to date")
            return _outcome(stage, "up to date", spent, "its inputs are unchanged")
        path = _manifest_path(self.folder, name)
        path.unlink(missing_ok=True)
        logger.info("Stage `%s` starts: %s.", name, reason)
        clock = StageClock(path.with_suffix(".unfinished"), stage.fingerprint)

        def report(fraction: float, text: str) -> None:
            clock.save()
            self.progress(name, fraction, text)

        outputs = stage.work(self.folder, report)
        spent = clock.stop()
        manifest = Manifest(
            stage=name,
            fingerprint=stage.fingerprint,
            upstream=self._consumed(stage),
            seed=stage.seed,
            versions=_versions(),
            seconds=spent.wall_s,
            processor_s=spent.processor_s,
            outputs={
                str(output.relative_to(self.folder)): file_digest(output)
                for output in outputs
            },
        )
        write_text(path, json.dumps(asdict(manifest), indent=1) + "\n")
        logger.info("Stage `%s` done in %.1f s.", name, spent.wall_s)
        self.progress(name, 1.0, f"{spent.wall_s:.1f} s")
        return _outcome(stage, "run", spent, reason)

    def staleness(self, name: str) -> str:
        """Return why a stage must run; empty when it is up to date."""
        stage = self._stage(name)
        manifest = read_manifest(self.folder, name)
        if manifest is None:
            return "it has not been completed here"
        if manifest.fingerprint != stage.fingerprint:
            return "its inputs have changed"
        if manifest.upstream != self._consumed(stage):
            return f"stage `{stage.upstream}` was done again"
        for output, digest in manifest.outputs.items():
            path = self.folder / output
            if not path.is_file():
                return f"`{output}` is missing"
            if file_digest(path) != digest:
                return f"`{output}` is not what the stage had written"
        return ""

    def _require(self, stage: Stage) -> None:
        known = [item.name for item in self.stages]
        if stage.upstream not in known:
            return
        reason = self.staleness(stage.upstream)
        if reason:
            msg = (
                f"Stage `{stage.name}` needs stage `{stage.upstream}`, but in "
                f"`{self.folder}` {reason}; run `packtwin {stage.upstream}` on the "
                "scenario first, or `packtwin run`, which runs what is missing."
            )
            raise ScenarioError(msg)

    def _consumed(self, stage: Stage) -> dict[str, str]:
        """Return the hashes of the upstream's outputs that this stage reads."""
        if not stage.upstream:
            return {}
        manifest = read_manifest(self.folder, stage.upstream)
        return manifest.outputs if manifest else {}

    def _stage(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        known = ", ".join(f"`{stage.name}`" for stage in self.stages)
        msg = f"There is no stage `{name}`; known are {known}."
        raise ScenarioError(msg)


def read_manifest(folder: Path, stage: str) -> Manifest | None:
    """Return a stage's manifest; None if it is missing or cannot be read."""
    try:
        text = _manifest_path(folder, stage).read_text(encoding="utf-8")
        return Manifest(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


def write_text(path: Path, text: str) -> None:
    """Write a text file wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _manifest_path(folder: Path, stage: str) -> Path:
    return folder / "stages" / f"{stage}.json"


def _outcome(
    stage: Stage, status: Literal["run", "up to date"], spent: Spent, reason: str
) -> StageOutcome:
    return StageOutcome(
        name=stage.name,
        status=status,
        spent=spent,
        fingerprint=stage.fingerprint,
        reason=reason,
    )


def _versions() -> dict[str, str]:
    found: dict[str, Any] = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
