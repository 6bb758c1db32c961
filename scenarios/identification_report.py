"""What was identified as tables, as JSON and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from packtwin.scenarios.inspection import Listing
from packtwin.twin.identification import (
    Comparison,
    Identification,
    Record,
    compare_all,
)
from packtwin.twin.identification_problem import TEMPERATURE, VOLTAGE, series_of
from packtwin.twin.model import Model

__all__ = [
    "ComparedRecord",
    "compared_records",
    "draw_records",
    "identification_document",
    "identification_listings",
]

_SHOWN = {VOLTAGE: (1e3, "mV"), TEMPERATURE: (1.0, "K")}


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRecord:
    """One series of one record before and after.

    Attributes:
        record: What was measured.
        use: `fitted` or `held out`.
        before: Errors with the start values.
        after: Errors with the identified values.
    """

    record: Record
    use: str
    before: Comparison
    after: Comparison


def compared_records(
    model: Model,
    found: Identification,
    fitted: Sequence[Record],
    held_out: Sequence[Record],
    series: Sequence[str] = (VOLTAGE,),
) -> list[ComparedRecord]:
    """Compare every record with the model before and after."""
    records = [*fitted, *held_out]
    before = compare_all(model, records, None, series)
    after = compare_all(model, records, found.values, series)
    return [
        ComparedRecord(
            record=record,
            use="fitted" if i < len(fitted) else "held out",
            before=one,
            after=two,
        )
        for i, (record, ones, twos) in enumerate(
            zip(records, before, after, strict=True)
        )
        for one, two in zip(ones, twos, strict=True)
    ]


def identification_listings(
    model: Model, found: Identification, compared: Sequence[ComparedRecord]
) -> list[Listing]:
    """Return tables of parameters, errors and correlations."""
    statement = found.statement
    start = {v.name: v.start for v in model.interface.parameters}
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
            title="Model less measurement",
            columns=("record", "use", "rms before", "rms after", "largest after"),
            rows=[_error_row(row) for row in compared],
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


def _error_row(row: ComparedRecord) -> tuple[str, str, str, str, str]:
    factor, unit = _SHOWN[row.after.series]
    return (
        row.after.name,
        row.use,
        f"{factor * row.before.rms:.2f} {unit}",
        f"{factor * row.after.rms:.2f} {unit}",
        f"{factor * row.after.largest:.1f} {unit}",
    )


def identification_document(
    found: Identification,
    compared: Sequence[ComparedRecord],
    pybamm_names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what is written as JSON.

    Args:
        found: Values and statement.
        compared: Errors.
        pybamm_names: PyBaMM's names by ours, where there are any.
    """
    statement = found.statement
    theirs = pybamm_names or {}
    return {
        "parameters": {
            name: {
                **({"pybamm_name": theirs[name]} if name in theirs else {}),
                "value": float(value),
                "standard_error": float(error),
                "is_prior_only": name in statement.untold,
            }
            for name, value, error in zip(
                statement.names,
                statement.values,
                statement.standard_errors,
                strict=True,
            )
        },
        "correlated": [list(pair) for pair in statement.correlated],
        "records": [
            {
                "name": row.after.name,
                "use": row.use,
                f"rms_before_{_unit(row)}": row.before.rms,
                f"rms_after_{_unit(row)}": row.after.rms,
            }
            for row in compared
        ],
        "is_converged": found.is_converged,
    }


def _unit(row: ComparedRecord) -> str:
    return row.after.series.rpartition("_")[2]


def draw_records(compared: Sequence[ComparedRecord], path: Path) -> None:
    """Draw measured and modelled series and their difference, one row per entry.

    Args:
        compared: With `after` at all samples of the record.
        path: Ends in `.png`, `.svg` or `.pdf`.
    """
    from packtwin.scenarios.drawing import BLUE, GREY, VERMILION, page_figure

    with page_figure(1.9 * len(compared)) as figure:
        axes = figure.subplots(len(compared), 2, squeeze=False)
        for (left, right), row in zip(axes, compared, strict=True):
            hours = row.after.time_s / 3600.0
            measured = series_of(row.record.measurement, row.after.series)
            factor, unit = _SHOWN[row.after.series]
            modelled = measured + row.after.error
            left.plot(hours, measured, color=GREY, linewidth=2.4, label="measured")
            left.plot(hours, modelled, color=BLUE, linewidth=1.0, label="model")
            left.set_ylabel(row.after.series)
            left.set_title(f"{row.after.name}, {row.use}", loc="left")
            right.plot(hours, factor * row.after.error, color=VERMILION)
            right.axhline(0.0, color=GREY, linewidth=0.7)
            right.set_ylabel(f"model less measured, {unit}")
            rms = f"{factor * row.after.rms:.2g} {unit} rms"
            right.set_title(rms, loc="right")
        axes[0][0].legend()
        for axis in axes[-1]:
            axis.set_xlabel("time, h")
        figure.savefig(path, dpi=160)
