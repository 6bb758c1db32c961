"""`SurrogateSpec`: a trained hybrid cell as plain arrays.

The seam between training and everything else: no pickle, no torch needed to read it.
"""

from __future__ import annotations

import io
import json
import os
import tokenize
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError
from packtwin.twin.particle import Particle
from packtwin.twin.table import Table

__all__ = ["SPEC_VERSION", "CellConstants", "SurrogateSpec", "load_spec", "save_spec"]

Array: TypeAlias = NDArray[np.float64]

SPEC_VERSION = 4
# Version 2 has neither `bound_floor` nor `risk_`, version 3 no `pace_range`.
_READABLE = (2, 3, SPEC_VERSION)
# What reading a file that is no spec may raise.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,
    RuntimeError,  # an encrypted or patched member
    zipfile.BadZipFile,
    zlib.error,
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellConstants:
    """What is known of the cell without learning.

    Attributes:
        nominal_capacity_Ah: Charge that defines 1C.
        negative_capacity_Ah: Lithium capacity of the negative electrode (its mean
            stoichiometry falls by `charge / capacity` on discharge).
        positive_capacity_Ah: Likewise for the positive electrode.
        negative_stoichiometry_empty: Mean stoichiometry at SOC 0.
        negative_stoichiometry_full: Mean stoichiometry at SOC 1.
        positive_stoichiometry_empty: Mean stoichiometry at SOC 0.
        positive_stoichiometry_full: Mean stoichiometry at SOC 1.
        heat_capacity_J_per_K: Lumped heat capacity at the reference temperature.
        cooling_area_m2: Area the heat-transfer coefficient refers to.
        reference_temperature_K: Temperature of the OCP tables.
        voltage_minimum_V: Lower end of the data sheet's window.
        voltage_maximum_V: Upper end of the data sheet's window.
        negative_particle: Shells of the negative electrode's particle.
        positive_particle: Shells of the positive electrode's particle.
        mode_time_constants_s: Of the relaxing modes at the reference temperature.
        mode_activation_kK: Arrhenius temperature of all of them, in 1000 K.
    """

    nominal_capacity_Ah: float
    negative_capacity_Ah: float
    positive_capacity_Ah: float
    negative_stoichiometry_empty: float
    negative_stoichiometry_full: float
    positive_stoichiometry_empty: float
    positive_stoichiometry_full: float
    heat_capacity_J_per_K: float
    cooling_area_m2: float
    negative_particle: Particle
    positive_particle: Particle
    mode_time_constants_s: tuple[float, ...]
    mode_activation_kK: float
    reference_temperature_K: float = 298.15
    voltage_minimum_V: float = 2.5
    voltage_maximum_V: float = 4.2

    @property
    def capacity_Ah(self) -> float:
        """Charge between SOC 0 and 1."""
        return self.negative_capacity_Ah * self._span

    def stoichiometries(self, soc: Any) -> tuple[Any, Any]:
        """Return the mean stoichiometries of both electrodes at a state of charge."""
        positive = self.positive_stoichiometry_full - self.positive_stoichiometry_empty
        return (
            self.negative_stoichiometry_empty + soc * self._span,
            self.positive_stoichiometry_empty + soc * positive,
        )

    def soc(self, stoichiometry_negative: Any) -> Any:
        """Return the state of charge at a mean stoichiometry."""
        return (stoichiometry_negative - self.negative_stoichiometry_empty) / self._span

    @property
    def _span(self) -> float:
        return self.negative_stoichiometry_full - self.negative_stoichiometry_empty


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateSpec:
    """A trained surrogate: constants, tables, weights, provenance and certificate.

    Attributes:
        name: C identifier.
        constants: Known facts of the cell.
        tables: `ocp_negative_V`, `ocp_positive_V` over stoichiometry at the reference
            temperature, `entropy_negative_V_per_K`, `entropy_positive_V_per_K`;
            `temperature_K` over the heat content in J (0 at the reference
            temperature) and its inverse `heat_content_J` over temperature;
            `flux_negative`, `flux_positive` (the particles' `phi` over stoichiometry)
            and `diffusion_negative`, `diffusion_positive` (diffusivity over that at
            the reference temperature, over temperature).
        weights: Learned arrays by name; see `packtwin.twin.surrogate`.
        provenance: Dataset fingerprint, seed, versions, command.
        certificate: What was certified; empty before.
    """

    name: str
    constants: CellConstants
    tables: dict[str, Table]
    weights: dict[str, Array]
    provenance: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)

    @property
    def n_mode(self) -> int:
        """Number of relaxing modes."""
        return len(self.constants.mode_time_constants_s)


def save_spec(spec: SurrogateSpec, path: Path) -> None:
    """Write a spec as one npz file (arrays plus a JSON header), atomically.

    Tables and weights are rounded so that they take less room in FMUs: voltages of the
    shipped cell change by 1e-7 V at most. Older files are rounded when they are read.
    """
    header = {
        "format": "packtwin SurrogateSpec",
        "version": SPEC_VERSION,
        "name": spec.name,
        "constants": asdict(spec.constants),
        "tables": {k: [t.lower, t.upper] for k, t in spec.tables.items()},
        "provenance": spec.provenance,
        "certificate": spec.certificate,
    }
    arrays = {f"weight_{k}": _single(v) for k, v in spec.weights.items()}
    arrays |= {f"table_{k}": t.rounded().coefficients for k, t in spec.tables.items()}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)  # noqa: PTH105 (atomic)


def load_spec(path: Path) -> SurrogateSpec:
    """Read a spec; a damaged or newer file is refused with the reason."""
    try:
        with (
            path.open("rb") as stream,
            np.load(stream, allow_pickle=False) as file,
        ):
            arrays = {k: file[k] for k in file.files}
        header = json.loads(arrays.pop("header").tobytes())
    except _DAMAGE as error:
        msg = (
            f"`{path}` is not a readable surrogate spec ({error}); train it again or "
            "restore the shipped file."
        )
        raise InterfaceError(msg) from error
    version = header.get("version", 0)
    if version not in _READABLE:
        remedy = (
            "install a newer packtwin"
            if version > SPEC_VERSION
            else "train the surrogate again"
        )
        msg = (
            f"`{path}` has spec version {version}, this packtwin reads versions "
            f"{_READABLE[0]} to {SPEC_VERSION}; {remedy}."
        )
        raise InterfaceError(msg)
    try:
        return _assembled(header, arrays)
    except _DAMAGE as error:
        msg = f"`{path}` is an incomplete surrogate spec ({error}); train it again."
        raise InterfaceError(msg) from error


def _single(weights: Array) -> Array:
    """Return weights that single precision holds exactly."""
    return weights.astype(np.float32).astype(np.float64)


def _assembled(header: dict[str, Any], arrays: dict[str, Array]) -> SurrogateSpec:
    tables = {
        k: Table(lower=lo, upper=hi, coefficients=arrays.pop(f"table_{k}")).rounded()
        for k, (lo, hi) in header["tables"].items()
    }
    return SurrogateSpec(
        name=header["name"],
        constants=_constants(header["constants"]),
        tables=tables,
        weights={k.removeprefix("weight_"): _single(v) for k, v in arrays.items()},
        provenance=header["provenance"],
        certificate=header["certificate"],
    )


def _constants(values: dict[str, Any]) -> CellConstants:
    particles = {
        key: Particle(
            faces=tuple(values[key]["faces"]), rate_per_s=values[key]["rate_per_s"]
        )
        for key in ("negative_particle", "positive_particle")
    }
    times_s = tuple(values["mode_time_constants_s"])
    return CellConstants(**{**values, **particles, "mode_time_constants_s": times_s})
