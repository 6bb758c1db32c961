"""How every verb of the command line fails and what arguments verbs share."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Annotated, Any, TypeAlias, final

import typer
from typer.core import TyperGroup
from typing_extensions import override

from packtwin.twin.errors import PackTwinError

__all__ = [
    "CommandGroup",
    "ForceOption",
    "OutOption",
    "RetrainOption",
    "ScenarioArgument",
]

ScenarioArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A TOML file, or the name of a shipped scenario (see `packtwin list`).",
        show_default=False,
    ),
]
OutOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Run folder.  [default: runs/NAME]",
        show_default=False,
    ),
]
RetrainOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--retrain",
        help="Use a surrogate trained in this run folder, not the shipped one.",
    ),
]
ForceOption: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Do it even if it is up to date.")
]


@final
class CommandGroup(TyperGroup):
    """Turns an error we raise on purpose into one sentence and exit code 1."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--debug" in args:
            args = ["--debug", *(a for a in args if a != "--debug")]
        return super().parse_args(ctx, args)

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (PackTwinError, OSError) as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.echo(f"Error: {_sentence(error)}", err=True)
            raise typer.Exit(1) from error


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"`{error.filename}`: {error.strerror}; check the path and its rights."
    return str(error)
