"""`Hold`: the first constant current of a run, from rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.alternative_batch import batch_runs
from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_core import inverse_temperature
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = ["Hold", "hold_of", "holds_of", "samples_of"]

Array: TypeAlias = NDArray[np.float64]

_LEAST_SAMPLES = 10
_LEAST_A = 0.05
_SAME_A = 1e-6
_SERIES = ("temperature_K", "voltage_V", "plating_potential_V")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Samples of a run over which its current has one value.

    Attributes:
        run: The run.
        samples: The first one is that at which the current has risen from rest.
        time_s: Charge passed over the current: the time since an ideal step.
        current_A: The value.
    """

    run: Trajectory
    samples: slice
    time_s: Array
    current_A: float

    def columns(self, c: CellConstants, temperature_K: Array) -> Array:
        """Return time, start SOC, C-rate and theta of all samples, shape `(n, 4)`."""
        start, rate = self.run.start_soc, self.current_A / c.nominal_capacity_Ah
        n = len(self.time_s)
        theta = inverse_temperature(c, temperature_K)
        columns = [self.time_s, np.full(n, start), np.full(n, rate), theta]
        return np.stack(columns, axis=-1)

    def warmed_K(
        self,
        spec: SurrogateSpec,
        voltage_V: Array,
        temperature_K: Array,
        heat_share: float = 1.0,
    ) -> Array:
        """Return the temperature that voltages imply by the lumped heat balance.

        Args:
            spec: The cell.
            voltage_V: At the samples.
            temperature_K: A guess, which sets entropy and heat capacity.
            heat_share: Of the loss, see `alternative_step`.
        """
        run, c, n = self.run, spec.constants, self.samples.stop
        start_K = float(run.series["temperature_K"][0])
        guess_K = np.concatenate([np.full(self.samples.start, start_K), temperature_K])
        cold_K = guess_K - 0.5
        seen = [
            batch_runs(spec, [_with_temperature(run, n, values)]).ocv_V[0]
            for values in (guess_K, cold_K)
        ]
        entropy = 2.0 * (seen[0] - seen[1])
        loss_V = seen[0][self.samples] - voltage_V
        heat_W = run.current_A[:n] * (-guess_K * entropy)
        heat_W[self.samples] += heat_share * self.current_A * loss_V
        table = spec.tables["heat_content_J"]
        capacity = 2.0 * (table.numpy(guess_K) - table.numpy(cold_K))
        conductance = run.heat_transfer_coefficient_W_per_m2K * c.cooling_area_m2
        rows = [
            a.tolist()
            for a in (
                np.diff(run.time_s[:n]),
                heat_W[1:],
                capacity[1:],
                run.coolant_temperature_K[1:n],
            )
        ]
        found = [start_K]
        for h, heat, stored, coolant_K in zip(*rows, strict=True):
            weight = h / stored
            top = found[-1] + weight * (heat + conductance * coolant_K)
            found.append(top / (1.0 + weight * conductance))
        return np.array(found[self.samples.start :])


def _with_temperature(run: Trajectory, n: int, temperature_K: Array) -> Trajectory:
    return Trajectory(
        name=run.name,
        time_s=run.time_s[:n],
        current_A=run.current_A[:n],
        coolant_temperature_K=run.coolant_temperature_K[:n],
        heat_transfer_coefficient_W_per_m2K=run.heat_transfer_coefficient_W_per_m2K,
        start_soc=run.start_soc,
        series={"temperature_K": temperature_K, "voltage_V": np.zeros(n)},
        is_valid=np.ones(n, dtype=bool),
    )


def hold_of(run: Trajectory, *, longest_s: float = np.inf) -> Hold | None:
    """Return the first constant current of a run, or None where there is none."""
    current_A = float(run.current_A[1])
    same = np.abs(run.current_A[1:] - current_A) < _SAME_A
    same &= run.time_s[1:] <= longest_s
    stop = 1 + (len(same) if same.all() else int(np.argmin(same)))
    if stop - 1 < _LEAST_SAMPLES or abs(current_A) < _LEAST_A:
        return None
    steps_s = np.diff(run.time_s[:stop])
    mean_A = 0.5 * (run.current_A[1:stop] + run.current_A[: stop - 1])
    time_s = np.cumsum(steps_s * mean_A) / current_A
    return Hold(run=run, samples=slice(1, stop), time_s=time_s, current_A=current_A)


def holds_of(runs: Sequence[Trajectory]) -> list[Hold]:
    """Return the first constant current of all runs that begin with one.

    Raises:
        TrainingError: None does.
    """
    found = [hold for hold in map(hold_of, runs) if hold is not None]
    if not found:
        msg = (
            f"None of {len(runs)} runs begins with {_LEAST_SAMPLES} samples of one "
            f"current above {_LEAST_A} A; a physics-informed network needs some."
        )
        raise TrainingError(msg)
    return found


def samples_of(c: CellConstants, holds: Sequence[Hold]) -> tuple[Array, Array]:
    """Return all samples' columns and what they answered, voltage and plating."""
    columns, targets = [], []
    for hold in holds:
        series = {key: hold.run.series[key][hold.samples] for key in _SERIES}
        columns.append(hold.columns(c, series.pop("temperature_K")))
        targets.append(np.stack(list(series.values()), axis=-1))
    return np.concatenate(columns), np.concatenate(targets)
