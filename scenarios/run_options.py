"""Options of commands that run a system: recording, checkpoints and pace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from packtwin.twin.errors import ScenarioError

__all__ = [
    "CheckpointEveryOption",
    "CheckpointOption",
    "EveryOption",
    "PaceOption",
    "ResumeOption",
    "run_options",
]

EveryOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--every", metavar="N", min=1, help="Keep every n-th step in `--out`."
    ),
]
CheckpointOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Save the run here at its end and on Ctrl-C, to go on with later.",
        show_default=False,
    ),
]
CheckpointEveryOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--checkpoint-every",
        metavar="N",
        min=1,
        help="Save it every n-th step too.",
        show_default=False,
    ),
]
ResumeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="Go on from a checkpoint of the same run, perhaps to a later end.",
        show_default=False,
    ),
]
PaceOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--pace",
        metavar="X",
        help="Wait for the clock: X times real time; says what came too late.",
        show_default=False,
    ),
]


def run_options(
    *,
    out: Path | None,
    every: int,
    checkpoint: Path | None,
    checkpoint_every: int | None,
    resume: Path | None,
    pace: float | None,
) -> dict[str, Any]:
    """Return the options as arguments of `packtwin.cosim.simulate.simulate`.

    Args:
        out: Parquet file that the run is recorded to.
        every: Steps between two rows of it.
        checkpoint: Where the run is saved.
        checkpoint_every: Steps between two times.
        resume: Checkpoint to go on from.
        pace: Simulated seconds per second.

    Raises:
        ScenarioError: An option lacks the one it belongs to.
    """
    from packtwin.cosim.checkpoint import Checkpoint
    from packtwin.cosim.parquet_sink import ParquetSink
    from packtwin.cosim.thinning import EveryNth

    for name, is_given, other, is_there in (
        ("--every", every != 1, "--out", out is not None),
        (
            "--checkpoint-every",
            checkpoint_every is not None,
            "--checkpoint",
            checkpoint is not None,
        ),
    ):
        if is_given and not is_there:
            msg = f"`{name}` needs `{other}`; give that too, or leave it out."
            raise ScenarioError(msg)
    found: dict[str, Any] = {"resume_from": resume, "pace": pace}
    if out is not None:
        thinning = None if every == 1 else EveryNth(every)
        found["sink"] = ParquetSink(out, thinning=thinning)
    if checkpoint is not None:
        found["checkpoint"] = Checkpoint(
            checkpoint, every=checkpoint_every, is_at_end=True
        )
    return found
