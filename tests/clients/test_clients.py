"""The clients that are part of the test environment run our FMUs to the same numbers.

All others: `python tests/clients/run.py`, which makes its own environment.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from packtwin.scenarios.fmu_model import FmuModel
from packtwin.scenarios.fmu_models import find_fmu_model


def _runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "run_clients", Path(__file__).with_name("run.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = _runner()
INPUTS = {"heat_cell_to_coolant_W": 800.0}


@pytest.fixture(scope="module")
def cooling() -> FmuModel:
    return find_fmu_model("cooling")


@pytest.mark.fmu
@pytest.mark.parametrize(
    ("client", "version", "kinds"),
    [
        ("fmpy", "2.0", ("cs",)),
        ("libcosimpy", "2.0", ("cs",)),
        ("fmuloader", "3.0", ("cs",)),
        ("casadi", "2.0", ("me",)),
        ("casadi", "3.0", ("me",)),
    ],
)
def test_a_client_gets_the_numbers_of_the_model(
    client: str, version: str, kinds: tuple[str, ...], cooling: FmuModel, tmp_path: Path
) -> None:
    pytest.importorskip(client)
    path = cooling.export(
        tmp_path / "cooling.fmu", fmi_version=version, kinds=kinds, experiment=None
    )
    job = {
        "path": str(path),
        "version": version,
        "kind": kinds[0],
        "inputs": INPUTS,
        "states": run.start_states(cooling, INPUTS),
        "n_step": run.N_STEP,
        "step_s": run.STEP_S,
    }
    got = run.run_client(Path(sys.executable), client, job, tmp_path)
    assert isinstance(got, dict), got
    want = run.expected if kinds == ("cs",) else run.exchanged
    row = run.compared(got, want(cooling, INPUTS), kinds[0])
    assert row["compared"] == len(cooling.subject.interface.outputs)
    assert row["difference"] <= (1e-12 if kinds == ("cs",) else 1e-7)
