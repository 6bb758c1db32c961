"""FMUs and packages for tests of system structure packages."""

from __future__ import annotations

import zipfile
from pathlib import Path

import casadi as ca

from packtwin.fmu.export import export_fmu
from packtwin.twin.integrate import integrate
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable


def lump_map(start_K: float = 300.0) -> StepMap:
    """A lump that follows its neighbour: T' = rate (T_neighbour - T)."""
    ports = Interface(
        inputs=(Variable(name="neighbour_K", start=300.0),),
        outputs=(Variable(name="temperature_K", start=300.0),),
        parameters=(
            Variable(name="start_K", start=start_K),
            Variable(name="rate_per_s", start=0.1),
        ),
    )
    states = (Variable(name="lump_K"),)
    x, own = names_to_symbols(states, "x")
    u, given = names_to_symbols(ports.inputs, "u")
    p, chosen = names_to_symbols(ports.parameters, "p")
    slope = chosen["rate_per_s"] * (given["neighbour_K"] - own["lump_K"])
    model = model_from_expressions(
        "Lump",
        ports,
        states,
        symbols=(ca.SX.sym("t"), x, u, p),
        rhs={"lump_K": slope},
        outputs={"temperature_K": own["lump_K"]},
        initial={"lump_K": chosen["start_K"]},
    )
    return integrate(model)


def echo_map() -> StepMap:
    """seen_K = air_K, at once."""
    u, p = ca.SX.sym("u"), ca.SX.sym("p", 0)
    m, t, h = ca.SX.sym("m", 0), ca.SX.sym("t"), ca.SX.sym("h")
    none = ca.SX(0, 1)
    return StepMap(
        name="Echo",
        interface=Interface(
            inputs=(Variable(name="air_K", start=280.0),),
            outputs=(Variable(name="seen_K"),),
        ),
        memory=(),
        initialize=ca.Function("initialize", [u, p], [none, u]),
        step=ca.Function("step", [m, t, h, u, p], [none, u]),
    )


def export_lump(folder: Path, fmi_version: str, start_K: float = 300.0) -> Path:
    path = folder / f"lump{fmi_version[0]}_{start_K:.0f}.fmu"
    return export_fmu(
        lump_map(start_K), path, fmi_version=fmi_version, kinds=("cs", "me")
    )


def write_package(path: Path, description: bytes, **fmus: Path) -> Path:
    """A package of a description and FMUs by the names of their files."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("SystemStructure.ssd", description)
        for name, fmu in fmus.items():
            archive.writestr(f"resources/{name}.fmu", fmu.read_bytes())
    return path
