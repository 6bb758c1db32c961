"""Two coupled FMUs in other tools' masters: `python -m packtwin.fmu.coupled_peers JOB`.

Every tool runs in a process of its own, because they are native code. JOB is a line of
JSON: the tool, the two FMUs (FMI 2.0, the output of each feeds the other's input), the
number of steps and their length. Printed is a line of JSON: the rows of both outputs as
the tool stamps them, where it gives any, and the processor seconds of the loop.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path
from typing import Any, TypeAlias, final

import fmpy
import fmpy.fmi2

from packtwin.twin.errors import FmuError

__all__ = ["COUPLED_PEERS", "CoupledRun", "couple_in"]

Paths: TypeAlias = tuple[Path, Path]
Grid: TypeAlias = tuple[int, float]
Peer: TypeAlias = Callable[[Paths, Grid], "CoupledRun"]

_NAMES = ("left", "right")
_INPUT, _OUTPUT = "neighbour_m", "displacement_m"
_LIMIT_S = 300.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoupledRun:
    """What a tool did.

    Attributes:
        rows: Times and both outputs, as many as the way it is called gives.
        seconds: Processor time of the loop.
    """

    rows: list[list[float]]
    seconds: float


def couple_in(tool: str, paths: Paths, grid: Grid) -> CoupledRun | None:
    """Run a pair in a tool of `COUPLED_PEERS`; None if it is not installed.

    Raises:
        FmuError: The tool failed; the message ends with what it said.
    """
    try:
        version(COUPLED_PEERS[tool][0])
    except PackageNotFoundError:
        return None
    job = json.dumps({"tool": tool, "paths": [str(p) for p in paths], "grid": grid})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "packtwin.fmu.coupled_peers", job],
            capture_output=True,
            text=True,
            check=True,
            timeout=_LIMIT_S,
        )
        return CoupledRun(**json.loads(done.stdout.splitlines()[-1]))
    except (subprocess.SubprocessError, IndexError, ValueError, TypeError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        msg = f"`{tool}` could not run the pair: {''.join(said)}."
        raise FmuError(msg) from error


def _ssp(paths: Paths, grid: Grid) -> CoupledRun:
    """FMPy's `simulate_ssp`."""
    simulate = import_module("fmpy.ssp.simulation").simulate_ssp
    with tempfile.TemporaryDirectory(prefix="packtwin-peer-") as folder:
        file = Path(folder) / "pair.ssp"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("SystemStructure.ssd", _ssd())
            for name, path in zip(_NAMES, paths, strict=True):
                archive.write(path, f"resources/{name}.fmu")
        costs = []
        for n in (1, grid[0]):  # the difference leaves out what comes before the loop
            began = time.process_time()
            rows = simulate(str(file), stop_time=(n - 0.5) * grid[1], step_size=grid[1])
            costs.append(time.process_time() - began)
    columns = [rows["time"], *(rows[f"{name}.{_OUTPUT}"] for name in _NAMES)]
    found = [[float(v) for v in row] for row in zip(*columns, strict=True)]
    return CoupledRun(rows=found, seconds=costs[1] - costs[0])


def _ssd() -> str:
    parts = "".join(
        f'<ssd:Component name="{name}" type="application/x-fmu-sharedlibrary" '
        f'source="resources/{name}.fmu"><ssd:Connectors>'
        f'<ssd:Connector name="{_INPUT}" kind="input"><ssc:Real/></ssd:Connector>'
        f'<ssd:Connector name="{_OUTPUT}" kind="output"><ssc:Real/></ssd:Connector>'
        "</ssd:Connectors></ssd:Component>"
        for name in _NAMES
    )
    wires = "".join(
        f'<ssd:Connection startElement="{a}" startConnector="{_OUTPUT}" '
        f'endElement="{b}" endConnector="{_INPUT}"/>'
        for a, b in (_NAMES, _NAMES[::-1])
    )
    space = "http://ssp-standard.org/SSP1/SystemStructure"
    return (
        f'<ssd:SystemStructureDescription xmlns:ssd="{space}Description" '
        f'xmlns:ssc="{space}Common" name="pair" version="1.0">'
        f'<ssd:System name="pair"><ssd:Elements>{parts}</ssd:Elements>'
        f"<ssd:Connections>{wires}</ssd:Connections></ssd:System>"
        "</ssd:SystemStructureDescription>"
    )


def _ecos(paths: Paths, grid: Grid, *, is_best: bool) -> CoupledRun:
    """Ecospy; at best all steps in one call, and no values on the way."""
    for file in files("tbb") or ():  # its wheel needs the library and does not bring it
        if file.name == "libtbb.so.12":
            ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
    ecos: Any = import_module("ecospy")
    ports = [f"{name}::{_OUTPUT}" for name in _NAMES]
    inputs = [f"{name}::{_INPUT}" for name in reversed(_NAMES)]
    with ecos.EcosSimulationStructure() as structure:
        for name, path in zip(_NAMES, paths, strict=True):
            structure.add_model(name, str(path))
        for source, target in zip(ports, inputs, strict=True):
            structure.make_real_connection(source, target)
        with ecos.EcosSimulation(structure=structure, step_size=grid[1]) as run:
            run.init()
            rows, stride = [], grid[0] if is_best else 1
            began = time.process_time()
            for k in range(stride, grid[0] + 1, stride):
                run.step(stride)
                rows.append([k * grid[1], *(run.get_real(port) for port in ports)])
            return CoupledRun(rows=rows, seconds=time.process_time() - began)


def _libcosim(paths: Paths, grid: Grid, *, is_best: bool) -> CoupledRun:
    """Libcosimpy; at best all steps in one call, without an observer."""
    package = "libcosimpy"
    execution_class = import_module(f"{package}.CosimExecution").CosimExecution
    slave_class = import_module(f"{package}.CosimSlave").CosimLocalSlave
    observer_class = import_module(f"{package}.CosimObserver").CosimObserver
    at = _references(paths[0])
    execution = execution_class.from_step_size(step_size=grid[1] * 1e9)
    slaves = [
        execution.add_local_slave(slave_class(fmu_path=str(path), instance_name=name))
        for name, path in zip(_NAMES, paths, strict=True)
    ]
    for a, b in (slaves, slaves[::-1]):
        execution.connect_real_variables(a, at[_OUTPUT], b, at[_INPUT])
    if is_best:
        began = time.process_time()
        execution.step(grid[0])
        return CoupledRun(rows=[], seconds=time.process_time() - began)
    observer = observer_class.create_last_value()
    execution.add_observer(observer)
    rows = []
    began = time.process_time()
    for k in range(1, grid[0] + 1):
        execution.step(1)
        now = [observer.last_real_values(s, [at[_OUTPUT]])[0] for s in slaves]
        rows.append([k * grid[1], *map(float, now)])
    return CoupledRun(rows=rows, seconds=time.process_time() - began)


def _container(paths: Paths, grid: Grid, *, is_best: bool) -> CoupledRun:
    """A container of fmu-manipulation-toolbox; at best sequential, one long step."""
    with tempfile.TemporaryDirectory(prefix="packtwin-peer-") as name:
        folder = Path(name)
        lines = ["rule;from_fmu;from_port;to_fmu;to_port"]
        for own, path in zip(_NAMES, paths, strict=True):
            (folder / f"{own}.fmu").write_bytes(path.read_bytes())
            lines.append(f"FMU;{own}.fmu;;;")
        for a, b in (_NAMES, _NAMES[::-1]):
            lines.append(f"LINK;{a}.fmu;{_OUTPUT};{b}.fmu;{_INPUT}")
            lines.append(f"OUTPUT;{a}.fmu;{_OUTPUT};;{a}")
        (folder / "box.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        tool = Path(sys.executable).with_name("fmucontainer")
        command = [
            str(tool),
            "-fmu-directory",
            name,
            "-container",
            f"box.csv:{grid[1]}",
        ]
        command += ["-no-auto-input", "-no-auto-output"]
        command += ["-sequential"] * is_best
        subprocess.run(command, check=True, capture_output=True)
        if is_best:
            return _long_step(folder / "box.fmu", grid)
        began = time.process_time()
        found = fmpy.simulate_fmu(
            str(folder / "box.fmu"),
            stop_time=grid[0] * grid[1],
            step_size=grid[1],
            output_interval=grid[1],
            output=list(_NAMES),
        )
        seconds = time.process_time() - began
    rows = [[float(v) for v in row] for row in found.tolist()]
    return CoupledRun(rows=rows, seconds=seconds)


def _long_step(path: Path, grid: Grid) -> CoupledRun:
    folder = fmpy.extract(str(path), str(path.with_suffix("")))
    description = fmpy.read_model_description(folder)
    slave = fmpy.fmi2.FMU2Slave(
        guid=description.guid,
        unzipDirectory=folder,
        modelIdentifier=description.coSimulation.modelIdentifier,
        instanceName="box",
    )
    slave.instantiate()
    slave.setupExperiment(startTime=0.0)
    slave.enterInitializationMode()
    slave.exitInitializationMode()
    began = time.process_time()
    slave.doStep(0.0, grid[0] * grid[1])
    seconds = time.process_time() - began
    at = {v.name: v.valueReference for v in description.modelVariables}
    end = slave.getReal([at[name] for name in _NAMES])
    slave.terminate()
    slave.freeInstance()
    return CoupledRun(rows=[[grid[0] * grid[1], *end]], seconds=seconds)


def _references(path: Path) -> dict[str, int]:
    variables = fmpy.read_model_description(str(path)).modelVariables
    return {v.name: v.valueReference for v in variables}


def _main(arguments: Sequence[str]) -> None:
    job = json.loads(arguments[0])
    first, second = map(Path, job["paths"])
    run = COUPLED_PEERS[job["tool"]][1]((first, second), tuple(job["grid"]))
    sys.stdout.write("\n" + json.dumps(asdict(run)) + "\n")


COUPLED_PEERS: dict[str, tuple[str, Peer]] = {
    "fmpy ssp": ("fmpy", _ssp),
    "ecos": ("ecospy", partial(_ecos, is_best=False)),
    "ecos, best": ("ecospy", partial(_ecos, is_best=True)),
    "libcosim": (
        "libcosimpy",
        partial(_libcosim, is_best=False),
    ),
    "libcosim, best": (
        "libcosimpy",
        partial(_libcosim, is_best=True),
    ),
    "container": (
        "fmu-manipulation-toolbox",
        partial(_container, is_best=False),
    ),
    "container, best": (
        "fmu-manipulation-toolbox",
        partial(_container, is_best=True),
    ),
}
"""Tool and way to call it -> the package that brings it, and the call."""

if __name__ == "__main__":
    _main(sys.argv[1:])
