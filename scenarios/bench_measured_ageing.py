"""Part `ageing` of `packtwin bench measured`: NASA's cells B0005 and B0006.

Discharges are predicted split by cycle and by cell; a made cell walks the same path.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.catalogue import library_folder
from packtwin.scenarios.identification_file import (
    IdentificationFile,
    load_identification,
)
from packtwin.scenarios.synthetic_cells import synthetic_circuit, write_ageing_cell
from packtwin.twin.capacity_fade import fit_fade
from packtwin.twin.identification import Settings, Unknown, identify
from packtwin.twin.life_follower import (
    CyclePrediction,
    Life,
    follow_life,
    learn_rule,
    life_of,
    predict_cycle,
    repeat_cycle,
    update_circuit,
)
from packtwin.twin.measurement import Vector
from packtwin.twin.measurement_cycles import read_cycles
from packtwin.twin.model import Model

__all__ = [
    "UPDATE",
    "ageing_rows",
    "cell_rows",
    "identified_shape",
    "open_prediction",
    "synthetic_rows",
    "updated_unknowns",
    "with_fresh",
]

Progress: TypeAlias = Callable[[float, str], None]

# As the issue quotes them: rms of voltage, temperature and state of health.
_PUBLISHED = {"voltage": 21.0, "temperature": 1.74, "soh": 1.9}
_UNITS = {"voltage": "mV rms", "temperature": "K rms", "soh": "% rms"}
_NASA = ("B0005", "B0006")
_NASA_FILE = "nasa_pcoe/{}_discharge.csv.gz"
_CUTOFF_V, _OPENING_Ah, _RATED_Ah = 2.7, 0.1, 2.0
_HALF, _MOST = 84, 118
_WHOLE_LIFE = (0, 27, 55, 83, 111, 139, 167)
_EARLY = (0, 12, 27, 45, 64, 83)
UPDATE = Settings(
    n_sample=40,
    n_iteration=1,
    is_judged=False,
    voltage_deviation_V=0.005,
    temperature_deviation_K=0.3,
)
# What is updated after a discharge, by the start of its name, and how far it may move.
_UPDATED: dict[str, tuple[Literal["linear", "logarithmic"], float]] = {
    "resistance_": ("linear", 0.02),
    "entropy_": ("linear", 5e-5),
    "cooling_W_per_K": ("logarithmic", 0.1),
    "heat_capacity_J_per_K": ("logarithmic", 0.1),
}
_LAST = 168
_TWO_SIDED = 1.96
_FROZEN = "baseline: the last known discharge repeated to the end of life"
_REPEATED = "baseline: the discharge before repeated"


def ageing_rows(folder: Path, progress: Progress) -> list[BenchRow]:
    """Predict NASA's cells: by cycle, by cell, and without any later record."""
    file = load_identification(library_folder() / "measured_nasa_18650.toml")
    columns = file.columns.column_map()
    lives = {
        name: life_of(
            read_cycles(folder / _NASA_FILE.format(name), columns, "cycle"),
            cutoff_V=_CUTOFF_V,
            opening_Ah=_OPENING_Ah,
        )
        for name in _NASA
    }
    rows = [
        BenchRow(id=f"ageing.published.{k}", what=f"published {k}", value=v, unit=u)
        for (k, v), u in zip(_PUBLISHED.items(), _UNITS.values(), strict=True)
    ]
    for k, name in enumerate(_NASA):
        rows += cell_rows(file, lives, name, _part_of(progress, k))
    return rows


def _part_of(progress: Progress, half: int) -> Progress:
    """Return the progress of the first or second half."""
    return lambda share, text: progress((half + share) / 2.0, text)


def _named(progress: Progress, text: str) -> Callable[[float], None]:
    return lambda share: progress(share, text)


def cell_rows(
    file: IdentificationFile, lives: Mapping[str, Life], name: str, progress: Progress
) -> list[BenchRow]:
    """Predict one of two cells by cycle, and by cell from the other one."""
    life = lives[name]
    (other_name,) = (n for n in lives if n != name)
    other = lives[other_name]
    progress(0.0, f"{name}, first half")
    early = identified_shape(file, life, _EARLY)
    rows: list[BenchRow] = []
    for end in (_HALF, _MOST):
        what = f"{name}, {end + 1} to 168 from the first {end}, nothing later"
        found = open_prediction(early, life, end)
        rows += _scored(f"ageing.{name}.open{end}", what, found)
        repeated = [repeat_cycle(life, i, end - 1) for i in range(end, _LAST)]
        key = f"ageing.{name}.frozen{end}"
        rows += _scored(key, _FROZEN, repeated, is_judged=False)
    splits = {
        "cycle": (early, learn_rule(life, _HALF), "all learned on 1 to 84"),
        "cell": (
            with_fresh(identified_shape(file, other, _WHOLE_LIFE), life),
            learn_rule(other),
            f"circuit and rule learned on {other_name}",
        ),
    }
    for k, (split, (model, rule, how)) in enumerate(splits.items()):
        told = _named(_part_of(progress, k), f"{name}, by {split}")
        both = follow_life(
            model,
            life,
            rule,
            updated_unknowns(model),
            UPDATE,
            begin=_HALF,
            progress=told,
        )
        key = f"ageing.{name}.{split}"
        what = f"{name}, each of 85 to 168 from those before, {how}"
        rows += _scored(f"{key}.next", what, [a for a, _ in both])
        what += ", and from its own first 3 min"
        rows += _scored(f"{key}.opening", what, [b for _, b in both])
    repeated = [repeat_cycle(life, i, i - 1) for i in range(_HALF, _LAST)]
    key = f"ageing.{name}.repeated"
    return [*rows, *_scored(key, _REPEATED, repeated, is_judged=False)]


def synthetic_rows(n: int = 16, begin: int = 10) -> list[BenchRow]:
    """Follow a made cell that ages, on the path of the measured ones.

    Args:
        n: Discharges made.
        begin: The first that is predicted; the rule is learned before it.
    """
    file = load_identification(library_folder() / "measured_nasa_18650.toml")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.csv.gz"
        write_ageing_cell(path, n)
        cycles = read_cycles(path, file.columns.column_map(), "cycle")
    life = life_of(cycles, cutoff_V=_CUTOFF_V, opening_Ah=_OPENING_Ah)
    model = synthetic_circuit()
    rule = learn_rule(life, begin)
    both = follow_life(model, life, rule, updated_unknowns(model), UPDATE, begin=begin)
    what = f"made cell, each of {begin + 1} to {n} from those before"
    return [
        *_scored("synthetic.life.next", what, [a for a, _ in both], is_judged=False),
        *_scored(
            "synthetic.life.opening",
            what + ", and from its own first 3 min",
            [b for _, b in both],
            is_judged=False,
        ),
    ]


def identified_shape(
    file: IdentificationFile, life: Life, chosen: Sequence[int]
) -> Model:
    """Return the circuit of a file as identified on some discharges of a life."""
    model = with_fresh(file.model(), life)
    records = [life.records[k] for k in chosen]
    settings = replace(file.search.settings(), is_judged=False)
    found = identify(model, records, file.chosen(model), settings)
    return replace(model, interface=model.interface.with_starts(found.values))


def with_fresh(model: Model, life: Life) -> Model:
    """Return the circuit with the first capacity of a life as the fresh one."""
    fresh = {"capacity_fresh_Ah": float(life.capacity_Ah[0])}
    return replace(model, interface=model.interface.with_starts(fresh))


def updated_unknowns(model: Model) -> list[Unknown]:
    """Return polarisation, entropy and cooling, to be updated after each discharge."""
    return [
        Unknown(name=name, scale=scale, spread=spread, is_prior=True)
        for name in model.interface.parameter_names
        for begin, (scale, spread) in _UPDATED.items()
        if name.startswith(begin)
    ]


def open_prediction(model: Model, life: Life, end: int) -> list[CyclePrediction]:
    """Predict all discharges from `end` on with the law fitted to those before.

    Polarisation is that of the last discharge before, growing with the loss.

    The spread of the capacity about the law says nothing of the law's own error far
    ahead, so no deviation is stated.
    """
    known = update_circuit(
        model, life.records[end - 1], updated_unknowns(model), UPDATE
    )
    fade = fit_fade(life.capacity_Ah[:end])
    past_Ah = float(np.sum(life.capacity_Ah[:end]))
    found = []
    for k in range(end, len(life.records)):
        capacity_Ah = float(fade.at(np.array([past_Ah]))[0])
        found.append(predict_cycle(known, life, k, capacity_Ah, math.nan))
        past_Ah += capacity_Ah
    return found


def _scored(
    key: str, what: str, found: Sequence[CyclePrediction], *, is_judged: bool = True
) -> list[BenchRow]:
    """Return rows of pooled errors, against the published ones where judged."""
    values = {
        "voltage": 1e3 * _rms(np.concatenate([p.voltage_V for p in found])),
        "temperature": _rms(np.concatenate([p.temperature_K for p in found])),
        "soh": _percent(_rms(np.array([p.capacity_error_Ah for p in found]))),
    }
    rows = []
    for name, value in values.items():
        args = (f"{key}.{name}", f"{name}: {what}", value, _UNITS[name])
        if is_judged:
            rows.append(at_most(*args, _PUBLISHED[name]))
        else:
            rows.append(BenchRow(id=args[0], what=args[1], value=value, unit=args[3]))
    each = [1e3 * _rms(p.voltage_V) for p in found]
    free = 1e3 * _rms(np.concatenate([p.free_V for p in found]))
    extra = {
        "mean": ("voltage, mean of the discharges' rms", float(np.mean(each)), "mV"),
        "free": ("voltage, not held at the cut-off", free, "mV rms"),
    }
    stated = np.array([p.deviation_Ah for p in found])
    if np.isfinite(stated).all():
        errors = np.abs([p.capacity_error_Ah for p in found])
        share = 100.0 * float(np.mean(errors <= _TWO_SIDED * stated))
        extra["covered"] = ("capacities within the stated 95 % bound", share, "%")
    return [
        *rows,
        *(
            BenchRow(id=f"{key}.{k}", what=f"{text}: {what}", value=value, unit=unit)
            for k, (text, value, unit) in extra.items()
        ),
    ]


def _percent(capacity_Ah: float) -> float:
    return 100.0 * capacity_Ah / _RATED_Ah


def _rms(values: Vector) -> float:
    return float(np.sqrt(np.mean(values**2)))
