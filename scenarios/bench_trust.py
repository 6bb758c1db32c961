"""`packtwin bench trust`: whether the shipped cell's bounds and guard keep their word.

The truth is the DFN with lumped heat on the cell's own mesh. Nothing here was trained
on or calibrated with; the guard's threshold is the one in the shipped file. Runs are
kept in `runs/bench/trust` and solved once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final

from packtwin.scenarios.adapters import trajectory
from packtwin.scenarios.bench import BenchOptions, BenchRow, at_least, at_most
from packtwin.scenarios.catalogue import find_path
from packtwin.twin.bound_monitor import bound_factors
from packtwin.twin.calibration import declare_tolerance
from packtwin.twin.coverage import (
    BOUNDED,
    Coverage,
    TrustedRun,
    coverage_by_bin,
    coverage_of,
    follow_runs,
    judge_guard,
)
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec

if TYPE_CHECKING:
    from packtwin.pybamm_models.cells import Cell
    from packtwin.pybamm_models.excitation import Design

__all__ = ["PARTS", "SEEDS", "rows"]

Progress: TypeAlias = Callable[[float, str], None]

CELL = "lg_m50_oregan2022"
FOLDER = Path("runs/bench/trust")
PARTS = ("exchangeable", "shifted", "guard")
SEEDS = {"exchangeable": 101, "hot": 103, "fast": 104, "wild": 105, "parameters": 206}
_SIZE, _QUICK = 1.0, 0.02
_NOISE_A, _TOLERANCE = 0.05, 0.05
_HOT_K, _HOTTEST_K, _FASTEST = 318.15, 333.15, 4.0
_WILD_K, _WILDEST_K, _WILDEST = 248.15, 338.15, 6.0
_STRESS = ("exchangeable", "hot", "fast", "noise", "wild")
_BINS = {
    "temperature_K": (253.15, 273.15, 283.15, 293.15, 303.15, 313.15, 353.15),
    "c_rate": (-9.0, -1.5, -0.75, -0.25, 0.25, 0.75, 1.5, 9.0),
    "soc": (-0.1, 0.1, 0.25, 0.5, 0.75, 0.9, 1.1),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """Runs to solve: for which cell, by which design, with which deviations."""

    cell: Cell
    design: Design
    noise_A: float = 0.0
    tolerance: float = 0.0


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure."""
    parts = options.only or PARTS
    spec = load_spec(find_path("surrogate", CELL))
    sets = _sets(_QUICK if options.is_quick else _SIZE)
    wanted = [
        name
        for name in sets
        if ("exchangeable" in parts and name == "exchangeable")
        or ("shifted" in parts and name not in ("exchangeable", "wild"))
        or ("guard" in parts and name in _STRESS)
    ]
    followed: dict[str, list[TrustedRun]] = {}
    for k, name in enumerate(wanted):
        followed[name] = _followed(
            spec, name, sets[name], _part(progress, k / len(wanted), len(wanted))
        )
    found: list[BenchRow] = []
    if "exchangeable" in parts:
        found += _exchangeable_rows(followed["exchangeable"])
    if "shifted" in parts:
        for name in ("hot", "fast", "noise", "parameters"):
            found += _shifted_rows(name, followed[name])
        others = followed["parameters"]
        found += _shifted_rows(
            "parameters, tolerance declared", [_widened(spec, run) for run in others]
        )
        found += _shifted_rows(
            "parameters, voltage measured", [_monitored(run) for run in others]
        )
    if "guard" in parts:
        stress = {name: followed[name] for name in _STRESS}
        found += _guard_rows(followed["exchangeable"], stress)
    return found


def _part(progress: Progress, begin: float, count: int) -> Progress:
    return lambda share, text: progress(begin + share / count, text)


def _sets(size: float) -> dict[str, _Set]:
    from packtwin.pybamm_models.cells import find_cell
    from packtwin.pybamm_models.excitation import Design

    def designed(name: str, counts: tuple[int, int, int], **ranges: Any) -> Design:
        n_runs, n_deep, n_pulse = (max(2, round(size * n)) for n in counts)
        return Design(
            seed=SEEDS[name], n_runs=n_runs, n_deep=n_deep, n_pulse=n_pulse, **ranges
        )

    def within(low_K: float, high_K: float) -> dict[str, float]:
        """Return the range of the cell's and of the coolant's temperature."""
        return {
            f"{what}_{end}_K": value
            for what in ("temperature", "coolant")
            for end, value in (("min", low_K), ("max", high_K))
        }

    cell = find_cell(CELL)
    usual = designed("exchangeable", (600, 150, 250), n_whole=round(size * 110))
    hot = designed("hot", (150, 50, 100), **within(_HOT_K, _HOTTEST_K))
    fast = designed("fast", (150, 50, 200))
    wild = designed(
        "wild",
        (120, 40, 80),
        **within(_WILD_K, _WILDEST_K),
        soc_min=0.02,
        soc_max=0.98,
    )
    others = designed("parameters", (98, 30, 22))
    return {
        "exchangeable": _Set(cell=cell, design=usual),
        "hot": _Set(cell=cell, design=hot),
        "fast": _Set(cell=replace(cell, current_max_c_rate=_FASTEST), design=fast),
        "noise": _Set(cell=cell, design=usual, noise_A=_NOISE_A),
        "wild": _Set(cell=replace(cell, current_max_c_rate=_WILDEST), design=wild),
        "parameters": _Set(cell=cell, design=others, tolerance=_TOLERANCE),
    }


def _followed(
    spec: SurrogateSpec, name: str, asked: _Set, progress: Progress
) -> list[TrustedRun]:
    from packtwin.pybamm_models.dataset import generate, load
    from packtwin.pybamm_models.excitation import design_requests
    from packtwin.pybamm_models.parameter_spread import spread_requests

    requests = design_requests(asked.cell, asked.design)
    if asked.tolerance:
        requests = spread_requests(requests, asked.tolerance, asked.design.seed)
    folder = FOLDER / ("exchangeable" if asked.noise_A else name)

    def solved(done: int, total: int, outcome: Any) -> None:
        progress(0.8 * done / total, f"DFN {outcome.name}")

    generate(
        asked.cell,
        requests,
        folder,
        n_threads=2,
        progress=solved,
    )
    runs = [trajectory(run, asked.cell) for run in load(folder) if len(run.time_s) > 2]
    return follow_runs(
        spec,
        [run for run in runs if run.is_valid.sum() > 2],
        lambda share, text: progress(0.8 + 0.2 * share, f"{name} {text}"),
        current_noise_A=asked.noise_A,
    )


def _widened(spec: SurrogateSpec, run: TrustedRun) -> TrustedRun:
    """Return what the cell claims once the tolerance is declared to it."""
    factors = (
        declare_tolerance(spec, _TOLERANCE).weights["bound_factor"]
        / spec.weights["bound_factor"]
    )
    wider = {
        key: float(factor) * run.bound_V[key]
        for key, factor in zip(BOUNDED, factors, strict=True)
    }
    return replace(run, bound_V=wider)


def _monitored(run: TrustedRun) -> TrustedRun:
    """Return what the cell claims beside a monitor that sees the true voltage."""
    factors = bound_factors(run.error_V["voltage_V"], run.bound_V["voltage_V"])
    wider = {
        key: factor * run.bound_V[key]
        for key, factor in zip(BOUNDED, factors, strict=True)
    }
    return replace(run, bound_V=wider)


def _words(covered: Coverage) -> str:
    return (
        f"{covered.n_run} runs, {100 * covered.low:.1f} to {100 * covered.high:.1f} % "
        "resampled"
    )


def _exchangeable_rows(runs: Sequence[TrustedRun]) -> Iterator[BenchRow]:
    for output in BOUNDED:
        covered = coverage_of(runs, output)
        yield BenchRow(
            id=f"trust.exchangeable.{output}",
            what=f"coverage of the 95 % bound of {output}; {_words(covered)}",
            value=100.0 * covered.share,
            unit="%",
            target="94 to 96",
            met=94.0 <= 100.0 * covered.share <= 96.0,
        )
        inside = coverage_of(runs, output, in_domain=True)
        yield at_most(
            f"trust.width.{output}",
            f"mean width of that bound over the rms error, inside the guard, {output}",
            inside.width_over_rms,
            "1",
            4.5,
        )
        worst = min(
            (
                (share, by, low, high, n)
                for by, edges in _BINS.items()
                for low, high, share, n in coverage_by_bin(runs, output, by, edges)
            ),
        )
        share, by, low, high, n = worst
        yield at_least(
            f"trust.bin.{output}",
            f"least coverage of a bin of {output}: {by} {low:g} to {high:g}, {n}",
            100.0 * share,
            "%",
            90.0,
        )


def _shifted_rows(name: str, runs: Sequence[TrustedRun]) -> Iterator[BenchRow]:
    for output in BOUNDED:
        covered = coverage_of(runs, output)
        yield at_least(
            f"trust.shifted.{name}.{output}",
            f"coverage under shift `{name}`, {output}; {_words(covered)}",
            100.0 * covered.share,
            "%",
            93.0,
        )
        yield at_most(
            f"trust.shifted_width.{name}.{output}",
            f"mean width of the bound over the rms error, shift `{name}`, {output}",
            covered.width_over_rms,
            "1",
            9.0,
        )


def _guard_rows(
    usual: Sequence[TrustedRun], stress: Mapping[str, Sequence[TrustedRun]]
) -> Iterator[BenchRow]:
    record = judge_guard([run for runs in stress.values() for run in runs])
    n_stress = sum(len(runs) for runs in stress.values())
    yield at_least(
        "trust.guard.flagged",
        f"errors beyond 3 bounds flagged at or before the step; {record.n_exceedance} "
        f"in {record.n_run} of {n_stress} runs",
        100.0 * record.flagged_share,
        "%",
        99.0,
    )
    for name, runs in stress.items():
        part = judge_guard(runs)
        yield BenchRow(
            id=f"trust.guard.flagged.{name}",
            what=f"of these, {part.n_exceedance} in {part.n_run} of {len(runs)} runs "
            f"`{name}`, where {100.0 * part.alarm_share:.1f} % of the samples alarm",
            value=100.0 * part.flagged_share,
            unit="%",
        )
    yield at_most(
        "trust.guard.alarms",
        f"false alarms in {len(usual)} exchangeable runs, share of samples",
        100.0 * judge_guard(usual).alarm_share,
        "%",
        2.0,
    )
