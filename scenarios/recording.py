"""What a report needs of a recorded run: ports, phases, gaps, errors of a replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from packtwin.scenarios.report_inputs import Recorded, Replayed, Vector

__all__ = [
    "ReplayError",
    "charge_window",
    "drive_window",
    "find_gaps",
    "find_series",
    "replay_errors",
]

_COMPARED = {
    "voltage_V": "pack.cell_voltage_mean_V",
    "plating_potential_V": "pack.plating_potential_min_V",
    "temperature_K": "pack.temperature_mean_K",
}


def find_series(run: Recorded, name: str) -> Vector | None:
    """Return `component.port` of a run, or None if it was not recorded.

    If the component has another name, the only series of that port is taken.
    """
    if name in run.series:
        return np.asarray(run.series[name], dtype=float)
    port = "." + name.partition(".")[2]
    found = [key for key in run.series if key.endswith(port)]
    return np.asarray(run.series[found[0]], dtype=float) if len(found) == 1 else None


def charge_window(run: Recorded) -> slice | None:
    """Return the samples from plugging in to the end of the charge."""
    return _window(find_series(run, "charger.is_charging"))


def drive_window(run: Recorded) -> slice | None:
    """Return the samples of the drive."""
    return _window(find_series(run, "cycle.is_driving"))


def _window(flag: Vector | None) -> slice | None:
    if flag is None:
        return None
    on = np.flatnonzero(flag > 0.5)
    return slice(max(int(on[0]) - 1, 0), int(on[-1]) + 1) if len(on) > 1 else None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayError:
    """Surrogate less DFN of one quantity on the replay's samples, in SI.

    Attributes:
        quantity: `voltage_V`, `plating_potential_V` or `temperature_K`.
        series: The run's series that was compared.
        time_s: On the run's clock.
        error: Surrogate less DFN.
    """

    quantity: str
    series: str
    time_s: Vector
    error: Vector


def replay_errors(run: Recorded, replay: Replayed) -> list[ReplayError]:
    """Return the surrogate's errors on the current that was replayed."""
    compared: Mapping[str, str] = getattr(replay, "compared", None) or {}
    errors = []
    for quantity, default in _COMPARED.items():
        name = compared.get(quantity, default)
        values = find_series(run, name)
        truth = np.asarray(getattr(replay, quantity), dtype=float)
        if values is None:
            continue
        time_s = np.asarray(replay.time_s, dtype=float)
        here = np.interp(time_s, run.time_s, values, left=np.nan, right=np.nan)
        errors.append(
            ReplayError(
                quantity=quantity, series=name, time_s=time_s, error=here - truth
            )
        )
    return errors


def find_gaps(
    results: Mapping[str, Recorded], replays: Mapping[str, Replayed | None]
) -> list[str]:
    """Return a sentence for each series that holds values that are not finite."""
    gaps = []
    for name, run in results.items():
        for key, values in run.series.items():
            gaps += _gap(f"`{key}` of the run `{name}`", run.time_s, values)
    for name, replay in replays.items():
        if replay is not None:
            for key in (*_COMPARED, "soc"):
                series = getattr(replay, key)
                gaps += _gap(
                    f"`{key}` of the DFN replay `{name}`", replay.time_s, series
                )
    return gaps


def _gap(what: str, time_s: Vector, values: Vector) -> list[str]:
    bad = ~np.isfinite(np.asarray(values, dtype=float))
    if not bad.any():
        return []
    first = float(np.asarray(time_s)[np.argmax(bad)]) / 60.0
    return [
        f"{what} is not finite at {int(bad.sum())} of {len(bad)} samples, the first at "
        f"{first:.2f} min."
    ]
