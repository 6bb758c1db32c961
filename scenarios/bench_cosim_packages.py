"""Systems written as packages (SSP) and read again: same results, valid documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import casadi as ca
import numpy as np
from lxml import etree  # type: ignore[import-untyped]
from numpy.typing import NDArray

from packtwin.cosim.masters import AbstractMaster, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.simulate import simulate
from packtwin.cosim.ssp_common import Version
from packtwin.cosim.ssp_file import MAIN, SspFile
from packtwin.cosim.system import System
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_cosim_fmus import coupled_masses, mass_model
from packtwin.scenarios.ssp_loading import load_ssp
from packtwin.scenarios.ssp_writing import write_ssp
from packtwin.twin.integrate import integrate

__all__ = ["rows"]

_MASTERS: tuple[AbstractMaster, ...] = (GaussSeidel(), Jacobi(), Iterated())
_STEP_S, _STOP_S = 0.1, 20.0
_PARAMETERS = "resources/parameters.ssv"
# Who ships the official schemas of each version, and where.
_SCHEMAS: dict[Version, tuple[str, str]] = {
    "1.0": ("fmpy", "ssp/schema"),
    "2.0": ("pyssp_standard", "resources/ssp2"),
}


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure."""
    step_map = integrate(mass_model(), "rk4", input_order=3, symbol=ca.SX)
    file = FmuFile(export_fmu(step_map, folder / "package_mass.fmu"))
    system = coupled_masses(file)
    found: list[BenchRow] = []
    for version in _SCHEMAS:
        path = folder / f"masses_{version[0]}.ssp"
        write_ssp(system, path, version=version, stop_s=_STOP_S)
        gap = 0.0
        for master in _MASTERS:
            ours = _run(system, master)
            with load_ssp(path) as loaded:
                again = _run(loaded.system, master)
            gap = max(gap, float(np.abs(ours - again).max()))
        what = f"SSP {version}: system, package, system; largest gap, three masters"
        found.append(at_most(f"ssp.{version}.gap", what, gap, "m", 1e-12))
        found.append(_validity(version, path))
    file.close()
    return found


def _run(system: System, master: AbstractMaster) -> NDArray[np.float64]:
    return simulate(system, stop_s=_STOP_S, step_s=_STEP_S, master=master).values


def _validity(version: Version, path: Path) -> BenchRow:
    what = f"SSP {version}: errors by the official schemas"
    package, folder = _SCHEMAS[version]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return not_measured(
            f"ssp.{version}.schema", f"{what}: `{package}`, which has them, is missing"
        )
    schemas = Path(spec.origin).parent / folder
    errors = list(_errors(SspFile.read(path), schemas))
    return at_most(f"ssp.{version}.schema", what, float(len(errors)), "1", 0.0)


def _errors(package: SspFile, schemas: Path) -> Iterator[str]:
    for name, kind in ((MAIN, "Description"), (_PARAMETERS, "ParameterValues")):
        schema = etree.XMLSchema(etree.parse(schemas / f"SystemStructure{kind}.xsd"))
        if not schema.validate(etree.fromstring(package.members[name])):
            yield from (str(error) for error in schema.error_log)
