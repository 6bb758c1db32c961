"""Models with closed forms, and their FMUs, made once per session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import casadi as ca
import numpy as np
import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.export import export_fmu
from packtwin.twin.compiler import find_compiler
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable


@pytest.fixture(scope="session")
def rc_step_map() -> StepMap:
    """Resistor and capacitor in series at a voltage source."""
    interface = Interface(
        inputs=(Variable(name="source_voltage_V", start=1.0),),
        outputs=(
            Variable(name="capacitor_voltage_V", description='At "C" & <ground>.'),
            Variable(name="current_A", sampling="mean"),
        ),
        parameters=(
            Variable(
                name="resistance_Ohm", start=2.0, minimum=1e-6, variability="tunable"
            ),
            Variable(
                name="capacitance_F", start=3.0, minimum=1e-6, variability="fixed"
            ),
        ),
    )
    states = (Variable(name="voltage_V"),)
    x, xs = names_to_symbols(states, "x")
    u, us = names_to_symbols(interface.inputs, "u")
    p, ps = names_to_symbols(interface.parameters, "p")
    current = (us["source_voltage_V"] - xs["voltage_V"]) / ps["resistance_Ohm"]
    model = model_from_expressions(
        "RcCircuit",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"voltage_V": current / ps["capacitance_F"]},
        outputs={"capacitor_voltage_V": xs["voltage_V"], "current_A": current},
        initial={"voltage_V": ca.SX(0)},
    )
    return integrate(model, symbol=ca.SX)


@pytest.fixture(scope="session")
def heat_step_map() -> StepMap:
    """A lump with a heat source, cooled by ambient."""
    interface = Interface(
        inputs=(
            Variable(name="heat_W"),
            Variable(name="ambient_temperature_K", start=300.0),
        ),
        outputs=(Variable(name="temperature_K", start=300.0),),
        parameters=(
            Variable(name="heat_capacity_J_per_K", start=500.0),
            Variable(name="conductance_W_per_K", start=2.0),
            Variable(name="start_temperature_K", start=310.0),
        ),
    )
    states = (Variable(name="lump_temperature_K", start=300.0),)
    x, xs = names_to_symbols(states, "x")
    u, us = names_to_symbols(interface.inputs, "u")
    p, ps = names_to_symbols(interface.parameters, "p")
    temperature = xs["lump_temperature_K"]
    loss = ps["conductance_W_per_K"] * (temperature - us["ambient_temperature_K"])
    model = model_from_expressions(
        "LumpedHeat",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"lump_temperature_K": (us["heat_W"] - loss) / ps["heat_capacity_J_per_K"]},
        outputs={"temperature_K": temperature},
        initial={"lump_temperature_K": ps["start_temperature_K"]},
    )
    return integrate(model)


@pytest.fixture(scope="session")
def network_step_map() -> StepMap:
    """A tanh network as right-hand side, in MX, with mean outputs and substeps."""
    rng = np.random.default_rng(0)
    w1, w2 = ca.DM(rng.normal(size=(8, 4))), ca.DM(rng.normal(size=(3, 8)))
    t, x, u, p = (ca.MX.sym(n, k) for n, k in (("t", 1), ("x", 3), ("u", 1), ("p", 1)))
    z = ca.MX.sym("z", 0)
    hidden = ca.tanh(ca.mtimes(w1, ca.vertcat(x, u)))
    rhs = p * ca.mtimes(w2, hidden) - x + ca.sin(t)
    outputs = ca.vertcat(x[0] * u, ca.sumsqr(x), ca.exp(-x[1]), x[2])
    model = Model(
        name="Network",
        interface=Interface(
            inputs=(Variable(name="current_A"),),
            outputs=(
                Variable(name="power_W", sampling="mean"),
                Variable(name="energy_J"),
                Variable(name="rate", sampling="mean"),
                Variable(name="state[3]"),
            ),
            parameters=(Variable(name="gain", start=0.5, variability="tunable"),),
        ),
        states=tuple(Variable(name=f"x{i}") for i in range(3)),
        rhs=ca.Function("f", [t, x, z, u, p], [rhs]),
        outputs=ca.Function("g", [t, x, z, u, p], [outputs]),
        initial=ca.Function("x0", [u, p], [ca.DM([0.1, -0.2, 0.3]), ca.DM(0, 1)]),
    )
    return integrate(model, substep_s=0.05)


@pytest.fixture(scope="session")
def root_step_map() -> StepMap:
    """The square root of a falling level: refuses to step below zero."""
    t, x, u, p = (ca.MX.sym(n, k) for n, k in (("t", 1), ("x", 1), ("u", 1), ("p", 0)))
    z = ca.MX.sym("z", 0)
    model = Model(
        name="Root",
        interface=Interface(
            inputs=(Variable(name="outflow"),), outputs=(Variable(name="root"),)
        ),
        states=(Variable(name="level"),),
        rhs=ca.Function("f", [t, x, z, u, p], [-u]),
        outputs=ca.Function("g", [t, x, z, u, p], [ca.sqrt(x)]),
        initial=ca.Function("x0", [u, p], [ca.DM(1.0), ca.DM(0, 1)]),
    )
    return integrate(model)


@pytest.fixture(scope="session")
def fmu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fmus")


@pytest.fixture(scope="session")
def rc_fmu(rc_step_map: StepMap, fmu_folder: Path) -> Path:
    return export_fmu(
        rc_step_map,
        fmu_folder / "rc.fmu",
        description="RC circuit",
        documentation={"certificate.json": '{"voltage_error_V": 1e-3}'},
        resources={"table.csv": b"1,2\n"},
    )


@pytest.fixture(scope="session")
def heat_fmu(heat_step_map: StepMap, fmu_folder: Path) -> Path:
    return export_fmu(heat_step_map, fmu_folder / "heat.fmu")


@pytest.fixture(scope="session")
def network_fmu(network_step_map: StepMap, fmu_folder: Path) -> Path:
    return export_fmu(network_step_map, fmu_folder / "network.fmu")


@pytest.fixture(scope="session")
def root_fmu(root_step_map: StepMap, fmu_folder: Path) -> Path:
    return export_fmu(root_step_map, fmu_folder / "root.fmu")


@pytest.fixture(scope="session")
def vendor_fmu(fmu_folder: Path) -> Path:
    """An FMU that is not ours: other units, integers, booleans, partial steps."""
    return build_vendor(fmu_folder, "Vendor", "modelDescription.xml", "linux64")


@pytest.fixture(scope="session")
def stairs_fmu(fmu_folder: Path) -> Path:
    """An FMI 3.0 FMU that is not ours: an array, Float32, Boolean, events, an end."""
    return build_vendor(fmu_folder, "Stairs", "Stairs.xml", "x86_64-linux")


@pytest.fixture
def temporary_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def nine_stairs_fmu(fmu_folder: Path) -> Path:
    """The same with nine events before it asks to end."""
    folder = fmu_folder / "nine"
    folder.mkdir()
    return build_vendor(folder, "Stairs", "Stairs.xml", "x86_64-linux", "-DLAST=10")


@pytest.fixture(scope="session")
def stubborn_fmu(fmu_folder: Path) -> Path:
    """An FMI 2.0 FMU that misbehaves as its parameter `fault` says."""
    return build_vendor(fmu_folder, "Stubborn", "Stubborn.xml", "linux64")


def build_vendor(
    folder: Path, name: str, description: str, platform: str, *flags: str
) -> Path:
    source = Path(__file__).parent / "vendor"
    library = folder / f"{name}.so"
    compiler = find_compiler()
    visible = type(compiler)(
        command=compiler.command, extra_flags=("-fvisibility=default", *flags)
    )
    visible.compile_library(source / f"{name}.c", library)
    path = folder / f"{name.lower()}.fmu"
    write_archive(
        path,
        {
            "modelDescription.xml": (source / description).read_bytes(),
            f"binaries/{platform}/{name}.so": library.read_bytes(),
        },
    )
    return path


@pytest.fixture(scope="session", autouse=True)
def library_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled step maps of the tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTWIN_CACHE", str(tmp_path_factory.mktemp("libraries")))
        yield
