"""`packtwin bench switched`: the hybrid cell that falls back to its physics, measured.

Truth is the same DFN, run from the start at tighter tolerances. Loads are the held-out
drive cycles and constant currents (mostly in domain) and designed runs with up to 4C
(often outside). Hand-overs are those that the guard asks for and, at random times in
between, forced ones. Each is judged by its largest error from the hand-over until a
minute after, over the bound that the hybrid cell had stated just before.

Times are CPU times of single steps in a loop in C; the physics beside it takes the same
steps from the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.scenarios.bench import (
    BenchOptions,
    BenchRow,
    at_least,
    at_most,
    not_measured,
)
from packtwin.scenarios.fingerprints import has_physics
from packtwin.twin.errors import PackTwinError

__all__ = ["PARTS", "SEEDS", "Handover", "handover_rows", "rows", "time_rows"]

Progress: TypeAlias = Callable[[float, str], None]
Array: TypeAlias = NDArray[np.float64]

PARTS = ("accuracy", "time")
SEEDS = {"fast": 204, "times": 7}
BOUNDS = {"voltage_V": "voltage_bound_V", "plating_potential_V": "plating_bound_V"}
AFTER_S = 60
_N_FORCED, _FIRST_S = 2, 30


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One switch to the physics and the minute after it.

    Attributes:
        is_forced: At a random time; otherwise the guard tripped.
        bound_V: What the hybrid cell stated just before, by output.
        error_V: Absolute errors of the steps from the switch on, by output.
        stated_V: Bound that the physics states, by output.
    """

    is_forced: bool
    bound_V: dict[str, float]
    error_V: dict[str, Array]
    stated_V: dict[str, float]

    def ratio(self, output: str) -> float:
        """Return the largest error over the bound just before."""
        return float(self.error_V[output].max() / self.bound_V[output])


def rows(progress: Progress, options: BenchOptions) -> list[BenchRow]:
    """Measure the chosen parts and return one row per figure."""
    if not has_physics():
        what = "nothing was measured: not installed: pybamm"
        return [not_measured("missing", what, target="installed")]
    from packtwin.scenarios.bench_switched_cases import SwitchedBench

    progress(0.0, "compiling")
    found: list[BenchRow] = []
    names = [name for name in PARTS if not options.only or name in options.only]
    bench = SwitchedBench(is_quick=options.is_quick)
    for k, name in enumerate(names):
        began = time.perf_counter()

        def tell(share: float, text: str, k: int = k) -> None:
            progress((k + share) / len(names), text)

        try:
            measure = _accuracy if name == "accuracy" else _times
            found += measure(tell, bench)
        except PackTwinError as error:
            what = f"part `{name}` ended early: {error}"
            found.append(not_measured(f"{name}.failed", what))
        what = f"part `{name}` of this bench took"
        took_s = time.perf_counter() - began
        found.append(BenchRow(id=f"bench.{name}", what=what, value=took_s, unit="s"))
    return found


def handover_rows(found: Sequence[Handover]) -> Iterator[BenchRow]:
    """Return shares and worst ratios of hand-overs, forced and asked for."""
    for label, forced in (("asked for by the guard", False), ("at random times", True)):
        chosen = [item for item in found if item.is_forced is forced]
        key = "forced" if forced else "asked"
        if not chosen:
            yield not_measured(f"handover.{key}", f"no hand-over {label}")
            continue
        for output in BOUNDS:
            ratios = np.array([item.ratio(output) for item in chosen])
            what = f"{output}, {len(chosen)} hand-overs {label}"
            yield at_least(
                f"handover.{key}.{output}.share",
                f"{what}: within the bound before, for {AFTER_S} s",
                100.0 * float(np.mean(ratios <= 1.0)),
                "%",
                100.0,
            )
            yield at_most(
                f"handover.{key}.{output}.worst",
                f"{what}: worst error over that bound",
                float(ratios.max()),
                "1",
                1.0,
            )
    for output in BOUNDS:
        errors = np.concatenate([item.error_V[output] for item in found])
        stated = np.concatenate(
            [np.full(len(h.error_V[output]), h.stated_V[output]) for h in found]
        )
        what = f"{output}, {len(errors)} samples after hand-overs"
        yield at_least(
            f"handover.coverage.{output}",
            f"{what}: within the bound that the physics states",
            100.0 * float(np.mean(errors <= stated)),
            "%",
            95.0,
        )
        yield BenchRow(
            id=f"handover.p95.{output}",
            what=f"{what}: 95 % of the errors are smaller",
            value=1e3 * float(np.quantile(errors, 0.95)),
            unit="mV",
        )


def time_rows(
    fast_s: Array, in_domain_s: Array, own_s: Array, fallback_s: Array, is_switch: Array
) -> Iterator[BenchRow]:
    """Return times of steps in domain and in fallback, and of switches.

    Args:
        fast_s: The hybrid cell alone, steps in domain.
        in_domain_s: The same steps of the switched cell.
        own_s: The physics alone, steps outside.
        fallback_s: The same steps of the switched cell, switches included.
        is_switch: Which of those switched to the physics.
    """
    alone_us, beside_us = (1e6 * float(np.median(a)) for a in (fast_s, in_domain_s))
    yield BenchRow(
        id="time.fast", what="hybrid cell alone, median step", value=alone_us, unit="µs"
    )
    yield at_most(
        "time.in_domain",
        f"switched cell in domain, median step over that (n = {len(fast_s)})",
        beside_us / alone_us,
        "1",
        1.2,
    )
    for label, q in (("p50", 0.5), ("p99", 0.99)):
        own_us, us = (1e6 * float(np.quantile(a, q)) for a in (own_s, fallback_s))
        yield BenchRow(
            id=f"time.physics.{label}",
            what=f"physics alone, {label} step",
            value=own_us,
            unit="µs",
        )
        yield at_most(
            f"time.fallback.{label}",
            f"switched cell in fallback, switches included, {label} step over that "
            f"(n = {len(own_s)})",
            us / own_us,
            "1",
            1.2,
        )
    switch_ms = 1e3 * fallback_s[is_switch > 0.0]
    if len(switch_ms):
        for label, value in (
            ("median", float(np.median(switch_ms))),
            ("longest", float(switch_ms.max())),
        ):
            yield BenchRow(
                id=f"time.switch.{label}",
                what=f"step that switches to the physics, {label} of {len(switch_ms)}",
                value=value,
                unit="ms",
            )


def _accuracy(progress: Progress, bench: Any) -> list[BenchRow]:
    found: list[Handover] = []
    squares: list[Array] = []
    physics: list[Array] = []
    loads = [*bench.held_out, *bench.fast]
    rng = np.random.default_rng(SEEDS["times"])
    for k, load in enumerate(loads):
        progress(k / len(loads), load.name)
        truth = bench.truth(load)
        last = len(truth["voltage_V"]) - AFTER_S
        if last <= _FIRST_S:
            continue
        forced = rng.integers(_FIRST_S, last, _N_FORCED)
        made, own, alone = bench.handovers(load, truth, {int(at) for at in forced})
        found += made
        if load.is_fast:
            n = len(own["is_physics"])
            error = np.stack(
                [y["voltage_V"][:n] - truth["voltage_V"][:n] for y in (alone, own)]
            )
            squares.append((error**2).T)
            physics.append(own["is_physics"])
    if not found:
        return [not_measured("handover", "no run was long enough for a hand-over")]
    what = "steps and lifts refused where the truth goes on"
    refused = at_most("handover.refused", what, float(bench.n_refused), "1", 0.0)
    result = [*handover_rows(found), refused]
    if squares:
        alone_mV, own_mV = 1e3 * np.sqrt(np.concatenate(squares).mean(axis=0))
        share = 100.0 * float(np.concatenate(physics).mean())
        for key, label, value in (
            ("alone", "hybrid cell alone", alone_mV),
            ("switched", f"switched cell, {share:.0f} % of the steps physics", own_mV),
        ):
            what = f"voltage, rms over {len(squares)} runs with up to 4C, {label}"
            result.append(
                BenchRow(id=f"fast.{key}", what=what, value=float(value), unit="mV")
            )
    return result


def _times(progress: Progress, bench: Any) -> list[BenchRow]:
    parts: list[tuple[Array, ...]] = []
    loads = [*bench.held_out[::6], *bench.fast]
    for k, load in enumerate(loads):
        progress(k / len(loads), load.name)
        parts.append(bench.times(load))
    fast, own, switched, side, switches = (
        np.concatenate([part[k] for part in parts]) for k in range(5)
    )
    inside, outside = side == 0.0, side == 1.0
    return list(
        time_rows(
            fast[inside],
            switched[inside],
            own[outside],
            switched[outside],
            switches[outside],
        )
    )
