"""Part `leaf` of `packtwin bench measured`: a 2C discharge from pulses and 1C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.catalogue import library_folder
from packtwin.scenarios.identification_file import load_identification
from packtwin.twin.identification import compare_all, identify
from packtwin.twin.measurement import Measurement, Vector

__all__ = ["leaf_rows"]

Progress: TypeAlias = Callable[[float, str], None]

_LOADED = 0.5  # of the largest current


def leaf_rows(folder: Path, progress: Progress) -> list[BenchRow]:
    """Identify the Nissan Leaf cell on HPPC and 1C, and predict 2C."""
    file = load_identification(library_folder() / "measured_nissan_leaf.toml")
    fitted, held_out = (file.records_of(folder, use) for use in ("fit", "check"))
    model = file.model()
    progress(0.0, "Nissan Leaf")
    found = identify(model, fitted, file.chosen(model), file.search.settings())
    records = [*fitted, *held_out]
    compared = [one for (one,) in compare_all(model, records, found.values)]
    rows = [
        BenchRow(
            id=f"leaf.{one.name}",
            what=f"Nissan Leaf cell, {one.name} ({use}), all samples",
            value=1e3 * one.rms,
            unit="mV rms",
        )
        for one, use in zip(compared, ("fitted", "fitted", "held out"), strict=True)
    ]
    slow, fast = (record.measurement for record in records[1:])
    baseline_mV = 1e3 * _rms(_scaled_from(slow, fast) - fast.voltage_V[_loaded(fast)])
    under_load_mV = 1e3 * _rms(compared[-1].error[_loaded(fast)])
    what = "Nissan Leaf cell, 2C under load"
    return [
        *rows,
        at_most(
            "leaf.2C.load",
            f"{what} (held out), less than the baseline",
            under_load_mV,
            "mV rms",
            baseline_mV,
            shown=f"<= {baseline_mV:.3g}",
        ),
        BenchRow(
            id="leaf.2C.baseline",
            what=f"{what}: 1C over the share of charge, less the prompt resistance",
            value=baseline_mV,
            unit="mV rms",
        ),
    ]


def _scaled_from(slow: Measurement, fast: Measurement) -> Vector:
    """Return the voltage of a slow discharge, taken to the fast one's current.

    The baseline: over the same share of the charge that each gives, less the prompt
    resistance times the difference of currents.
    """
    on, at = _loaded(slow), _loaded(fast)
    usual = slow.charge_Ah[on] / slow.charge_Ah[on][-1]
    share = fast.charge_Ah[at] / fast.charge_Ah[at][-1]
    drop_V = float(slow.voltage_V[0] - slow.voltage_V[1])
    extra_A = float(fast.current_A[at].mean() - slow.current_A[on].mean())
    repeated_V = np.interp(share, usual, slow.voltage_V[on])
    return np.asarray(repeated_V - drop_V / float(slow.current_A[1]) * extra_A)


def _loaded(measurement: Measurement) -> np.ndarray:
    current_A = measurement.current_A
    return np.asarray(current_A > _LOADED * float(current_A.max()))


def _rms(values: Vector) -> float:
    return float(np.sqrt(np.mean(values**2)))
