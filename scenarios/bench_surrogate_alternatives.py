"""The hybrid cell among its alternatives: error, data need, training and step time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from packtwin.pybamm_models.alternative_spme import SpmePredictor
from packtwin.scenarios.bench import BenchRow
from packtwin.scenarios.bench_surrogate_cases import Bench
from packtwin.scenarios.bench_surrogate_loop import CLoop
from packtwin.scenarios.bench_surrogate_runtimes import random_inputs
from packtwin.twin.alternative import (
    Alternative,
    CellPredictor,
    FitPlan,
    HybridPredictor,
    PredictorError,
    predictor_errors,
)
from packtwin.twin.alternative_circuit import Circuit
from packtwin.twin.alternative_neural_ode import NeuralOde
from packtwin.twin.alternative_pinn import Pinn
from packtwin.twin.alternative_recurrent import Recurrent
from packtwin.twin.alternative_step import SteppedPredictor
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.trajectory import Trajectory

__all__ = ["CHEAP", "error_rows", "rows"]

Progress: TypeAlias = Callable[[float, str], None]

CHEAP: tuple[Alternative, ...] = (Circuit(), Recurrent(), NeuralOde())
_OTHERS: tuple[Alternative, ...] = (Pinn(),)
_SHORT_S = 60.0
_SEED = 1
_SHOWN = (
    ("voltage_V", 1e3, "mV"),
    ("plating_potential_V", 1e3, "mV"),
    ("temperature_K", 1.0, "K"),
)


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Train and measure all; a part of `packtwin bench surrogate`."""
    spec, size, runs = bench.spec, bench.size, bench.training
    everything = FitPlan(iterations=size.iterations, budget_s=size.budget_s, seed=_SEED)
    found = [*_shipped_rows(bench), *_spme_rows(bench)]
    for k, alternative in enumerate((*CHEAP, *_OTHERS)):
        progress(k / (len(CHEAP) + len(_OTHERS)), alternative.name)
        key = f"alternative.{alternative.name}"
        began = time.perf_counter()
        predictor = alternative.fit(spec, runs, everything)
        found += _training_rows(key, time.perf_counter() - began, len(runs))
        found += _judged(key, predictor, bench)
        if isinstance(predictor, SteppedPredictor):
            loop = CLoop(predictor.step_map)
            u, p = random_inputs(predictor.step_map, spec.constants, size.n_step)
            took_s = loop.step_time_s(u, p, size.n_repeat)
            found.append(_plain(f"{key}.step_c", "one step in C", 1e6 * took_s, "µs"))
        if alternative in CHEAP:
            found += _data_rows(key, alternative, bench)
    return found


def _shipped_rows(bench: Bench) -> Iterator[BenchRow]:
    told, key = bench.spec.provenance, "alternative.hybrid"
    if "training_s" in told:
        yield from _training_rows(key, float(told["training_s"]), int(told["runs"]))
    yield from _judged(key, HybridPredictor(bench.spec), bench)
    loop = CLoop(cell_step_map(bench.spec))
    u, p = random_inputs(loop.step_map, bench.spec.constants, bench.size.n_step)
    took_s = loop.step_time_s(u, p, bench.size.n_repeat)
    yield _plain(f"{key}.step_c", "one step in C", 1e6 * took_s, "µs")


def _spme_rows(bench: Bench) -> Iterator[BenchRow]:
    predictor, key = SpmePredictor(bench.cell), "alternative.spme"
    yield from _judged(key, predictor, bench)
    run = _typical(bench.held_out)
    costs = []
    for _ in range(bench.size.n_repeat):
        began = time.thread_time()
        predictor.follow(run)
        costs.append((time.thread_time() - began) / len(run.time_s))
    took_us = 1e6 * float(np.median(costs))
    yield _plain(f"{key}.step_c", "one step in C, loop in C", took_us, "µs")


def _training_rows(key: str, took_s: float, count: int) -> Iterator[BenchRow]:
    yield _plain(f"{key}.training", f"training on {count} runs", took_s, "s")
    yield _plain(f"{key}.runs", "runs it learned from", float(count), "1")


def _judged(key: str, predictor: CellPredictor, bench: Bench) -> Iterator[BenchRow]:
    for place, text, runs in (
        ("in", "designed runs of another seed", bench.designed),
        ("out", "drive cycles and constant currents", bench.held_out),
    ):
        yield from error_rows(f"{key}.{place}", text, predictor_errors(predictor, runs))
    run, costs = _typical(bench.held_out), []
    for _ in range(bench.size.n_repeat):
        began = time.thread_time()
        predictor.follow(run)
        costs.append((time.thread_time() - began) / len(run.time_s))
    took_us = 1e6 * float(np.median(costs))
    yield _plain(
        f"{key}.step_python", "one step when called from Python", took_us, "µs"
    )


def error_rows(
    key: str, text: str, errors: Sequence[PredictorError]
) -> Iterator[BenchRow]:
    """Return mean and worst rms by output, and how much was answered."""
    long = [e for e in errors if e.duration_s >= _SHORT_S]
    for name, factor, unit in _SHOWN:
        rms = np.array([factor * e.rms[name] for e in long if name in e.rms])
        if not len(rms):
            continue
        what = f"{name}, {text} ({len(rms)} runs)"
        yield _plain(f"{key}.{name}.mean", f"{what}: rms, mean", rms.mean(), unit)
        yield _plain(f"{key}.{name}.worst", f"{what}: rms, worst", rms.max(), unit)
    if long:
        share = 100.0 * float(np.mean([e.answered["voltage_V"] for e in long]))
        yield _plain(f"{key}.answered", f"samples answered, {text}", share, "%")


def _data_rows(key: str, alternative: Alternative, bench: Bench) -> Iterator[BenchRow]:
    size = bench.size
    plan = FitPlan(iterations=size.iterations, budget_s=size.small_budget_s, seed=_SEED)
    order = np.random.default_rng(_SEED).permutation(len(bench.training))
    for count in size.run_counts:
        if count >= len(order):
            continue
        some = [bench.training[k] for k in order[:count]]
        predictor = alternative.fit(bench.spec, some, plan)
        errors = predictor_errors(predictor, bench.designed)
        rms = [1e3 * e.rms["voltage_V"] for e in errors if e.duration_s >= _SHORT_S]
        if rms:
            what = (
                f"voltage_V, designed runs, learned from {count} runs in "
                f"{size.small_budget_s:g} s: rms, mean"
            )
            yield _plain(f"{key}.data_{count}", what, float(np.mean(rms)), "mV")


def _typical(runs: Sequence[Trajectory]) -> Trajectory:
    """Return the run of median length."""
    return sorted(runs, key=lambda run: len(run.time_s))[len(runs) // 2]


def _plain(key: str, what: str, value: float, unit: str) -> BenchRow:
    return BenchRow(id=key, what=what, value=float(value), unit=unit)
