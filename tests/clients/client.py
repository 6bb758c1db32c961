"""One FMI client runs one FMU: `python client.py NAME JOB.json`, in the clients' venv.

The job holds the path of the FMU, its version, kind, constant inputs, number of steps
and step size. Printed is one line of JSON: the outputs at the end, by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Outputs = dict[str, float]


def read(job: Job) -> Any:
    import fmpy

    return fmpy.read_model_description(job["path"])


def references(job: Job) -> tuple[dict[str, int], dict[str, int]]:
    variables = read(job).modelVariables
    return tuple(  # type: ignore[return-value]
        {v.name: v.valueReference for v in variables if v.causality == causality}
        for causality in ("input", "output")
    )


def run_fmpy(job: Job) -> Outputs:
    import fmpy

    end = job["n_step"] * job["step_s"]
    result = fmpy.simulate_fmu(
        job["path"],
        fmi_type={"cs": "CoSimulation", "me": "ModelExchange"}[job["kind"]],
        start_values=job["inputs"],
        stop_time=end,
        output_interval=job["step_s"],
        **({"relative_tolerance": 1e-9} if job["kind"] == "me" else {}),
    )
    return {n: float(result[n][-1]) for n in result.dtype.names if n != "time"}


def run_casadi(job: Job) -> Outputs:
    import casadi as ca
    import fmpy

    # CasADi imports model exchange only; `create` differentiates through the FMU.
    with tempfile.TemporaryDirectory() as folder:
        fmpy.extract(job["path"], folder)
        dae = ca.DaeBuilder("model", folder, {"debug": False})
        f = dae.create("f", ["t", "x", "u"], ["ode", "y"])
        u = ca.DM([job["inputs"].get(name, dae.start(name)) for name in dae.u()])
        x0 = ca.DM([dae.start(name) for name in dae.x()])
        t, x = ca.MX.sym("t"), ca.MX.sym("x", len(dae.x()))
        problem = {"t": t, "x": x, "ode": f(t, x, u)[0]}
        end = job["n_step"] * job["step_s"]
        tolerances = {"reltol": 1e-9, "abstol": 1e-12}
        integrate = ca.integrator("i", "cvodes", problem, 0.0, end, tolerances)
        y = f(end, integrate(x0=x0)["xf"], u)[1]
        return {name: float(y[i]) for i, name in enumerate(dae.y())}


def run_libcosimpy(job: Job) -> Outputs:
    from libcosimpy.CosimExecution import CosimExecution
    from libcosimpy.CosimObserver import CosimObserver
    from libcosimpy.CosimSlave import CosimLocalSlave

    inputs, outputs = references(job)
    execution = CosimExecution.from_step_size(step_size=job["step_s"] * 1e9)
    slave = CosimLocalSlave(fmu_path=job["path"], instance_name="model")
    index = execution.add_local_slave(slave)
    for name, value in job["inputs"].items():
        execution.real_initial_value(index, inputs[name], value)
    observer = CosimObserver.create_last_value()
    execution.add_observer(observer)
    execution.step(job["n_step"])
    values = observer.last_real_values(index, list(outputs.values()))
    return dict(zip(outputs, map(float, values), strict=True))


def run_ecospy(job: Job) -> Outputs:
    from ecospy import EcosSimulation, EcosSimulationStructure

    with EcosSimulationStructure() as structure:
        structure.add_model("model", job["path"])
        given = {f"model::{name}": value for name, value in job["inputs"].items()}
        structure.add_parameter_set("given", given)
        with EcosSimulation(structure=structure, step_size=job["step_s"]) as run:
            run.init(parameter_set="given")
            run.step(job["n_step"])
            return {n: run.get_real(f"model::{n}") for n in references(job)[1]}


def run_fmuloader(job: Job) -> Outputs:
    description = read(job)
    inputs, outputs = references(job)
    given = [inputs[n] for n in job["inputs"]], list(job["inputs"].values())
    identifier = description.coSimulation.modelIdentifier
    if job["version"] == "2.0":
        from fmuloader.fmi2 import Fmi2Slave, Fmi2Type

        with Fmi2Slave(job["path"], model_identifier=identifier) as slave:
            slave.instantiate("model", Fmi2Type.CO_SIMULATION, guid=description.guid)
            slave.setup_experiment(0.0)
            slave.enter_initialization_mode()
            slave.set_real(*given)
            slave.exit_initialization_mode()
            for k in range(job["n_step"]):
                slave.do_step(k * job["step_s"], job["step_s"])
            values = slave.get_real(list(outputs.values()))
    else:
        from fmuloader.fmi3 import Fmi3Slave

        with Fmi3Slave(job["path"], model_identifier=identifier) as slave:
            token = description.instantiationToken
            slave.instantiate_co_simulation("model", instantiation_token=token)
            slave.enter_initialization_mode()
            slave.set_float64(*given)
            slave.exit_initialization_mode()
            for k in range(job["n_step"]):
                slave.do_step(k * job["step_s"], job["step_s"])
            values = slave.get_float64(list(outputs.values()))
    return dict(zip(outputs, map(float, values), strict=True))


def run_pathsim(job: Job) -> Outputs:
    from pathsim import Connection, Simulation
    from pathsim.blocks import Constant
    from pathsim_fmi import CoSimulationFMU

    inputs, outputs = references(job)
    starts = {
        v.name: float(v.start or 0.0)
        for v in read(job).modelVariables
        if v.name in inputs
    }
    values = {**starts, **job["inputs"]}
    block = CoSimulationFMU(job["path"], dt=job["step_s"], start_values=values)
    sources = [Constant(values[name]) for name in inputs]
    links = [Connection(source, block[i]) for i, source in enumerate(sources)]
    run = Simulation([block, *sources], links, dt=job["step_s"], log=False)
    # It steps at the beginning of every period: the last one starts at the end less H.
    run.run((job["n_step"] - 1) * job["step_s"])
    return dict(zip(outputs, map(float, block.outputs.to_array()), strict=True))


def run_toolbox_check(job: Job) -> Outputs:
    done = subprocess.run(
        ["fmutool", "-input", job["path"], "-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    bad = [
        s for s in lines if s.startswith(("ERROR", "WARNING", "Traceback", "CRITICAL"))
    ]
    if bad or done.returncode:
        raise RuntimeError("; ".join(bad) or f"exit code {done.returncode}")
    return {}


def run_toolbox_container(job: Job) -> Outputs:
    import fmpy

    inputs, outputs = references(job)
    file = Path(job["path"])
    with tempfile.TemporaryDirectory() as folder:
        rows = ["rule;from_fmu;from_port;to_fmu;to_port", f"FMU;{file.name};;;"]
        rows += [f"INPUT;;in_{i};{file.name};{n}" for i, n in enumerate(inputs)]
        rows += [f"OUTPUT;{file.name};{n};;out_{i}" for i, n in enumerate(outputs)]
        (Path(folder) / "box.csv").write_text("\n".join(rows) + "\n")
        (Path(folder) / file.name).write_bytes(file.read_bytes())
        subprocess.run(
            [
                *("fmucontainer", "-fmu-directory", folder),
                *("-container", f"box.csv:{job['step_s']}", "-fmi", job["version"][0]),
                *("-no-auto-input", "-no-auto-output"),
            ],
            check=True,
            capture_output=True,
        )
        names = list(inputs)
        result = fmpy.simulate_fmu(
            str(Path(folder) / "box.fmu"),
            start_values={f"in_{names.index(n)}": v for n, v in job["inputs"].items()},
            stop_time=job["n_step"] * job["step_s"],
            output_interval=job["step_s"],
            step_size=job["step_s"],
        )
        return {n: float(result[f"out_{i}"][-1]) for i, n in enumerate(outputs)}


CLIENTS: dict[str, Callable[[Job], Outputs]] = {
    "fmpy": run_fmpy,
    "casadi": run_casadi,
    "libcosimpy": run_libcosimpy,
    "ecospy": run_ecospy,
    "fmuloader": run_fmuloader,
    "pathsim": run_pathsim,
    "toolbox check": run_toolbox_check,
    "toolbox container": run_toolbox_container,
}

if __name__ == "__main__":
    outcome = CLIENTS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")
