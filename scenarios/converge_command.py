"""`packtwin converge CELL`: the cheapest mesh that agrees with the doubled one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from packtwin.pybamm_models.verdicts import read_verdicts, write_verdicts
from packtwin.scenarios.inspection import Listing
from packtwin.scenarios.retraining import require_extra
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

if TYPE_CHECKING:
    from packtwin.pybamm_models.convergence_study import StudyOutcome

__all__ = ["converge"]

_CHARGE = re.compile(r"([0-9.]+)C?@([0-9.]+)K?")
_FAMILIES = ("SPM", "SPMe", "DFN")
_CHEMISTRIES = ("lithium_ion", "sodium_ion")


def converge(  # noqa: PLR0913 - one argument per option
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL",
            help="A cell (see `packtwin list`), a PyBaMM parameter set such as "
            "`Chen2020`, or a BPX file (.json).",
            show_default=False,
        ),
    ],
    family: Annotated[
        str, typer.Option("--family", help="`SPM`, `SPMe` or `DFN`.")
    ] = "DFN",
    charges: Annotated[
        str,
        typer.Option(
            "--charges",
            metavar="LIST",
            help="Charges to compare on, such as `1C@298.15K,2C@318.15K`.  [default: "
            "five from 0.5C at 0 °C to 2C at 45 °C]",
            show_default=False,
        ),
    ] = "",
    limit_mV: Annotated[
        float,
        typer.Option(
            "--limit-mV", help="Largest difference in voltage and plating potential."
        ),
    ] = 1.0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Verdict file to write or update.  [default: CELL.mesh.json]",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Judge the mesh the cell has; do not look for another."
        ),
    ] = False,
    integrated_flux: Annotated[
        bool,
        typer.Option(
            "--integrated-flux",
            help="Parameter sets: take the particle flux from the integrated "
            "diffusivity (DFN). A shipped cell knows for itself.",
        ),
    ] = False,
    chemistry: Annotated[
        str,
        typer.Option("--chemistry", help="`lithium_ion` or `sodium_ion`."),
    ] = "lithium_ion",
    states: Annotated[
        int, typer.Option("--states", help="Give up above that many states.", min=10)
    ] = 6000,
    jobs: Annotated[
        int, typer.Option("--jobs", help="Meshes built and solved at a time.", min=1)
    ] = min(2, os.cpu_count() or 1),
) -> None:
    """Find the cheapest mesh that agrees with the doubled one (needs PyBaMM, gcc).

    Two meshes agree if voltage, plating potential and end-of-charge time do, on five
    charges, a 2C discharge and a train of pulses. Ends with exit code 1 if a mesh
    that was only checked does not.

    Examples:
    - `packtwin converge lg_m50_oregan2022`

    - `packtwin converge Chen2020 --family SPMe --limit-mV 0.5`

    - `packtwin converge lg_m50_chen2020 --check`
    """
    _refuse_unknown("--family", family, _FAMILIES)
    _refuse_unknown("--chemistry", chemistry, _CHEMISTRIES)
    if not limit_mV > 0.0:
        message = f"`--limit-mV` is {limit_mV:g} mV, expected more than 0. Raise it."
        raise ScenarioError(message)
    chosen = _charges(charges)
    path = output or Path(f"{cell.removesuffix('.json')}.mesh.json")
    _refuse_output(path)
    require_extra("pybamm", "physics", "`packtwin converge`")
    from packtwin.pybamm_models import convergence_study
    from packtwin.pybamm_models.convergence_loads import CHARGES, OTHERS, charge
    from packtwin.pybamm_models.convergence_subject import find_subject
    from packtwin.pybamm_models.verdicts import Limits
    from packtwin.scenarios.console import print_listing, stage_progress

    subject: Any = find_subject(
        cell,
        _literal(family),
        is_flux_integrated=integrated_flux,
        chemistry=_literal(chemistry),
    )
    with stage_progress() as progress:
        study = convergence_study.Study(
            subject=subject,
            loads=(*([charge(*pair) for pair in chosen] or CHARGES), *OTHERS),
            limits=Limits(
                voltage_V=1e-3 * limit_mV, plating_potential_V=1e-3 * limit_mV
            ),
            n_process=jobs,
            n_state_max=states,
            command=_command(),
            progress=lambda share, note: progress("converge", share, note),
        )
        outcome = (
            convergence_study.judge(study)
            if check
            else convergence_study.converge(study)
        )
    write_verdicts([outcome.verdict], path)
    for listing in _listings(outcome):
        print_listing(listing)
    typer.echo(f"Verdict: {path}")
    if check and not outcome.verdict.is_met:
        raise typer.Exit(1)


def _literal(text: str) -> Any:
    return text


def _command() -> str:
    return " ".join(["packtwin", *sys.argv[1:]])


def _refuse_unknown(option: str, value: str, known: tuple[str, ...]) -> None:
    if value in known:
        return
    listed = ", ".join(f"`{name}`" for name in known)
    message = (
        f"`{option}` is `{value}`; nearest: {nearest_names(value, known)}. Choose one "
        f"of {listed}."
    )
    raise ScenarioError(message)


def _refuse_output(path: Path) -> None:
    """Refuse now what would fail after minutes of work."""
    if path.exists():
        read_verdicts(path)
    elif not path.parent.is_dir():
        message = (
            f"`--output` names a file in `{path.parent}`, which is no folder. Make it "
            "first, or choose another."
        )
        raise ScenarioError(message)


def _charges(text: str) -> list[tuple[float, float]]:
    """Return C-rates and temperatures in K of `1C@298.15K,...`."""
    pairs: list[tuple[float, float]] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        found = _CHARGE.fullmatch(item)
        rate, temperature_K = (float(g) for g in found.groups()) if found else (0, 0)
        if not (0.0 < rate <= 20.0 and 200.0 <= temperature_K <= 400.0):
            message = (
                f"`--charges` has `{item}`, expected a C-rate up to 20 and a "
                "temperature of 200 to 400 K, such as `1C@298.15K`. Correct it."
            )
            raise ScenarioError(message)
        pairs.append((float(rate), float(temperature_K)))
    return pairs


def _listings(outcome: StudyOutcome) -> list[Listing]:
    from packtwin.pybamm_models.convergence_choice import describe

    verdict = outcome.verdict
    listings: list[Listing] = []
    if outcome.trials:
        listings.append(
            Listing(
                title="Meshes tried (difference in multiples of the limits)",
                columns=("stage", "mesh", "against doubled", "difference"),
                rows=[
                    (t.stage, describe(t.mesh), t.axis, f"{t.score:.3g}")
                    for t in outcome.trials
                ],
            )
        )
    for comparison in verdict.comparisons:
        listings.append(
            Listing(
                title=f"{describe(verdict.mesh)} against "
                f"{describe(comparison.finer_mesh)}",
                columns=("load", "voltage", "plating potential", "end time", "ends at"),
                rows=[_row(figures) for figures in comparison.figures],
            )
        )
    step = verdict.time_per_step_s
    rows = [
        ("mesh", describe(verdict.mesh)),
        ("agrees", "yes" if verdict.is_met else "NO"),
        ("largest difference", f"{verdict.score:.3g} times the limits"),
        ("states", f"{verdict.n_state} and {verdict.n_algebraic} algebraic"),
        ("time per 1-s step", "" if step is None else f"{1e6 * step:.0f} µs"),
        ("meshes built", str(outcome.n_mesh)),
        ("time", f"{outcome.elapsed_s:.0f} s"),
        *(("left out", reason) for reason in outcome.left_out),
    ]
    listings.append(
        Listing(
            title=f"{verdict.cell}, {verdict.family}",
            columns=("key", "value"),
            rows=rows,
        )
    )
    return listings


def _row(figures: Any) -> tuple[str, ...]:
    plating_V = figures.plating_potential_max_V
    return (
        figures.load,
        f"{1e3 * figures.voltage_max_V:.3f} mV",
        "none" if plating_V is None else f"{1e3 * plating_V:.3f} mV",
        f"{100 * figures.end_time_fraction:.3f} %",
        f"{figures.end_time_s:.0f} s",
    )
