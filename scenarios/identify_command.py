"""`packtwin identify CELL RECORD...`: parameters from measured data, with errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from packtwin.scenarios.pipeline import write_text
from packtwin.scenarios.retraining import require_extra
from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement_file import BDF, Column, ColumnMap, read_measurement
from packtwin.twin.variable import nearest_names

if TYPE_CHECKING:
    from packtwin.twin.identification import Identification, Record
    from packtwin.twin.model import Model

__all__ = ["columns_of", "identify"]

_SERIES = ("time", "current", "voltage", "temperature")
_FAMILIES = ("SPM", "SPMe", "DFN")


def identify(  # noqa: PLR0913 - one argument per option
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL",
            help="A PyBaMM parameter set such as `Chen2020`, a BPX file (.json), or a "
            "file with everything (.toml).",
            show_default=False,
        ),
    ],
    records: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RECORD...",
            help="Measured records: CSV (also .gz), BDF or MATLAB.",
            show_default=False,
        ),
    ] = None,
    unknown: Annotated[
        list[str] | None,
        typer.Option(
            "--unknown",
            metavar="NAME[~SPREAD]",
            help="A parameter to identify, by PyBaMM's name; `~0.5` gives it a prior. "
            "Repeat for more.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            metavar="MAP",
            help="Columns and units, such as `time=Time [s]:s,current=I[A]:A,"
            "voltage=U[V]:V`.  [default: the names of the Battery Data Format]",
            show_default=False,
        ),
    ] = "",
    charge_positive: Annotated[
        bool,
        typer.Option(
            "--charge-positive", help="The records count the current into the cell."
        ),
    ] = False,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            "--check",
            metavar="RECORD",
            help="A record to compare with that is not fitted. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    family: Annotated[
        str, typer.Option("--family", help="`SPM`, `SPMe` or `DFN`.")
    ] = "SPMe",
    soc_start: Annotated[
        float,
        typer.Option("--soc-start", help="State of charge at the start of records."),
    ] = 1.0,
    samples: Annotated[
        int, typer.Option("--samples", min=20, help="Samples fitted of each record.")
    ] = 200,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Write values, errors and correlations here as JSON.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            help="Where the files that a TOML names are.  [default: beside it]",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE",
            help="Draw measured and modelled series here (.png, .svg or .pdf).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Identify parameters of a cell from measured records.

    A PyBaMM or BPX cell is isothermal at the measured temperature, or at the set's; a
    TOML describes a circuit. Records are checked first: units, gaps, sign of the
    current. A parameter that they do not determine is refused with its name; a prior
    keeps it near its start instead.

    Examples:
    - `packtwin identify cell.json c20.csv c2.csv --check 1c.csv
      --unknown "Negative particle diffusivity factor"`
    - `packtwin identify leaf.toml --folder records --figure leaf.png`
    """
    for option, path in (("--output", output), ("--figure", figure)):
        _check_writable(option, path)
    if cell.endswith(".toml"):
        if records or unknown or check or columns:
            msg = (
                f"`{cell}` names records, columns and unknowns itself, expected "
                "none on the command line. Remove them or name a parameter set."
            )
            raise ScenarioError(msg)
        _identify_circuit(Path(cell), folder, output, figure)
        return
    if not records or not unknown:
        what = "a record" if not records else "`--unknown`"
        msg = f"`packtwin identify {cell}` lacks {what}. Add one or more."
        raise ScenarioError(msg)
    if family not in _FAMILIES:
        msg = f"`--family` is `{family}`; choose one of `SPM`, `SPMe`, `DFN`."
        raise ScenarioError(msg)
    if not 0.0 <= soc_start <= 1.0:
        msg = f"`--soc-start` is {soc_start:g}, expected 0 to 1. Correct it."
        raise ScenarioError(msg)
    table = columns_of(columns, charge_is_positive=charge_positive)
    require_extra("pybamm", "physics", "`packtwin identify`")
    from packtwin.pybamm_models.identification import identify_cell
    from packtwin.pybamm_models.physics_definition import Physics
    from packtwin.scenarios.console import stage_progress
    from packtwin.twin.identification import Record, Settings

    def record_of(path: Path) -> Record:
        return Record(
            measurement=read_measurement(path, table),
            parameters={"soc_start": soc_start},
        )

    fitted, held_out = (
        [record_of(p) for p in paths] for paths in (records, check or [])
    )
    literal: Any = family
    settings = Settings(n_sample=samples)
    with stage_progress() as progress:
        found = identify_cell(
            Physics(
                family=literal, parameter_set=cell, options={"thermal": "isothermal"}
            ),
            fitted,
            unknown,
            settings,
            lambda k, rms: progress(
                "identify", k / settings.n_iteration, f"{1e3 * rms:.2f} mV rms"
            ),
        )
    names = found.identification.statement.names
    theirs = dict(zip(names, found.physics.parameters[-len(names) :], strict=True))
    about = {"parameter_set": found.physics.parameter_set, "family": family}
    _show(
        (found.model, found.identification, (fitted, held_out)),
        (output, figure),
        about,
        theirs,
    )


def _identify_circuit(
    path: Path, folder: Path | None, output: Path | None, figure: Path | None
) -> None:
    from packtwin.scenarios.console import stage_progress
    from packtwin.scenarios.identification_file import load_identification
    from packtwin.twin.identification import identify as identify_model

    file = load_identification(path)
    at = path.parent if folder is None else folder
    fitted, held_out = (file.records_of(at, use) for use in ("fit", "check"))
    model, settings = file.model(), file.search.settings()
    with stage_progress() as progress:
        found = identify_model(
            model,
            fitted,
            file.chosen(model),
            settings,
            lambda k, rms: progress(
                "identify", k / settings.n_iteration, f"{1e3 * rms:.2f} mV rms"
            ),
        )
    about = {"identification": file.name}
    _show((model, found, (fitted, held_out)), (output, figure), about, {})


def _show(
    result: tuple[Model, Identification, tuple[Sequence[Record], Sequence[Record]]],
    paths: tuple[Path | None, Path | None],
    about: dict[str, str],
    pybamm_names: dict[str, str],
) -> None:
    """Print tables and write the JSON file and the figure that are wanted."""
    from packtwin.scenarios.console import print_listing
    from packtwin.scenarios.identification_report import (
        compared_records,
        draw_records,
        identification_document,
        identification_listings,
    )
    from packtwin.twin.identification_problem import TEMPERATURE, VOLTAGE

    model, found, (fitted, held_out) = result
    output, figure = paths
    records = [*fitted, *held_out]
    has_temperature = TEMPERATURE in model.interface.output_names and all(
        r.measurement.temperature_K is not None for r in records
    )
    series = (VOLTAGE, TEMPERATURE) if has_temperature else (VOLTAGE,)
    compared = compared_records(model, found, fitted, held_out, series)
    for listing in identification_listings(model, found, compared):
        print_listing(listing)
    if output is not None:
        document = about | identification_document(found, compared, pybamm_names)
        write_text(output, json.dumps(document, indent=1) + "\n")
        typer.echo(f"Wrote {output}")
    if figure is not None:
        draw_records(compared, figure)
        typer.echo(f"Wrote {figure}")


def _check_writable(option: str, path: Path | None) -> None:
    if path is not None and not path.parent.is_dir():
        msg = f"`{option}` is in `{path.parent}`, which is no folder. Make it first."
        raise ScenarioError(msg)


def columns_of(text: str, *, charge_is_positive: bool) -> ColumnMap:
    """Return the column map of `time=NAME:UNIT,...`; BDF's of an empty text.

    Raises:
        ScenarioError: a part cannot be read, or one is missing.
    """
    if not text.strip():
        return BDF
    parts: dict[str, Column] = {}
    for item in text.split(","):
        key, _, rest = (word.strip() for word in item.partition("="))
        name, _, unit = rest.rpartition(":")
        if key not in _SERIES or not name or not unit:
            known = nearest_names(key, _SERIES)
            msg = (
                f"`--columns` has `{item.strip()}`, expected `SERIES=NAME:UNIT` with a "
                f"series such as {known}, for example `voltage=U[V]:V`."
            )
            raise ScenarioError(msg)
        parts[key] = Column(name=name.strip(), unit=unit.strip())
    missing = [key for key in _SERIES[:3] if key not in parts]
    if missing:
        msg = (
            f"`--columns` lacks {', '.join(f'`{key}`' for key in missing)}. Add it as "
            "`SERIES=NAME:UNIT`."
        )
        raise ScenarioError(msg)
    return ColumnMap(
        time=parts["time"],
        current=parts["current"],
        voltage=parts["voltage"],
        temperature=parts.get("temperature"),
        charge_is_positive=charge_is_positive,
    )
