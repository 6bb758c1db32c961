"""`packtwin export MODEL`: a model, or all of a scenario, as FMUs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from packtwin.scenarios.command_group import ForceOption, RetrainOption
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

if TYPE_CHECKING:
    from packtwin.fmu.binaries import Binary
    from packtwin.fmu.source import FmiKind

__all__ = ["export"]

FmiVersion: TypeAlias = Literal["2.0", "3.0"]
_NONE = "none"


def export(  # noqa: PLR0913 (one argument per option)
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="`cell`, `switched` (with its physics behind it), `pack`, `vehicle`, "
            "`cooling`, `cooling_controller`, `bound_monitor`; `spm:CELL`, "
            "`spme:CELL`, `dfn:CELL` of a cell, a PyBaMM parameter set or a BPX file; "
            "a surrogate (.npz); or a scenario, for all FMUs of its system.",
            show_default=False,
        ),
    ],
    fmi: Annotated[
        FmiVersion, typer.Option("--fmi", help="Version of the standard.")
    ] = "2.0",
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KINDS",
            help="`cs` (co-simulation), `me` (model exchange) or `cs,me`.",
        ),
    ] = "cs",
    platforms: Annotated[
        str,
        typer.Option(
            "--platforms",
            metavar="NAMES",
            help="`host` (this machine, its own compiler), `all`, `none` (C source "
            "only), or names such as `x86_64-linux,x86_64-windows` (cross-compiled: "
            "`pip install 'packtwin[cross]'`).",
        ),
    ] = "host",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="FMU to write; of a scenario the run folder.  [default: NAME.fmu]",
            show_default=False,
        ),
    ] = None,
    has_derivatives: Annotated[
        bool,
        typer.Option(
            "--derivatives/--no-derivatives",
            help="Exact directional and adjoint derivatives of steps; a large FMU "
            "without them is smaller.",
        ),
    ] = True,
    has_arrays: Annotated[
        bool,
        typer.Option(
            "--arrays/--no-arrays",
            help="Of FMI 3.0: neighbours numbered 1, 2, ... as one vector; some tools "
            "(CasADi) read scalars only.",
        ),
    ] = True,
    points: Annotated[
        int | None,
        typer.Option(
            "--points",
            min=3,
            help="Of physics: points in each electrode, the separator and each "
            "particle.  [default: a cell's converged mesh, PyBaMM's for a set]",
            show_default=False,
        ),
    ] = None,
    retrain: RetrainOption = False,
    force: ForceOption = False,
) -> None:
    """Write a model as an FMU that needs neither Python nor packtwin.

    Inside are the binaries, the C source, a page of documentation, the licences and
    reference results. `packtwin check FILE.fmu` tests it, these results included.

    Examples:
    - `packtwin export cell --out cell.fmu`

    - `packtwin export pack --platforms all` (five platforms from one machine)

    - `packtwin export spme:Chen2020 --points 10 --platforms none`

    - `packtwin export ev_fast_charge_day --out runs/demo` (vehicle, cooling and pack)
    """
    from packtwin.scenarios.fmu_models import is_fmu_model

    if not is_fmu_model(model) and _is_scenario(model):
        _export_scenario(model, out, is_retrained=retrain, is_forced=force)
        return
    if retrain or force:
        msg = f"`--retrain` and `--force` are for scenarios, and `{model}` is a model."
        raise ScenarioError(msg)
    options = {
        "fmi_version": fmi,
        "kinds": _kinds(kind),
        "platforms": _words(platforms),
        "has_derivatives": has_derivatives,
        "has_arrays": has_arrays,
    }
    _export_model(model, out, points, options)


def _is_scenario(text: str) -> bool:
    from packtwin.scenarios.catalogue import is_path, known_names

    return is_path("scenario", text) or text in known_names("scenario")


def _export_scenario(
    name: str, out: Path | None, *, is_retrained: bool, is_forced: bool
) -> None:
    from packtwin.scenarios.stage_command import run_one_stage

    run_one_stage("export", name, out, is_retrained=is_retrained, is_forced=is_forced)


def _export_model(
    name: str,
    out: Path | None,
    points: int | None,
    options: dict[str, Any],
) -> None:
    from packtwin.fmu.binaries import describe_binaries
    from packtwin.scenarios.console import stage_progress
    from packtwin.scenarios.fmu_models import find_fmu_model

    begin_s = time.perf_counter()
    with stage_progress() as progress:
        progress("export", 0.0, "building the model")
        made = find_fmu_model(name, points=points)
        path = out or Path(f"{made.subject.name}.fmu")
        made.export(
            path,
            progress=lambda share, text: progress("export", share, text),
            **options,
        )
    interface = made.subject.interface
    typer.echo(
        f"Wrote {path}: FMI {options['fmi_version']} {', '.join(options['kinds'])}, "
        f"{len(interface.inputs)} inputs, "
        f"{len(interface.outputs)} outputs, {len(interface.parameters)} parameters, "
        f"{path.stat().st_size / 1e6:.2f} MB, in {time.perf_counter() - begin_s:.0f} s."
    )
    for binary in describe_binaries(path):
        typer.echo(f"  binaries/{binary.folder}: {_told(binary)}")
    if not options["platforms"]:
        typer.echo("  C source only; the importing tool compiles it.")
    typer.echo(f"Next: `packtwin check {path}`.")


def _told(binary: Binary) -> str:
    return f"{binary.size / 1e3:.0f} kB, needs {binary.needs}"


def _kinds(text: str) -> tuple[FmiKind, ...]:
    known: tuple[FmiKind, ...] = ("cs", "me")
    words = _words(text)
    for word in words:
        if word not in known:
            msg = f"No kind `{word}`; nearest: {nearest_names(word, known)}."
            raise ScenarioError(msg)
    return tuple(kind for kind in known if kind in words)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    return () if words == (_NONE,) else words
