"""What a report is made of: recorded runs, replays, certificate, summary and stages.

**Summary**: a flat mapping; a key ends in its unit (`mpc_charge_time_s`), `_fraction`
is 0..1, `_count` a count. A run's own figures carry the run's name (`mpc_`, `cccv_`);
a key that is missing is reported as not computed. The report places these:

- aims: `charge_start_soc`, `charge_end_soc`, `cell_voltage_limit_V`,
  `temperature_limit_K`, `plating_target_V` (the replay's margin must not fall below
  it), `plating_margin_V` (the controller's), `n_series`, `n_parallel`;
- per run: `_charge_time_s`, `_charge_energy_J`, `_temperature_max_K`,
  `_cell_voltage_max_V`, `_plating_potential_min_V`, `_dfn_plating_potential_min_V`,
  `_dfn_cell_voltage_max_V`, `_dfn_temperature_max_K`, `_dfn_voltage_rms_V`,
  `_dfn_voltage_error_max_V` and so for `plating_potential` and `temperature`,
  `_out_of_domain_s`, `_solve_time_median_s`, `_solve_time_p99_s`,
  `_solve_time_max_s`, `_infeasible_count`, `_fallback_count`, `_plan_count`,
  `_slack_max_V`, `_slack_max_K`;
- peer: `cccv_c_rate`, `cccv_is_searched`; pack FMU: `pack_step_time_s`;
- ledger: `ledger_residual_fraction`, and per run and subsystem, with dots,
  `ledger.mpc.pack.in.chemical_J`, `ledger.mpc.pack.out.terminals_J`,
  `ledger.mpc.pack.stored.heat_J`, `ledger.mpc.pack.residual_J`,
  `ledger.mpc.pack.residual_fraction` (of the integral of |P|).

**Certificate**: what `packtwin.twin.certificate.certify` attaches; of it `domain`,
`bounds`, `bound_meaning`, `targets`, `runs` and `runs_calibration` are shown, and, if
there, `time_per_step_s`, `limitations` (sentences) and `provenance` (a mapping).

**Stages**: mappings with `name`, `status` (`run` or `up to date`), `seconds`,
`fingerprint` and `reason`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Certificate", "Recorded", "Replayed", "Stages", "Summary", "Vector"]

Vector: TypeAlias = NDArray[np.float64]
Summary: TypeAlias = Mapping[str, Any]
Certificate: TypeAlias = Mapping[str, Any]
Stages: TypeAlias = Sequence[Mapping[str, Any]]


@runtime_checkable
class Recorded(Protocol):
    """A recorded run, such as `packtwin.cosim.result.Result`.

    `series` maps `component.port` to an array over `time_s`. The report looks for the
    ports of docs/ports.md and takes another component that has the port, if only one
    has it.
    """

    @property
    def time_s(self) -> Vector:
        """Time of each sample."""
        ...

    @property
    def series(self) -> Mapping[str, Vector]:
        """Arrays by `component.port`."""
        ...


@runtime_checkable
class Replayed(Protocol):
    """The DFN on the current of one cell of a run, on the run's clock.

    An optional attribute `compared` maps `voltage_V`, `plating_potential_V` or
    `temperature_K` to the run's series of the same cell; by default the mean cell's
    voltage and temperature and the lowest plating potential of the pack.
    """

    @property
    def time_s(self) -> Vector:
        """Time of each sample on the run's clock."""
        ...

    @property
    def voltage_V(self) -> Vector:
        """Cell voltage."""
        ...

    @property
    def temperature_K(self) -> Vector:
        """Cell temperature."""
        ...

    @property
    def plating_potential_V(self) -> Vector:
        """Plating potential at the separator."""
        ...

    @property
    def soc(self) -> Vector:
        """State of charge."""
        ...
