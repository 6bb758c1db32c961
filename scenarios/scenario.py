"""`Scenario`: one job as a TOML file, every key named with its unit and checked."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, TypeAlias, final

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Scenario"]

Positive: TypeAlias = Annotated[float, Field(gt=0.0)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0.0)]
Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Kelvin: TypeAlias = Annotated[float, Field(ge=233.15, le=353.15)]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A table of the file: strict types, no unknown keys, never changed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


@final
class HeaderSection(Section):
    """Name (of the run folder too), one sentence, and the seed of everything."""

    name: Name
    description: str = ""
    seed: int = Field(default=1, ge=0)


@final
class CellSection(Section):
    """The cell, and the trained surrogate: a shipped name or the path of an npz.

    `parameter_tolerance` widens the bounds for cells whose parameters differ from the
    parameter set's by up to that share.
    """

    name: Text
    surrogate: str = ""
    parameter_tolerance: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0


@final
class DatasetSection(Section):
    """The designed set of ground-truth runs; see `pybamm_models.excitation.Design`."""

    n_run: int = Field(default=1000, ge=1)
    n_deep: int = Field(default=300, ge=0)
    n_whole: int = Field(default=200, ge=0)
    n_pulse: int = Field(default=400, ge=0)
    duration_s: int = Field(default=1800, ge=60)
    n_thread: int = Field(default=2, ge=1)
    soc_minimum: Share = 0.05
    soc_maximum: Share = 0.95
    temperature_minimum_K: Kelvin = 263.15
    temperature_maximum_K: Kelvin = 318.15
    coolant_minimum_K: Kelvin = 263.15
    coolant_maximum_K: Kelvin = 323.15
    heat_transfer_minimum_W_per_m2K: Positive = 2.0
    heat_transfer_maximum_W_per_m2K: Positive = 300.0

    @model_validator(mode="after")
    def _ranges_rise(self) -> DatasetSection:
        for stem, unit in (
            ("soc", ""),
            ("temperature", "_K"),
            ("coolant", "_K"),
            ("heat_transfer", "_W_per_m2K"),
        ):
            low, high = (f"{stem}_{end}{unit}" for end in ("minimum", "maximum"))
            if not getattr(self, low) < getattr(self, high):
                top, bottom = getattr(self, high), getattr(self, low)
                msg = f"{high}|{top}|more than `{low}` = {bottom}"
                raise ValueError(msg)
        return self


@final
class TrainingSection(Section):
    """The fields of `twin.training_regression.TrainingConfig`, but for the seed."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (40, 40)
    iterations: int = Field(default=14_000, ge=1)
    batch_size: int = Field(default=16384, ge=1)
    learning_rate: Positive = 3e-3
    hard_share: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    physics_share: Annotated[float, Field(ge=0.0, le=10.0)] = 0.1
    validation_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    patience: int = Field(default=8, ge=1)
    rollout_iterations: int = Field(default=200, ge=0)
    rollout_window_s: Positive = 1800.0


@final
class TrustSection(Section):
    """Runs that the network never learns from, only bounds and guard do.

    `n_usual_run` runs are drawn as the data set's are, `n_hot_run` are hotter and
    `n_wide_run` colder, hotter and faster than those. The cells of `n_spread_run` usual
    ones have parameters that differ by up to `spread_tolerance`.
    """

    n_usual_run: int = Field(default=600, ge=0)
    n_hot_run: int = Field(default=150, ge=0)
    n_wide_run: int = Field(default=300, ge=0)
    n_spread_run: int = Field(default=60, ge=0)
    spread_tolerance: Annotated[float, Field(gt=0.0, le=0.2)] = 0.05


@final
class TargetSection(Section):
    """The fields of `twin.certificate_target.CertificateTargets`."""

    voltage_rms_V: Positive = 0.002
    voltage_rms_worst_V: Positive = 0.006
    voltage_rms_cold_V: Positive = 0.006
    voltage_rms_fast_V: Positive = 0.006
    plating_rms_V: Positive = 0.003
    plating_rms_worst_V: Positive = 0.008
    temperature_rms_K: Positive = 0.1
    cold_below_K: Kelvin = 273.15


@final
class CertificationSection(Section):
    """Held-out runs: drive cycles and constant currents at every temperature.

    `n_calibration_run` runs of the designed set are kept out of training as well.
    """

    cycles: tuple[Text, ...] = ("hwfet", "udds", "us06", "wltc_class3b")
    temperatures_K: tuple[Kelvin, ...] = (263.15, 278.15, 293.15, 308.15, 318.15)
    c_rates: tuple[Positive, ...] = (0.3, 0.7, 1.0, 1.4, 2.0)
    fast_charge_rates: tuple[Positive, ...] = (3.0,)
    constant_duration_s: int = Field(default=3600, ge=60)
    heat_transfer_coefficient_W_per_m2K: Positive = 30.0
    discharge_start_soc: Share = 0.9
    charge_start_soc: Share = 0.1
    n_calibration_run: int = Field(default=150, ge=1)
    is_strict: bool = False
    targets: TargetSection = TargetSection()


@final
class PackSection(Section):
    """The fields of `twin.pack.PackLayout`; the start is at the ambient by default."""

    n_series: int = Field(default=96, ge=3)
    n_parallel: int = Field(default=31, ge=1)
    interconnect_resistance_Ohm: Annotated[float, Field(ge=0.0, le=10.0)] = 0.005
    weak_capacity_factor: Annotated[float, Field(ge=0.5, le=1.5)] = 0.98
    weak_resistance_Ohm: Annotated[float, Field(ge=0.0, le=1.0)] = 0.001
    hot_coolant_offset_K: Annotated[float, Field(ge=-20.0, le=40.0)] = 1.5
    start_soc: Share = 0.9
    start_temperature_K: Kelvin | None = None


@final
class VehicleSection(Section):
    """A shipped vehicle or the path of a TOML file."""

    name: Text


@final
class DriveSection(Section):
    """What is driven, one after the other: shipped cycles or paths of CSV files."""

    cycles: tuple[Text, ...] = Field(min_length=1)
    ambient_temperature_K: Kelvin = 298.15
    rest_s: NotNegative = 60.0


@final
class BaselineSection(Section):
    """The CC-CV charger to compare with.

    Without `c_rate` the largest rate is searched that keeps the limits of the charge
    in the co-simulation.
    """

    c_rate: Annotated[float, Field(gt=0.0, le=6.0)] | None = None
    taper_c_rate: Positive = 0.05
    derate_temperature_K: tuple[Kelvin, ...] = (273.15, 288.15, 318.15, 328.15)
    derate_factor: tuple[Share, ...] = (0.0, 1.0, 1.0, 0.0)

    @model_validator(mode="after")
    def _table_is_whole(self) -> BaselineSection:
        knots = self.derate_temperature_K
        if len(knots) != len(self.derate_factor):
            got = list(self.derate_factor)
            wanted = f"{len(knots)} values, as `derate_temperature_K` has"
            msg = f"derate_factor|{got}|{wanted}"
            raise ValueError(msg)
        if any(b <= a for a, b in pairwise(knots)):
            msg = f"derate_temperature_K|{list(knots)}|increasing temperatures in K"
            raise ValueError(msg)
        return self


@final
class ChargeSection(Section):
    """The fast charge: target, controller and limits of the worst cell.

    Without `plating_margin_V` the controller keeps the certificate's bound, and it may
    not be smaller than that bound.
    """

    target_soc: Share = 0.8
    controller: Literal["mpc", "cccv"] = "mpc"
    c_rate_maximum: Annotated[float, Field(gt=0.0, le=6.0)] = 2.0
    cell_voltage_maximum_V: Annotated[float, Field(gt=2.0, le=5.0)] = 4.2
    temperature_maximum_K: Kelvin = 323.15
    temperature_margin_K: Annotated[float, Field(ge=0.0, le=20.0)] = 0.5
    voltage_margin_V: Annotated[float, Field(ge=0.0, le=0.5)] = 0.005
    plating_margin_V: Annotated[float, Field(ge=0.0, le=0.5)] | None = None
    plating_target_V: float = -0.005
    interval_s: Positive = 30.0
    n_interval: int = Field(default=20, ge=1, le=200)
    period_s: Positive = 10.0
    baseline: BaselineSection = BaselineSection()


@final
class SimulationSection(Section):
    """The co-simulation: communication step and how long a charge may take.

    The DFN replays the charge and the `replay_lead_s` of driving before it.
    """

    step_s: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    charge_timeout_s: Positive = 7200.0
    has_replay: bool = True
    replay_lead_s: Annotated[float, Field(ge=0.0, le=36000.0)] = 600.0


@final
class Scenario(Section):
    """Everything a job needs; `packtwin.scenarios.loading.load_scenario` reads one."""

    header: HeaderSection = Field(alias="scenario")
    cell: CellSection
    dataset: DatasetSection = DatasetSection()
    training: TrainingSection = TrainingSection()
    trust: TrustSection = TrustSection()
    certification: CertificationSection = CertificationSection()
    pack: PackSection = PackSection()
    vehicle: VehicleSection
    drive: DriveSection
    cooling: dict[str, float] = Field(default_factory=dict)
    charge: ChargeSection = ChargeSection()
    simulation: SimulationSection = SimulationSection()

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.header.name

    @property
    def surrogate(self) -> str:
        """Name or path of the surrogate; the cell's name by default."""
        return self.cell.surrogate or self.cell.name

    @property
    def start_temperature_K(self) -> float:
        """Temperature of cells and coolant at the start."""
        start = self.pack.start_temperature_K
        return self.drive.ambient_temperature_K if start is None else start
