"""`packtwin bench measured`: identification on measured cells and on a synthetic one.

The measured records are not shipped: `PACKTWIN_MEASURED_CELLS` names a folder with
`aboutenergy_nmc_bpx/` (the 12.5 Ah NMC111/graphite pouch cell of About:Energy, open
BPX parameterisation), `nasa_pcoe/` (NASA's ageing cells B0005 and B0006) and
`ornl_leaf/` (a Nissan Leaf cell). Without it only the synthetic part runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from packtwin.scenarios import synthetic_cells
from packtwin.scenarios.bench import BenchOptions, BenchRow, at_most
from packtwin.scenarios.bench_measured_ageing import ageing_rows, synthetic_rows
from packtwin.scenarios.bench_measured_leaf import leaf_rows
from packtwin.scenarios.fingerprints import has_physics
from packtwin.twin.measurement import Measurement
from packtwin.twin.measurement_file import Column, ColumnMap, read_measurement

if TYPE_CHECKING:
    from packtwin.pybamm_models.physics_definition import Physics
    from packtwin.twin.identification import Record

__all__ = [
    "FOLDER_VARIABLE",
    "PARTS",
    "SEEDS",
    "measured_folder",
    "pouch_records",
    "rows",
    "synthetic_case",
]

Progress: TypeAlias = Callable[[float, str], None]

FOLDER_VARIABLE = "PACKTWIN_MEASURED_CELLS"
SEEDS = {"synthetic_noise": 3} | synthetic_cells.SEEDS

PARTS = ("synthetic", "pouch", "leaf", "ageing")
_POUCH = "aboutenergy_nmc_bpx"
_CELLS = {"pouch": _POUCH, "leaf": "ornl_leaf", "ageing": "nasa_pcoe"}
_NO_PYBAMM = "PyBaMM is not installed"
_POUCH_RECORDS = {"C/20": "Co20", "C/2": "Co2", "1C": "1C"}
_POUCH_COLUMNS = ColumnMap(
    time=Column(name="Time [s]", unit="s"),
    current=Column(name="I[A]", unit="A"),
    voltage=Column(name="U[V]", unit="V"),
    charge_is_positive=True,
)
_NOISE_V = 1e-3


def measured_folder() -> Path | None:
    """Return the folder of measured cells, if there is one."""
    named = os.environ.get(FOLDER_VARIABLE, "")
    folder = Path(named)
    return folder if named and folder.is_dir() else None


def pouch_records(folder: Path) -> dict[str, Record]:
    """Return the discharges of the pouch cell by rate."""
    from packtwin.twin.identification import Record

    return {
        rate: Record(
            measurement=read_measurement(
                folder / _POUCH / f"NMC_25degC_{name}.csv", _POUCH_COLUMNS, rate
            ),
            parameters={"soc_start": 1.0},
        )
        for rate, name in _POUCH_RECORDS.items()
    }


def rows(progress: Progress, options: BenchOptions | None = None) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure.

    With `is_quick`, only the made records are used.
    """
    chosen = options or BenchOptions()
    parts = chosen.only or PARTS
    found: list[BenchRow] = []
    if "synthetic" in parts:
        progress(0.0, "synthetic")
        found += synthetic_rows()
        if not chosen.is_quick:
            found += _synthetic_rows() if has_physics() else [_left_out(_NO_PYBAMM)]
    if chosen.is_quick or not set(parts) & set(_CELLS):
        return found
    folder = measured_folder()
    if folder is None:
        return [*found, _left_out(f"`{FOLDER_VARIABLE}` names no folder of records")]
    for name, cell in _CELLS.items():
        if name not in parts:
            continue
        if not (folder / cell).is_dir():
            found.append(_left_out(f"`{FOLDER_VARIABLE}` has no folder `{cell}`"))
        elif name == "pouch" and not has_physics():
            found.append(_left_out(_NO_PYBAMM))
        else:
            found += _measured_rows(name)(folder, progress)
    return found


def _measured_rows(part: str) -> Callable[[Path, Progress], list[BenchRow]]:
    return {"pouch": _pouch_rows, "leaf": leaf_rows, "ageing": ageing_rows}[part]


def _left_out(reason: str) -> BenchRow:
    return BenchRow(
        id="measured.left_out",
        what=f"measured cells were left out: {reason}",
        value=0.0,
        unit="1",
        target="measured",
        met=False,
    )


def _pouch_rows(folder: Path, progress: Progress) -> list[BenchRow]:
    from packtwin.pybamm_models.identification import identify_cell, pouch_unknowns
    from packtwin.pybamm_models.physics import physics_model
    from packtwin.pybamm_models.physics_definition import Physics
    from packtwin.twin.identification import Settings, compare

    physics = Physics(
        family="SPMe",
        parameter_set=str(folder / _POUCH / "nmc_pouch_cell_BPX.json"),
        options={"thermal": "isothermal"},
    )
    records = pouch_records(folder)
    published = physics_model(physics)
    found = []
    for rate, record in records.items():
        rms_mV = 1e3 * compare(published, record).rms
        target = "14.5 to 14.9" if rate != "C/2" else ""
        found.append(
            BenchRow(
                id=f"pouch.published.{rate}",
                what=f"NMC pouch, SPMe as published, {rate}, all samples",
                value=rms_mV,
                unit="mV rms",
                target=target,
                met=not target or 14.3 <= rms_mV <= 14.95,
            )
        )
    began = time.perf_counter()
    settings = Settings(n_sample=150, n_iteration=25, is_judged=False)
    cell = identify_cell(
        physics,
        [records["C/20"], records["C/2"]],
        pouch_unknowns(),
        settings,
        lambda k, rms: progress(0.2 + 0.03 * k, f"NMC pouch {1e3 * rms:.1f} mV"),
    )
    took_s = time.perf_counter() - began
    result = cell.identification
    for rate, record in records.items():
        what = f"NMC pouch, identified on C/20 + C/2, {rate}, all samples"
        rms_mV = 1e3 * compare(cell.model, record, result.values).rms
        key = f"pouch.identified.{rate}"
        found.append(
            at_most(key, f"{what} (held out)", rms_mV, "mV rms", 8.0)
            if rate == "1C"
            else BenchRow(id=key, what=what, value=rms_mV, unit="mV rms")
        )
    counts = {
        "unknowns": len(result.statement.names),
        "unknowns of which only the prior speaks": len(result.statement.untold),
        "pairs correlated by more than 0.95": len(result.statement.correlated),
    }
    found += [
        BenchRow(id=f"pouch.count.{k}", what=f"NMC pouch: {what}", value=n, unit="1")
        for k, (what, n) in enumerate(counts.items())
    ]
    what = "NMC pouch: identification took"
    return [*found, BenchRow(id="pouch.time", what=what, value=took_s, unit="s")]


def _synthetic_rows() -> list[BenchRow]:
    """Recover parameters that were put into made records."""
    from packtwin.pybamm_models.identification import identify_cell

    physics, records, truth = synthetic_case()
    began = time.perf_counter()
    found = identify_cell(physics, records, list(truth)).identification
    took_s = time.perf_counter() - began
    errors = dict(
        zip(found.statement.names, found.statement.standard_errors, strict=True)
    )
    made = []
    for (name, true), ours in zip(truth.items(), found.values, strict=True):
        off = abs(float(np.log(found.values[ours] / true))) / float(errors[ours])
        what = f"synthetic: `{name}`, error in stated standard errors"
        made.append(at_most(f"synthetic.{ours}", what, off, "1", 3.0))
    what = "synthetic: identification took"
    return [*made, BenchRow(id="synthetic.time", what=what, value=took_s, unit="s")]


def synthetic_case() -> tuple[Physics, list[Record], dict[str, float]]:
    """Return a cell, records made with other parameters, and these by name."""
    from dataclasses import replace

    from packtwin.pybamm_models.cells import Mesh
    from packtwin.pybamm_models.physics import physics_model
    from packtwin.pybamm_models.physics_definition import Physics
    from packtwin.twin.identification import Record, compare

    truth = {
        "Negative electrode exchange-current density factor": 0.6,
        "Negative electrode active material volume fraction": 0.72,
    }
    physics = Physics(
        family="SPMe",
        parameter_set="Chen2020",
        options={"thermal": "isothermal"},
        mesh=Mesh(x_n=8, x_s=5, x_p=8, r_n=12, r_p=12),
    )
    model = physics_model(replace(physics, parameters=tuple(truth)))
    values = dict(zip(model.interface.parameter_names[1:], truth.values(), strict=True))
    rng = np.random.default_rng(SEEDS["synthetic_noise"])
    records = []
    for current_A in (1.0, 4.0):
        time_s = np.linspace(0.0, 0.7 * 5.0 / current_A * 3600.0, 301)
        flat = Measurement(
            name=f"{current_A:g} A",
            time_s=time_s,
            current_A=np.full(time_s.shape, current_A),
            voltage_V=np.zeros(time_s.shape),
        )
        given = Record(measurement=flat, parameters={"soc_start": 0.9})
        noise = _NOISE_V * rng.normal(size=time_s.shape)
        voltage_V = compare(model, given, values).error + noise
        records.append(replace(given, measurement=replace(flat, voltage_V=voltage_V)))
    return physics, records, truth
