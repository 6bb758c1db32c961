"""`Trajectory`: one run of a cell as arrays, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_spec import CellConstants

__all__ = ["Trajectory", "count_charge"]

Array: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """A cell's current and what it answered, on one time grid.

    The current is linear between the samples.

    Attributes:
        name: Names the run in tables and errors.
        time_s: Shape `(n,)`, strictly increasing.
        current_A: Shape `(n,)`, discharge > 0.
        coolant_temperature_K: Shape `(n,)`.
        heat_transfer_coefficient_W_per_m2K: Constant over the run.
        start_soc: State of charge at the first sample, at rest.
        series: Recorded outputs by name, each of shape `(n,)`.
        is_valid: Samples inside the voltage window, before the first limit.
        is_learnable: Samples to learn from: also those beyond the window that are
            physical. By default the valid ones.
        labels: What the run is (kind, C-rate, temperature), for tables.
    """

    name: str
    time_s: Array
    current_A: Array
    coolant_temperature_K: Array
    heat_transfer_coefficient_W_per_m2K: float
    start_soc: float
    series: dict[str, Array]
    is_valid: NDArray[np.bool_]
    is_learnable: NDArray[np.bool_] | None = None
    labels: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse NaN, gaps in length and time that does not increase."""
        n = len(self.time_s)
        if n < 2 or np.any(np.diff(self.time_s) <= 0):
            msg = f"Run `{self.name}`: time must increase strictly over >= 2 samples."
            raise TrainingError(msg)
        columns = {"current_A": self.current_A, **self.series}
        for key, values in columns.items():
            if len(values) != n:
                msg = f"Run `{self.name}`: `{key}` has {len(values)} samples, not {n}."
                raise TrainingError(msg)
            if not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                msg = (
                    f"Run `{self.name}`: `{key}` is not finite at sample {row} "
                    f"(t = {self.time_s[row]} s); remove or repair the run."
                )
                raise TrainingError(msg)


def count_charge(run: Trajectory, c: CellConstants) -> tuple[Array, Array]:
    """Return the mean stoichiometries by exact charge counting, shapes `(n,)`."""
    step_Ah = 0.5 * (run.current_A[1:] + run.current_A[:-1]) * np.diff(run.time_s)
    charge_Ah = np.concatenate([[0.0], np.cumsum(step_Ah)]) / 3600.0
    x0, y0 = c.stoichiometries(run.start_soc)
    return (
        x0 - charge_Ah / c.negative_capacity_Ah,
        y0 + charge_Ah / c.positive_capacity_Ah,
    )
