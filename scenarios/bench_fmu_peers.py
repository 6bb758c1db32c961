"""What other tools say of the exported FMUs, and what other exporters' FMUs are worth.

Checkers: FMPy, and fmu-manipulation-toolbox if its `fmutool` is on the PATH. Exporters:
CasADi, and pythonfmu if it is on the PATH; each writes the same resistor and capacitor.
Rumoca's package (0.10.2) refuses FMI targets: it is built without that feature.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.checker.peers import fmpy_problems, has_toolbox, toolbox_problems
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.peer import time_component_step_s
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_check_model import good_step_map
from packtwin.scenarios.bench_fmu_cases import VERSIONS, Bench, Progress
from packtwin.scenarios.bench_fmu_driver import DrivenFmu
from packtwin.twin.errors import FmuError
from packtwin.twin.variable import Interface, Variable

__all__ = ["rows"]

_PYTHON_CIRCUIT = """
import math
from pythonfmu import Fmi2Causality, Fmi2Slave, Real

class PeerCircuit(Fmi2Slave):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.source_voltage_V = 1.0
        self.capacitor_voltage_V = 0.0
        self.current_A = 0.0
        self.register_variable(Real("source_voltage_V", causality=Fmi2Causality.input))
        for name in ("capacitor_voltage_V", "current_A"):
            self.register_variable(Real(name, causality=Fmi2Causality.output))

    def do_step(self, current_time, step_size):
        before, u = self.capacitor_voltage_V, self.source_voltage_V
        decay = math.exp(-step_size / 6.0)
        self.capacitor_voltage_V = u + (before - u) * decay
        self.current_A = (u - self.capacitor_voltage_V) / 2.0
        return True
"""
# Other versions of CasADi's bindings for Python may not export at all.
_CASADI_CIRCUIT = """
import json, sys
import casadi as ca
circuit = ca.DaeBuilder("PeerCircuit")
v, u, y = circuit.add("v"), circuit.add("u", "input"), circuit.add("y", "output")
circuit.eq(circuit.der(v), (u - v) / 6.0)
circuit.eq(y, v)
print("FILES", json.dumps(circuit.export_fmu({})))
"""
_VARIED, _N_REPEAT = "source_voltage_V", 7


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Check every FMU with every checker, then measure the exporters."""
    checkers = {"packtwin": _own_problems, "fmpy": fmpy_problems}
    if has_toolbox():
        checkers["toolbox"] = toolbox_problems
    found = []
    for index, case in enumerate(bench.cases):
        progress(0.8 * index / len(bench.cases), case.name)
        for version in VERSIONS:
            path = bench.fmu(case, version)
            for name, find in checkers.items():
                problems = find(path)
                what = f"{case.name}, FMI {version}: problems found by {name}"
                if problems:
                    what += f" ({problems[0]})"
                key = f"check.{name}.{case.key}.{version[0]}"
                found.append(at_most(key, what, float(len(problems)), "1", 0.0))
    progress(0.8, "exporters")
    return [*found, *_casadi_rows(bench.folder), *_pythonfmu_rows(bench)]


def _own_problems(path: Path) -> list[str]:
    return [one.message for one in check_fmu(path, budget_s=0.3).problems]


def _casadi_rows(parent: Path) -> list[BenchRow]:
    folder = parent / "casadi"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _CASADI_CIRCUIT],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    lines = [s for s in done.stdout.splitlines() if s.startswith("FILES ")]
    if not lines:
        return [_absent("casadi", "CasADi's exporter writes nothing")]
    files = json.loads(lines[0].removeprefix("FILES "))
    path = parent / "casadi.fmu"
    write_archive(
        path,
        {
            member.removeprefix("./"): (folder / file).read_bytes()
            for file, member in files.items()
        },
    )
    return [
        BenchRow(
            id=f"casadi.{name}",
            what=f"peer CasADi's exporter (FMI 3 ME): problems found by {name}"
            + (f" ({problems[0]})" if problems else ""),
            value=float(len(problems)),
            unit="1",
        )
        for name, problems in (
            ("fmpy", fmpy_problems(path)),
            ("packtwin", _own_problems(path)),
        )
    ]


def _pythonfmu_rows(bench: Bench) -> list[BenchRow]:
    program = shutil.which("pythonfmu")
    if program is None:
        return [_absent("pythonfmu", "pythonfmu is not on the PATH")]
    folder = bench.folder / "pythonfmu"
    folder.mkdir()
    (folder / "circuit.py").write_text(_PYTHON_CIRCUIT)
    subprocess.run(
        [program, "build", "-f", "circuit.py", "-d", str(folder)],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    own = export_fmu(good_step_map(), bench.folder / "own_circuit.fmu")
    found = []
    for name, path in (("packtwin", own), ("pythonfmu", folder / "PeerCircuit.fmu")):
        for key, what, value_s in (
            ("step", "a step", time_component_step_s(path, _VARIED, (0.0, 2.0))),
            ("start", "load, initialize, close", _start_s(path)),
        ):
            found.append(
                BenchRow(
                    id=f"circuit.{key}.{name}",
                    what=f"resistor and capacitor by {name}, from Python: {what}",
                    value=1e6 * value_s,
                    unit="us",
                )
            )
    reason = _reason_not_loaded(bench, folder / "PeerCircuit.fmu")
    what = f"peer pythonfmu's FMU in a C program without Python{reason}: it runs"
    row = BenchRow(
        id="isolation.pythonfmu", what=what, value=float(not reason), unit="1"
    )
    return [*found, row]


def _start_s(path: Path) -> float:
    took_s = []
    for _ in range(_N_REPEAT):
        begin = time.perf_counter()
        component = FmuComponent(path)
        component.initialize(0, np.array([v.start for v in component.interface.inputs]))
        component.close()
        took_s.append(time.perf_counter() - begin)
    return float(np.median(took_s))


def _reason_not_loaded(bench: Bench, path: Path) -> str:
    """Return why the C driver cannot run an FMU; nothing if it can."""
    interface = Interface(
        inputs=(Variable(name=_VARIED),), outputs=(Variable(name="current_A"),)
    )
    try:
        driven = DrivenFmu.load(bench.driver, path, interface, np.ones((1, 1)), 1.0, {})
        driven.outputs()
    except FmuError as error:
        return f" ({error})"
    return ""


def _absent(name: str, what: str) -> BenchRow:
    return BenchRow(id=f"missing.{name}", what=what, value=0.0, unit="1")
