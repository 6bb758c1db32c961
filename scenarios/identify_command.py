"""`packtwin identify CELL RECORD...`: parameters from measured data, with errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from packtwin.scenarios.inspection import Listing
from packtwin.scenarios.pipeline import write_text
from packtwin.scenarios.retraining import require_extra
from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement_file import BDF, Column, ColumnMap, read_measurement
from packtwin.twin.variable import nearest_names

if TYPE_CHECKING:
    from packtwin.pybamm_models.identification import IdentifiedCell
    from packtwin.twin.identification import Comparison, Record

__all__ = ["columns_of", "identify"]

_SERIES = ("time", "current", "voltage", "temperature")
_FAMILIES = ("SPM", "SPMe", "DFN")


def identify(  # noqa: PLR0913 - one argument per option
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL",
            help="A PyBaMM parameter set such as `Chen2020`, or a BPX file (.json).",
            show_default=False,
        ),
    ],
    records: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORD...",
            help="Measured records: CSV (also .gz), BDF or MATLAB.",
            show_default=False,
        ),
    ],
    unknown: Annotated[
        list[str],
        typer.Option(
            "--unknown",
            metavar="NAME[~SPREAD]",
            help="A parameter to identify, by PyBaMM's name; `~0.5` gives it a prior. "
            "Repeat for more.",
            show_default=False,
        ),
    ],
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
) -> None:
    """Identify parameters of a cell from measured records (needs PyBaMM).

    The cell is isothermal at the measured temperature, or at the set's. Records are
    checked first: units, gaps, sign of the current. A parameter that they do not
    determine is refused with its name; a prior keeps it near its start instead.

    Examples:
    - `packtwin identify cell.json c20.csv c2.csv --check 1c.csv
      --unknown "Negative particle diffusivity factor"`
    """
    if family not in _FAMILIES:
        msg = f"`--family` is `{family}`; choose one of `SPM`, `SPMe`, `DFN`."
        raise ScenarioError(msg)
    if not 0.0 <= soc_start <= 1.0:
        msg = f"`--soc-start` is {soc_start:g}, expected 0 to 1. Correct it."
        raise ScenarioError(msg)
    table = columns_of(columns, charge_is_positive=charge_positive)
    if output is not None and not output.parent.is_dir():
        msg = f"`--output` is in `{output.parent}`, which is no folder. Make it first."
        raise ScenarioError(msg)
    require_extra("pybamm", "physics", "`packtwin identify`")
    from packtwin.pybamm_models.identification import identify_cell
    from packtwin.pybamm_models.physics_definition import Physics
    from packtwin.scenarios.console import print_listing, stage_progress
    from packtwin.twin.identification import Record, Settings, compare

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
    values = found.identification.values
    rows = [
        (record.measurement.name, use, before, after)
        for use, group in (("fitted", fitted), ("held out", held_out))
        for record in group
        for before, after in [
            (compare(found.model, record), compare(found.model, record, values))
        ]
    ]
    for listing in _listings(found, rows):
        print_listing(listing)
    if output is not None:
        write_text(output, json.dumps(_document(found, rows), indent=1) + "\n")
        typer.echo(f"Wrote {output}")


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


_Row = tuple[str, str, "Comparison", "Comparison"]


def _listings(found: IdentifiedCell, rows: Sequence[_Row]) -> list[Listing]:
    statement = found.identification.statement
    start = {v.name: v.start for v in found.model.interface.parameters}
    told = [
        (
            name,
            f"{start[name]:.5g}",
            f"{value:.5g}",
            f"{error:.2g}",
            "prior only" if name in statement.untold else "",
        )
        for name, value, error in zip(
            statement.names, statement.values, statement.standard_errors, strict=True
        )
    ]
    listings = [
        Listing(
            title="Parameters (error of the logarithm where it has a factor)",
            columns=("parameter", "start", "identified", "standard error", "note"),
            rows=told,
        ),
        Listing(
            title="Voltage, model less measurement",
            columns=("record", "use", "rms before", "rms after", "largest after"),
            rows=[
                (
                    name,
                    use,
                    f"{1e3 * before.rms:.2f} mV",
                    f"{1e3 * after.rms:.2f} mV",
                    f"{1e3 * after.largest:.1f} mV",
                )
                for name, use, before, after in rows
            ],
        ),
    ]
    if statement.correlated:
        listings.append(
            Listing(
                title="Correlated by more than 0.95",
                columns=("parameter", "parameter", "correlation"),
                rows=[(a, b, f"{c:+.3f}") for a, b, c in statement.correlated],
            )
        )
    return listings


def _document(found: IdentifiedCell, rows: Sequence[_Row]) -> Mapping[str, Any]:
    statement = found.identification.statement
    return {
        "parameter_set": found.physics.parameter_set,
        "family": found.physics.family,
        "parameters": {
            name: {
                "pybamm_name": theirs,
                "value": float(value),
                "standard_error": float(error),
                "is_prior_only": name in statement.untold,
            }
            for theirs, name, value, error in zip(
                found.physics.parameters[-len(statement.names) :],
                statement.names,
                statement.values,
                statement.standard_errors,
                strict=True,
            )
        },
        "correlated": [list(pair) for pair in statement.correlated],
        "records": [
            {
                "name": name,
                "use": use,
                "rms_before_V": before.rms,
                "rms_after_V": after.rms,
            }
            for name, use, before, after in rows
        ],
        "is_converged": found.identification.is_converged,
    }
